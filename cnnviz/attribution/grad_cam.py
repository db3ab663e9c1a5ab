"""Grad-CAM: the feature maps of a layer, each weighted with the mean of the score's derivative by it."""

import torch
import torch.nn.functional as F
from torch import Tensor

from cnnviz.attribution.gradients import ClassScore
from cnnviz.errors import InvalidRequest
from cnnviz.models.catalog import did_you_mean
from cnnviz.models.network import Network


def layer_of(network: Network, x: Tensor, layer: str | None) -> str:
    """Return the layer that was named, or the last with feature maps. Raises UsageMistake for one without."""
    known = network.map_layers((x.shape[-2], x.shape[-1]))
    if layer is None or layer in known:
        return layer or known[-1]
    if layer in network.layers():
        raise InvalidRequest(f"layer {layer} of {network.name} gives no feature maps")
    near = did_you_mean(layer, known, "; see cnnviz layers")
    raise InvalidRequest(f"{network.name} has no layer {layer!r}{near}")


def grad_cam(question: ClassScore, layer: str) -> Tensor:
    """Return the positive part of the weighted sum, carried to the input bilinearly: (targets, 1, h, w).

    captum keeps what the layer gave before anything changes it in place.
    """
    from captum.attr import LayerGradCam

    x, method = question.x, LayerGradCam(question.ask, question.network.layers()[layer])
    maps = [method.attribute(x.clone(), target=target, relu_attributions=True) for target in question.targets]
    return F.interpolate(torch.cat(maps).detach().to(x.dtype), x.shape[-2:], mode="bilinear")
