"""Which layers describe style and content, chosen from a network's structure: one rule for any convolutional network.

Gatys, Ecker & Bethge 2016 take VGG's relu1_1, 2_1, 3_1, 4_1 and 5_1 for style and relu4_2 for content: the first
activation at each resolution, and the second at an eighth of it. Networks with residual sums say more in their linear
outputs: the sums, and projections without an activation behind them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import log2

import torch
from torch import nn

from cnnviz.errors import InvalidRequest
from cnnviz.graph.tape import Step, Tape, UntraceableError, Value, record
from cnnviz.models.network import Network
from cnnviz.synthesis.pixel_filters import PIXELS

COARSEST = 16  # pixels between the cells of the coarsest style layer
CONTENT = 8  # pixels between the cells of the content layer
ACTIVATIONS = {
    "relu", "hardtanh", "silu", "hardswish", "gelu", "elu", "leaky_relu", "mish", "_prelu_kernel", "sigmoid", "tanh",
    "softplus", "hardsigmoid", "relu6",
}  # fmt: skip
NORMALIZATIONS = {"native_batch_norm", "_native_batch_norm_legit_no_training", "batch_norm", "cudnn_batch_norm"}
LINEAR = {"convolution", "add", *NORMALIZATIONS}


@dataclass(frozen=True)
class StyleLayers:
    """Layers by name with their weights: of ``style``, PIXELS among them, and of ``content``."""

    style: Mapping[str, float]
    content: Mapping[str, float]


@dataclass(frozen=True)
class _Output:
    """A map of a recording that a module returns: its name, its stride in pixels, whether it is linear."""

    name: str
    stride: int
    linear: bool


def default_layers(network: Network) -> StyleLayers:
    """Return the layers that describe style and content in a network, each with a weight of 1.

    Style, up to a stride of 16 pixels: in a network that adds maps, the first activation and at each stride the last
    linear output; in any other the first activation at each stride. Content, at a stride of 8 pixels or the nearest
    one: that linear output, or the second activation. A linear output is a sum, or a convolution's or
    normalisation's, behind which there is no activation. Raises InvalidRequest for a network without such layers.
    """
    x = torch.zeros(1, 3, *network.size, device=network.device, dtype=network.dtype)
    try:
        tape = record(network.module, x, network.module)
    except (UntraceableError, RuntimeError) as error:
        raise _unknown(network) from error
    outputs = _outputs(network.module, tape)
    activations = [out for out in outputs if not out.linear]
    linear = [out for out in outputs if out.linear] if _adds_maps(tape) else []
    style = [*activations[:1], *_at_each_stride(linear[::-1])] if linear else _at_each_stride(activations)
    nearest = min((abs(log2(out.stride / CONTENT)), out.stride) for out in style)[1] if style else CONTENT
    content = [out for out in linear[::-1] or activations if out.stride == nearest][: 1 if linear else 2]
    if not content:
        raise _unknown(network)
    return StyleLayers({PIXELS: 1.0} | dict.fromkeys((out.name for out in style), 1.0), {content[-1].name: 1.0})


def patch_layers(network: Network) -> StyleLayers:
    """Return the layers whose patches are matched, and that of the content: those of ``default_layers``, one coarser.

    Of its style layers in the network the coarsest describes the content. The three before it have the patches, the
    finest at half weight: without it fine texture is left free, but a network's first layers know no parts. Raises
    InvalidRequest for a network without such layers.
    """
    names = [name for name in default_layers(network).style if name != PIXELS]
    style = dict.fromkeys(names[-4:-1] or names, 1.0)
    style[next(iter(style))] = 0.5
    return StyleLayers({PIXELS: 1.0} | style, {names[-1]: 1.0})


def _unknown(network: Network) -> InvalidRequest:
    return InvalidRequest(f"no style layers are known for {network.name}: name them (style and content layers)")


def _at_each_stride(outputs: Sequence[_Output]) -> list[_Output]:
    """Return the first of the outputs at each stride, from fine to coarse."""
    chosen: dict[int, _Output] = {}
    for out in outputs:
        chosen.setdefault(out.stride, out)
    return [chosen[stride] for stride in sorted(chosen)]


def _adds_maps(tape: Tape) -> bool:
    return any(_is_sum(step, tape) for step in tape.steps)


def _is_sum(step: Step, tape: Tape) -> bool:
    """Return whether an operator adds two maps of one shape."""
    shapes = [tape.clean[value.index].shape for value in step.inputs]
    return step.name == "add" and len(shapes) == 2 and shapes[0] == shapes[1] and len(shapes[0]) == 4


def _outputs(module: nn.Module, tape: Tape) -> list[_Output]:
    """Return activations and linear outputs that modules return, in the order in which they are computed."""
    makers = {step.output: step for step in tape.steps if step.name in LINEAR | ACTIVATIONS}
    users: dict[Value, set[str]] = {}
    for step in tape.steps:
        for value in step.inputs:
            users.setdefault(value, set()).add(step.name)
    side, found = tape.clean[0].shape[-2], []
    for value, name in sorted(_names(module, tape).items(), key=lambda pair: pair[0].index):
        shape, maker = tape.clean[value.index].shape, makers.get(value)
        if maker is None or len(shape) != 4 or shape[-2] < side / COARSEST / 2**0.5 or min(shape[-2:]) < 2:
            continue
        linear = maker.name in LINEAR
        if not linear or not users.get(value, set()) & (ACTIVATIONS | NORMALIZATIONS):
            found.append(_Output(name, 2 ** round(log2(side / shape[-2])), linear))
    return found


def _names(module: nn.Module, tape: Tape) -> dict[Value, str]:
    """Return the module that returns each value: the outermost that is more than a sequence of others."""
    names: dict[Value, str] = {}
    for name, child in module.named_modules():
        if name in tape.modules and type(child) is not nn.Sequential:
            names.setdefault(tape.modules[name], name)
    return names
