"""A layer's feature maps, strongest first.

Zeiler & Fergus, "Visualizing and Understanding Convolutional Networks", 2013 (arXiv:1311.2901), section 4.2 and figure
7 (b) take the map of a layer with the strongest response to one photograph. They do not say how strength is measured;
here it is the sum of what is positive, so that a map counts by what a rectifier lets through.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from cnnviz.errors import InvalidRequest, MethodError
from cnnviz.models.hooks import capture, feature_maps, refuse_channels_last
from cnnviz.models.network import Network


@dataclass(frozen=True)
class Activations:
    """What a layer gives for one input.

    ``maps`` (channels, h, w), float32; ``strengths`` (channels,), float64, the sum over the positive part of each;
    ``order`` (channels,), the channels from the strongest to the weakest, equal ones by number; ``logits`` (classes,)
    of the same pass.
    """

    layer: str
    maps: Tensor
    strengths: Tensor
    order: Tensor
    logits: Tensor


def activations(network: Network, inputs: Tensor, *, layer: str) -> Activations:
    """Return the feature maps of a layer for ``inputs`` (1, 3, h, w), RGB in [0, 1].

    As the layer gives them, before anything changes them in place; of a layer that runs several times, its last run.
    Raises UsageMistake for a layer that is not there or gives no maps.
    """
    if len(inputs) != 1:
        raise InvalidRequest(f"activations takes one input at a time, not {len(inputs)}")
    with torch.inference_mode(), capture(network, layer) as seen:
        logits = network(inputs)
    maps = feature_maps(seen, layer)
    refuse_channels_last(maps, inputs, layer)
    maps = maps.float().cpu().clone(memory_format=torch.contiguous_format)
    if not torch.isfinite(maps).all():
        raise MethodError(f"layer {layer} gives values that are not finite numbers: are these the network's weights?")
    strengths = maps.double().clamp(min=0).sum((1, 2))
    order = strengths.argsort(descending=True, stable=True)
    return Activations(layer, maps, strengths, order, logits[0].cpu())
