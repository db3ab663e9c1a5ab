"""Grad-CAM and Guided Grad-CAM: Selvaraju et al., "Grad-CAM", 2017 (arXiv:1610.02391), section 3."""

import torch
import torch.nn.functional as F
from torch import Tensor

from cnnviz.attribution.class_score import ClassScore, MethodSettings
from cnnviz.attribution.modified_backprop import replayed_gradients
from cnnviz.errors import InvalidRequest
from cnnviz.models.network import Network
from cnnviz.text import did_you_mean


def resolve_layer(network: Network, x: Tensor, layer: str | None) -> str:
    """Return the named layer, by default the last with feature maps. Raises InvalidRequest for one without."""
    known = network.map_layers((x.shape[-2], x.shape[-1]))
    if layer is None or layer in known:
        return layer or known[-1]
    if layer in network.layers():
        raise InvalidRequest(f"layer {layer} of {network.name} gives no feature maps")
    near = did_you_mean(layer, known, "; see cnnviz layers")
    raise InvalidRequest(f"{network.name} has no layer {layer!r}{near}")


def grad_cam(score: ClassScore, settings: MethodSettings) -> Tensor:
    """Return the positive part of the layer's maps, weighted by their mean gradients: (targets, h, w), bilinear.

    captum uses the layer's output before anything changes it in place.
    """
    from captum.attr import LayerGradCam

    x, method = score.x, LayerGradCam(score, score.network.layers()[str(score.layer)])
    maps = [method.attribute(x.clone(), target=target, relu_attributions=True) for target in score.targets]
    return F.interpolate(torch.cat(maps).detach().to(x.dtype), x.shape[-2:], mode="bilinear")[:, 0]


def guided_grad_cam(score: ClassScore, settings: MethodSettings) -> Tensor:
    """Return Grad-CAM times guided backpropagation, summed over the colours: (targets, h, w)."""
    return (grad_cam(score, settings)[:, None] * replayed_gradients(score, "guided")).sum(1)
