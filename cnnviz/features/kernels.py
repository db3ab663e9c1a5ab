"""The filters of a convolution: Krizhevsky, Sutskever & Hinton, NIPS 2012, section 6.1 and figure 3."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from cnnviz.errors import InvalidRequest, MethodError
from cnnviz.models.features import capture
from cnnviz.models.network import Network
from cnnviz.models.result import NetworkResult

NAMES_SHOWN = 6
FILTERS, ROWS, INPUTS = 1024, 8, 24  # most that a figure shows: filters, those of pairs, their input channels


@dataclass(frozen=True)
class Kernels(NetworkResult):
    """A convolution's filters.

    ``weights`` (out, in, h, w), float32, in the layer's order, where ``in`` counts the inputs that one filter reads:
    all of the layer's divided by ``groups``. With ``rgb`` they are filters over RGB in [0, 1]: the network's own
    normalisation is included.
    """

    layer: str
    weights: Tensor
    groups: int
    rgb: bool

    @property
    def form(self) -> Literal["tiles", "pairs", "matrix"]:
        """How a figure shows them: a tile for each filter, for each pair of channels, or one matrix of 1x1 filters."""
        if self.rgb or self.weights.shape[1] == 1:
            return "tiles"
        return "matrix" if self.weights.shape[2:] == (1, 1) else "pairs"

    def default_channels(self) -> list[int]:
        """Return the first filters, as many as a figure shows."""
        most = {"tiles": FILTERS, "matrix": len(self.weights), "pairs": ROWS}[self.form]
        return list(range(min(len(self.weights), most)))

    @property
    def shown_inputs(self) -> int:
        """How many input channels of a filter a figure shows."""
        return min(self.weights.shape[1], INPUTS) if self.form == "pairs" else self.weights.shape[1]

    def scaled(self, channels: Sequence[int]) -> Tensor:
        """Return chosen filters (chosen, in, h, w), each divided by its own largest magnitude: -1 to 1, 0 stays 0."""
        chosen = self.weights[list(channels)]
        return chosen / chosen.abs().amax((1, 2, 3), keepdim=True).clamp(min=1e-30)


def kernels(network: Network, *, layer: str | None = None) -> Kernels:
    """Return the filters of a convolution.

    Parameters
    ----------
    network : Network
    layer : str, optional
        A convolution by name; by default the network's first.

    Returns
    -------
    Kernels
        ``weights`` (out, in, h, w), float32, in the layer's order; ``rgb`` if they are filters over RGB in [0, 1].

    Raises
    ------
    InvalidRequest
        For a layer that is no convolution.
    MethodError
        For weights that are not finite.

    Notes
    -----
    A convolution whose three input channels are linear in the input's colours gets its filters over RGB: for an input
    (x - mean) / std these are the weights divided by std. The paper [1]_ does not say how weights become grey levels;
    here figures give every filter its own scale, symmetric about zero.

    References
    ----------
    .. [1] Krizhevsky, Sutskever & Hinton, "ImageNet Classification with Deep Convolutional Neural Networks", NIPS 2012,
       section 6.1 and figure 3.

    Examples
    --------
    >>> cnnviz.kernels(cnnviz.load_network()).weights.shape
    torch.Size([32, 3, 3, 3])
    """
    convolutions = (name for name, module in network.layers().items() if isinstance(module, nn.Conv2d))
    name = layer or next(convolutions, None)
    if name is None:
        raise InvalidRequest(f"{network.name} has no convolution, and so no filters to show")
    conv = _convolution(network, name)
    weights = conv.weight.detach().float().cpu()
    colours = _colours(network, name) if weights.shape[1] == conv.in_channels == 3 else None
    if colours is not None:
        weights = torch.einsum("oihw,ic->ochw", weights, colours)
    if not torch.isfinite(weights).all():
        raise MethodError(f"the weights of {name} are not finite numbers")
    return Kernels(name, weights, conv.groups, colours is not None, network=network)


def _convolution(network: Network, name: str) -> nn.Conv2d:
    module = network.layer(name)
    if isinstance(module, nn.Conv2d):
        return module
    inner = [f"{name}.{part}" for part, child in module.named_modules() if isinstance(child, nn.Conv2d)]
    more = f" and {len(inner) - NAMES_SHOWN} more" if len(inner) > NAMES_SHOWN else ""
    hint = f"; in it are {', '.join(inner[:NAMES_SHOWN])}{more}" if inner else "; name a convolution"
    raise InvalidRequest(f"layer {name} is a {type(module).__name__}, which has no filters of its own{hint}")


def _colours(network: Network, layer: str) -> Tensor | None:
    """Return how each of a layer's three inputs depends on RGB, (3, 3); None where not linearly.

    Measured on plain black, red, green, blue, grey and white inputs, whatever the network does before the layer.
    """
    shades = torch.cat([torch.zeros(1, 3), torch.eye(3), torch.full((1, 3), 0.5), torch.ones(1, 3)])
    with torch.inference_mode(), capture(network, layer, inputs=True, stop_early=True) as captured:
        captured.runs = {layer: 1}
        captured.run(network.outputs, shades[:, :, None, None].expand(-1, -1, *network.size))
    if not captured.tensors.get(layer):
        return None
    inputs = captured.tensors[layer][0]
    values = inputs[:, :, inputs.shape[2] // 2, inputs.shape[3] // 2].double().cpu()
    gains = (values[1:4] - values[0]).T
    greys = torch.stack([gains.sum(1) / 2, gains.sum(1)])
    linear = torch.allclose(values[4:] - values[0], greys, rtol=1e-3, atol=1e-6)
    return gains.float() if linear else None
