"""The deconvnet: a unit's activation projected back onto the pixels that caused it.

Zeiler & Fergus, "Visualizing and Understanding Convolutional Networks", 2013 (arXiv:1311.2901), section 2.1: all
activations of a layer but one are set to zero, and the rest is passed down through unpooling by the switches of the
max pools, rectification, and transposed filters. Where we depart from the paper: ``deconvnet``.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from cnnviz.errors import InvalidRequest, MethodError
from cnnviz.graph.backward_rules import Method, Rule, UndefinedError, replay
from cnnviz.graph.region import Box
from cnnviz.graph.tape import UntraceableError, record
from cnnviz.models.features import refuse_channels_last
from cnnviz.models.network import Network, require_finite
from cnnviz.models.result import InputResult


@dataclass(frozen=True)
class Projection(InputResult):
    """The projection of one unit.

    ``projection`` (1, 3, h, w) on the RGB input, signed; ``layer`` and ``channel`` of the unit; ``position`` (y, x)
    on its map; ``activation`` after rectification, in which the projection is linear; ``method`` as given.
    """

    projection: Tensor
    layer: str
    channel: int
    position: tuple[int, int]
    activation: float
    method: Method = "deconvnet"


class Deconvnet:
    """A recorded forward pass of one input, from which units of a layer are projected back.

    ``maps`` (channels, h, w) are the layer's; units of a layer without positions have maps of 1 x 1. ``gates`` and
    ``skipped`` name the modules that were held constant and skipped; ``switches`` counts the max pools up to the
    layer: without any, a deconvnet depends on the input by the unit's activation alone. ``method`` is by default
    "deconvnet" in a network with max pools, "guided" in others. ``logits`` (classes,) are of the same pass;
    there are none without classes.
    """

    def __init__(
        self, network: Network, inputs: Tensor, layer: str, method: Method | None = None,
        other_activations: Rule | None = None,
    ) -> None:  # fmt: skip
        if inputs.dim() != 4 or len(inputs) != 1:
            raise InvalidRequest(f"deconvnet takes one input (1, 3, h, w), not {tuple(inputs.shape)}")
        network.layer(layer)  # an unknown layer is refused before any work
        self.layer, self._origin = layer, (network, inputs)
        try:
            tape = record(network.outputs, inputs.to(network.device, network.dtype), network.module, whole=True)
            if layer not in tape.modules:
                raise InvalidRequest(f"layer {layer} does not contribute to the logits, or gives no tensor")
            pooled = any("max_pool" in step.name for step in tape.steps)
            self.method: Method = method or ("deconvnet" if pooled else "guided")
            self._replay = replay(tape, tape.modules[layer], self.method, other_activations)
        except UndefinedError as error:
            raise InvalidRequest(
                f"{network.name} has layers for which {self.method} has no rule: {error}; "
                "--other-activations gradient or rectify gives them one"
            ) from error
        except UntraceableError as error:
            raise MethodError(f"{network.name} cannot be recorded operator by operator: {error}") from error
        out = self._replay.out.detach()
        if out.dim() not in (2, 4):
            raise InvalidRequest(f"layer {layer} gives no feature maps (channels, rows, columns)")
        if out.dim() == 4:
            refuse_channels_last(out[0], inputs, layer)
        require_finite(network.name, out, what="activations")
        self.logits = network.class_logits(tape.clean[tape.output.index])
        self.maps = out[0].reshape(*out.shape[1:], *(1,) * (4 - out.dim()))
        self.gates, self.skipped, self.switches = self._replay.gates, self._replay.skipped, self._replay.switches

    def strongest(self, count: int) -> list[int]:
        """Return the channels whose largest activations are largest, the largest first; of equal ones the first."""
        return self.maps.flatten(1).amax(1).argsort(descending=True, stable=True)[:count].tolist()

    def project(self, channel: int, position: tuple[int, int] | None = None) -> Projection:
        """Project a unit back: by default the strongest of its map, the first of equal ones."""
        if not 0 <= channel < len(self.maps):
            raise InvalidRequest(f"channel {channel}: {self.layer} has {len(self.maps)}, counted from 0")
        height, width = self.maps.shape[1:]
        y, x = position or divmod(int(self.maps[channel].argmax()), width)
        if not (0 <= y < height and 0 <= x < width):
            raise InvalidRequest(f"position {y}, {x}: the maps of {self.layer} have {height} rows and {width} columns")
        value = self.maps[channel, y, x].clamp(min=0)
        signal = torch.zeros_like(self.maps)
        signal[channel, y, x] = value
        network, inputs = self._origin
        return Projection(self.back(signal[None]), self.layer, channel, (y, x), float(value), self.method,
                          network=network, inputs=inputs)  # fmt: skip

    def back(self, signal: Tensor) -> Tensor:
        """Send a signal (1, channels, rows, columns) from the layer back to the input, (1, 3, h, w)."""
        return self._replay.back(signal.view_as(self._replay.out))


def deconvnet(
    network: Network,
    inputs: Tensor,
    *,
    layer: str,
    channel: int,
    position: tuple[int, int] | None = None,
    method: Method | None = None,
    other_activations: Rule | None = None,
) -> Projection:
    """Project one unit of a layer back onto an input.

    Parameters
    ----------
    network : Network
    inputs : Tensor, shape (1, 3, h, w)
        RGB in [0, 1].
    layer : str
        A name of ``network.layers()``.
    channel : int
        Channel of the unit, counted from 0.
    position : tuple of int, optional
        (y, x) of the unit on the map; by default the strongest.
    method : {"deconvnet", "guided", "gradient"}, optional
        "deconvnet" rectifies the signal on its way back, "guided" also masks it by the forward activations, "gradient"
        is the derivative. By default "deconvnet" in a network with max pools, "guided" in others, through which a
        deconvnet's projection depends on the input by the unit's activation alone.
    other_activations : {"gradient", "rectify"}, optional
        How the first two methods pass LeakyReLU, SiLU, attention and the like, which they have no rule for: by the
        derivative, or as rectifiers.

    Returns
    -------
    Projection
        ``projection`` (1, 3, h, w) on the RGB input, signed, with the unit's position and activation.

    Raises
    ------
    InvalidRequest
        For unknown layers, channels and positions, and for layers without a rule, which it names.
    MethodError
        For a network that cannot be recorded operator by operator, or values that are not finite.

    Notes
    -----
    The deconvnet [1]_ sets all activations of a layer but one to zero; guided backpropagation is that of [2]_.
    Departures: where windows of a pool overlap, their values at one position are summed, which is the transposed
    operator, and the paper does not say; contrast normalisation is skipped; a factor for a whole map, as in
    squeeze-and-excitation, is a constant; batch normalisation by learned statistics, unknown in 2013, is a linear map.

    References
    ----------
    .. [1] Zeiler & Fergus, "Visualizing and Understanding Convolutional Networks", 2013 (arXiv:1311.2901), section 2.1.
    .. [2] Springenberg et al., "Striving for Simplicity", 2014 (arXiv:1412.6806), section 3.4.

    Examples
    --------
    >>> network = cnnviz.load_network()
    >>> inputs, _ = cnnviz.fit(cnnviz.read_photo("sample_images/coffee.jpg"), network)
    >>> unit = cnnviz.deconvnet(network, inputs, layer="blocks.2", channel=12, method="guided")
    """
    return Deconvnet(network, inputs, layer, method, other_activations).project(channel, position)


def effective_receptive_box(projection: Tensor, share: float = 0.95) -> Box:
    """Return the box (top, left, bottom, right) that holds at least ``share`` of a projection's energy (1, 3, h, w).

    Energy is the squared projection. A quarter of the rest is cut off at each of the four sides. The whole input
    where there is no energy.
    """
    energy = projection[0].double().square().sum(0)
    if not energy.sum() > 0:
        return 0, 0, *energy.shape
    edges, rest = [], (1 - share) / 4
    for line in (energy.sum(1), energy.sum(0)):
        part = line.cumsum(0) / line.sum()
        edges.append((int((part <= rest).sum()), int((part < 1 - rest).sum()) + 1))
    (top, bottom), (left, right) = edges
    return top, left, bottom, right
