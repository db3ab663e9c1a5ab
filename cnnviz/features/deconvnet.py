"""The deconvnet: what in a picture excited a feature map, projected back onto its pixels.

Zeiler & Fergus, "Visualizing and Understanding Convolutional Networks", 2013 (arXiv:1311.2901), section 2.1: all
activations of a layer but one are set to zero, and the rest is passed down through unpooling by the switches of the
max pools, rectification, and transposed filters. Guided backpropagation: Springenberg et al., "Striving for
Simplicity: The All Convolutional Net", 2014 (arXiv:1412.6806), section 3.4.

We depart in four things. Where windows of a pool overlap, what they put in one place is summed, which is the
transposed operator; the paper does not say. Contrast normalisation is passed over. A factor for a whole
map, such as squeeze-and-excitation makes, is a constant. Batch normalisation by what was learned, unknown in
2013, is the linear map that it is.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from cnnviz.errors import InvalidRequest, MethodError
from cnnviz.graph.backward_rules import Method, Rule, UndefinedError, replay
from cnnviz.graph.region import Box
from cnnviz.graph.tape import Tape, UntraceableError, Value, record
from cnnviz.models.hooks import refuse_channels_last
from cnnviz.models.network import Network


@dataclass(frozen=True)
class Projection:
    """What excited one unit.

    ``projection`` (1, 3, h, w) on the RGB input, signed; ``layer`` and ``channel`` of the unit; ``position`` (y, x)
    on its map; ``seed`` its activation after rectification, which the projection is linear in.
    """

    projection: Tensor
    layer: str
    channel: int
    position: tuple[int, int]
    seed: float


class Deconvnet:
    """A network that has seen an input, ready to project units of a layer back.

    ``maps`` (channels, h, w) are the layer's; units of a layer without places have maps of 1 x 1. ``gates`` and
    ``skipped`` name the modules that were held constant and passed over; ``switches`` counts the max pools on the
    way: without any, a deconvnet knows of the input by its seed alone. ``logits`` (classes,) are of the same pass.
    """

    def __init__(
        self, network: Network, inputs: Tensor, layer: str, method: Method = "deconvnet", rule: Rule | None = None
    ) -> None:
        if inputs.dim() != 4 or len(inputs) != 1:
            raise InvalidRequest(f"deconvnet takes one input (1, 3, h, w), not {tuple(inputs.shape)}")
        network.layer(layer)  # refused here where there is none
        self.layer = layer
        try:
            tape = record(network, inputs.to(network.device, network.dtype), network.module, whole=True)
            self._played = replay(tape, _value(tape, layer), method, rule)
        except UndefinedError as error:
            raise InvalidRequest(
                f"{network.name} has layers for which {method} has no rule: {error}; "
                "--rule gradient or --rule rectify gives them one"
            ) from error
        except UntraceableError as error:
            raise MethodError(f"{network.name} cannot be taken apart: {error}") from error
        out = self._played.out.detach()
        if out.dim() not in (2, 4):
            raise InvalidRequest(f"layer {layer} gives no feature maps (channels, rows, columns)")
        if out.dim() == 4:
            refuse_channels_last(out[0], inputs, layer)
        if not torch.isfinite(out).all():
            raise MethodError(f"{network.name} gave activations that are not finite numbers: are these its weights?")
        self.logits = tape.clean[tape.output.index][0].float().cpu()
        self.maps = out[0].reshape(*out.shape[1:], *(1,) * (4 - out.dim()))
        self.gates, self.skipped, self.switches = self._played.gates, self._played.skipped, self._played.switches

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
        seed = torch.zeros_like(self.maps)
        seed[channel, y, x] = value
        return Projection(self.back(seed[None]), self.layer, channel, (y, x), float(value))

    def back(self, signal: Tensor) -> Tensor:
        """Return what a signal (1, channels, rows, columns) at the layer becomes at the input, (1, 3, h, w)."""
        return self._played.back(signal.view_as(self._played.out))


def deconvnet(
    network: Network,
    inputs: Tensor,
    *,
    layer: str,
    channel: int,
    position: tuple[int, int] | None = None,
    method: Method = "deconvnet",
    rule: Rule | None = None,
) -> Projection:
    """Project one unit of a layer back onto an input (1, 3, h, w), RGB in [0, 1].

    The unit is that of ``channel`` at ``position`` (y, x), by default the strongest of the map. ``method``
    "deconvnet" rectifies the signal on its way back and looks at no mask of the way forward; "guided" does both;
    "gradient" is the derivative. For the first two, LeakyReLU, SiLU, attention and their like have no rule:
    UsageMistake names where they are, unless ``rule`` lets them pass by their derivative ("gradient") or takes
    activations for rectifiers ("rectify"). Raises UsageMistake for layers, channels and positions that are not there.
    """
    return Deconvnet(network, inputs, layer, method, rule).project(channel, position)


def effective_receptive_box(projection: Tensor, share: float = 0.95) -> Box:
    """Return the box (top, left, bottom, right) that holds at least ``share`` of a projection's energy (1, 3, h, w).

    Energy is the squared projection. A quarter of the rest is cut off at each of the four sides. All of it where
    there is no energy.
    """
    energy = projection[0].double().square().sum(0)
    height, width = energy.shape
    if not energy.sum() > 0:
        return 0, 0, height, width
    edges = []
    for line in (energy.sum(1), energy.sum(0)):
        part = line.cumsum(0) / line.sum()
        rest = (1 - share) / 4
        edges.append((int((part <= rest).sum()), int((part < 1 - rest).sum()) + 1))
    return edges[0][0], edges[1][0], edges[0][1], edges[1][1]


def _value(tape: Tape, layer: str) -> Value:
    if layer not in tape.modules:
        raise InvalidRequest(f"layer {layer} has no part in the answer, or gives no tensor")
    return tape.modules[layer]
