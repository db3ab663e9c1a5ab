"""A layer's feature maps for one input, strongest first: Zeiler & Fergus 2013 (arXiv:1311.2901), section 4.2."""

from dataclasses import dataclass

import torch
from torch import Tensor

from cnnviz.errors import InvalidRequest
from cnnviz.models.features import capture, feature_maps, refuse_channels_last
from cnnviz.models.network import Network, require_finite
from cnnviz.models.result import InputResult


@dataclass(frozen=True)
class Activations(InputResult):
    """The feature maps of a layer.

    ``maps`` (channels, h, w), float32; ``strengths`` (channels,), float64, the sum of the positive values of each;
    ``order`` (channels,), the channels from the strongest to the weakest, equal ones by number; ``logits`` (classes,)
    of the same pass, none of a network without classes.
    """

    layer: str
    maps: Tensor
    strengths: Tensor
    order: Tensor
    logits: Tensor


def activations(network: Network, inputs: Tensor, *, layer: str) -> Activations:
    """Compute the feature maps of a layer for one input, and their order by strength.

    Parameters
    ----------
    network : Network
    inputs : Tensor, shape (1, 3, h, w)
        RGB in [0, 1].
    layer : str
        A name of ``network.layers()``.

    Returns
    -------
    Activations
        ``maps`` (channels, h, w), float32, their ``strengths`` (channels,), and the channels in ``order`` (channels,),
        the strongest first.

    Raises
    ------
    InvalidRequest
        For an unknown layer, or one without maps.
    MethodError
        For values that are not finite.

    Notes
    -----
    The maps are the layer's output before anything changes it in place; of a layer that runs several times, its last
    run. The paper [1]_ takes the map with the strongest response, and does not say how strength is measured; here it is
    the sum of the positive values, which is what a rectifier passes on.

    References
    ----------
    .. [1] Zeiler & Fergus, "Visualizing and Understanding Convolutional Networks", 2013 (arXiv:1311.2901), section 4.2
       and figure 7 (b).

    Examples
    --------
    >>> network = cnnviz.load_network()
    >>> inputs, _ = cnnviz.fit(cnnviz.read_photo("sample_images/coffee.jpg"), network)
    >>> cnnviz.activations(network, inputs, layer="blocks.2").order[:3]
    tensor([15, 13,  4])
    """
    if len(inputs) != 1:
        raise InvalidRequest(f"activations takes one input at a time, not {len(inputs)}")
    with torch.inference_mode(), capture(network, layer) as captured:
        outputs = network.outputs(inputs)
    maps = feature_maps(captured.tensors.get(layer, []), layer)
    refuse_channels_last(maps, inputs, layer)
    maps = maps.float().cpu().clone(memory_format=torch.contiguous_format)
    require_finite(network.name, maps, what=f"activations of {layer}")
    strengths = maps.double().clamp(min=0).sum((1, 2))
    order = strengths.argsort(descending=True, stable=True)
    return Activations(layer, maps, strengths, order, network.class_logits(outputs), network=network, inputs=inputs)
