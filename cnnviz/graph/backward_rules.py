"""A recording played again under autograd, with the rules of a method in place of some operators' derivatives.

Operators are what torch runs below modules and functions, so ``nn.ReLU``, ``F.relu``, ``x.relu_()``, ``clamp(min=0)``
and a module used twice get the same rule, in place or not.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import inf
from typing import Any, Literal

import torch
from torch import Tensor

from cnnviz.graph.tape import Step, Tape, Value, replace

Method = Literal["deconvnet", "guided", "gradient"]
Rule = Literal["gradient", "rectify"]

TOLD = 4  # operators that a refusal names
# Operators that are linear in their input, or, as pools do, pass on what a place of it held: their derivative is the
# transposed operator.
LINEAR = {
    "convolution", "addmm", "mm", "linear", "add", "sub", "rsub", "neg", "mean", "sum", "cat", "stack", "view",
    "_unsafe_view", "reshape", "flatten", "permute", "transpose", "t", "slice", "split", "split_with_sizes", "chunk",
    "select", "unbind", "squeeze", "unsqueeze", "expand", "clone", "alias", "_to_copy", "contiguous", "flip", "roll",
    "as_strided", "constant_pad_nd", "reflection_pad2d", "replication_pad2d", "avg_pool2d", "avg_pool3d",
    "_adaptive_avg_pool2d", "upsample_nearest2d", "upsample_bilinear2d", "upsample_bicubic2d", "pixel_shuffle",
    "channel_shuffle", "native_channel_shuffle", "max_pool2d", "max_pool2d_with_indices", "adaptive_max_pool2d",
    "_native_batch_norm_legit_no_training",
}  # fmt: skip
ACTIVATIONS = {
    "leaky_relu", "prelu", "_prelu_kernel", "rrelu_with_noise", "elu", "selu", "celu", "gelu", "silu", "mish",
    "hardswish", "hardsigmoid", "sigmoid", "tanh", "softplus", "log_sigmoid_forward", "hardtanh", "clamp", "threshold",
}  # fmt: skip


@dataclass(frozen=True)
class Replay:
    """What a layer gives, hanging on ``x`` in torch's graph: (N, ...), float.

    ``gates`` are the modules whose factors were held constant, ``skipped`` those whose normalisation the signal
    passes as if it were not there; ``switches`` is the number of max pools on the way.
    """

    x: Tensor
    out: Tensor
    gates: list[str]
    skipped: list[str]
    switches: int

    def back(self, seed: Tensor) -> Tensor:
        """Return what a signal (N, ...) at the layer becomes at the input, (N, 3, h, w)."""
        return torch.autograd.grad(self.out, self.x, seed, retain_graph=True)[0]


class UndefinedError(Exception):
    """A method has no rule for some operators; ``where`` names them, module by module, the message the first few."""

    def __init__(self, where: Sequence[str]) -> None:
        rest = f" and {len(where) - TOLD} more" if len(where) > TOLD else ""
        super().__init__(", ".join(where[:TOLD]) + rest)
        self.where = list(where)


def replay(tape: Tape, until: Value, method: Method, rule: Rule | None = None) -> Replay:
    """Run a recording again up to a value, so that its derivative follows a method.

    "gradient" is the derivative itself, 0 where a rectifier's input is not between its bounds; "deconvnet" clips
    the signal at each rectifier to what is positive, whatever was there on the way forward; "guided" does so where the
    input was above the lower bound, also beyond an upper one: a unit that is saturated is excited.

    For these two a gate (a factor for a whole map) is a constant, a normalisation by neighbours (LRN) is skipped, and
    other operators that are not linear have no rule: UndefinedError, unless ``rule`` gives one ("gradient": their
    derivative; "rectify": activations as if they were rectifiers, the rest by their derivative).
    """
    needed, plan = _plan(tape, until, method, rule)
    marks = {_gate: "gates", _skip: "skipped"}
    named: dict[str, list[str]] = {"gates": [], "skipped": []}
    for step in needed:
        if kind := marks.get(plan.get(id(step))):  # type: ignore[arg-type]
            named[kind].append(step.module)
    switches = sum("max_pool" in step.name for step in needed)
    return Replay(*repeat(tape, until, needed, plan), named["gates"], named["skipped"], switches)


Change = Callable[[Step, dict[Value, Any], Tape], Any]


def repeat(tape: Tape, until: Value, needed: Sequence[Step], plan: Mapping[int, Change]) -> tuple[Tensor, Tensor]:
    """Run steps again under autograd, those in ``plan`` (by id) changed; return the input and the value reached."""
    with torch.inference_mode(False), torch.enable_grad():
        x = tape.clean[0].detach().clone().requires_grad_()
        values: dict[Value, Any] = {Value(0): x}
        for step in needed:
            for value in step.inputs:
                values.setdefault(value, tape.clean[value.index].detach())
            change = plan.get(id(step))
            out = change(step, values, tape) if change else step.function(
                *replace(step.args, values), **replace(step.kwargs, values)
            )  # fmt: skip
            outs = out if isinstance(out, (tuple, list)) else (out,)
            values.update({value: one for value, one in zip(step.outputs, outs, strict=False) if value})
    return x, values[until]


def _plan(tape: Tape, until: Value, method: Method, rule: Rule | None) -> tuple[list[Step], dict[int, Change]]:
    """Return the steps that lead to a value, in order, and for some of them what is done in their place."""
    wanted, needed, plan = {until}, [], {}
    undefined: dict[str, None] = {}
    for step in reversed(tape.steps):
        if not wanted.intersection(value for value in step.outputs if value):
            continue
        needed.append(step)
        follows = set(step.inputs)
        if limits := bounds(step):
            plan[id(step)] = _rectifier(*limits, method)
        elif method != "gradient" and not _linear(step):
            if factor := _factor(step, tape):
                plan[id(step)], follows = _gate, {factor}
            elif step.name == "div" and _by_neighbours(step, tape):
                plan[id(step)], follows = _skip, {step.inputs[0]}
            elif rule is None:
                undefined[f"{step.module or 'the network itself'} ({step.name})"] = None
            elif rule == "rectify" and step.name in ACTIVATIONS:
                plan[id(step)] = _clipped
        wanted |= follows
    if undefined:
        raise UndefinedError(list(undefined)[::-1])
    return needed[::-1], plan


def bounds(step: Step) -> tuple[float, float] | None:
    """Return between which values a rectifier passes its input on; None for other operators."""
    rest = step.args[1:]
    if step.name == "relu":
        return 0, inf
    if step.name == "clamp_min" and rest[0] == 0:
        return 0, inf
    if step.name == "clamp_max" and _number(rest[0]) and rest[0] > 0:
        return -inf, rest[0]
    if step.name == "threshold" and rest == (0, 0):
        return 0, inf
    if step.name in ("hardtanh", "clamp"):
        low: Any = rest[0] if rest else step.kwargs.get("min")
        high: Any = rest[1] if len(rest) > 1 else step.kwargs.get("max")
        if step.name == "clamp" and low is None and _number(high) and high > 0:
            return -inf, high
        if _number(low) and low == 0 and (high is None or _number(high)):
            return 0, inf if high is None else high
    return None


def _number(value: Any) -> bool:
    return isinstance(value, (int, float))


def _linear(step: Step) -> bool:
    if step.name in ("mul", "div"):
        return len(step.inputs) == 1 and (step.name == "mul" or isinstance(step.args[0], Value))
    if step.name in ("native_batch_norm", "cudnn_batch_norm", "miopen_batch_norm"):
        return step.args[5] is False
    if step.name in ("convolution", "addmm", "mm"):  # linear in their input, not in filters made from it
        return len(step.inputs) == 1
    return step.name in LINEAR


def _factor(step: Step, tape: Tape) -> Value | None:
    """Return the map of a product of a map with one number for each channel, as squeeze-and-excitation makes it."""
    if step.name != "mul" or len(set(step.inputs)) != 2:
        return None
    sizes = [tape.clean[_origin(value, tape).index].shape[2:].numel() for value in step.inputs]
    pairs = [value for value, other in zip(step.inputs, reversed(sizes), strict=True) if other == 1]
    return pairs[0] if len(pairs) == 1 and max(sizes) > 1 else None


def _origin(value: Value, tape: Tape) -> Value:
    """Return what a value was before it was stretched to a map's size."""
    made = next((step for step in tape.steps if value in step.outputs), None)
    return _origin(made.inputs[0], tape) if made and made.name == "expand" else value


def _by_neighbours(step: Step, tape: Tape) -> bool:
    """Return whether a map is divided, place by place, by another of its size: local response normalisation."""
    shapes = [tape.clean[value.index].shape for value in step.inputs]
    return len(step.inputs) == 2 and shapes[0] == shapes[1] and len(shapes[0]) == 4


def _rectifier(low: float, high: float, method: Method) -> Change:
    rectify = method != "gradient" and low == 0
    passing = {"deconvnet": (-inf, inf), "guided": (low, inf), "gradient": (low, high)}[method]
    return lambda step, values, _: _Rectified.apply(values[step.inputs[0]], (low, high), rectify, passing)


def _gate(step: Step, values: dict[Value, Any], tape: Tape) -> Any:
    """Multiply by a gate that is held constant."""
    through = _factor(step, tape)
    held = {value: values[value] if value == through else values[value].detach() for value in step.inputs}
    return step.function(*replace(step.args, held), **step.kwargs)


def _skip(step: Step, values: dict[Value, Any], tape: Tape) -> Any:
    """Give what the operator gives; the signal passes unchanged."""
    return _Passed.apply(values[step.inputs[0]], tape.clean[step.output.index], False)


def _clipped(step: Step, values: dict[Value, Any], tape: Tape) -> Any:
    """Give what the operator gives; the signal is clipped to what is positive."""
    return _Passed.apply(values[step.inputs[0]], tape.clean[step.output.index], True)


class _Rectified(torch.autograd.Function):
    """min(max(x, low), high), with a choice of what its signal back is."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, limits: tuple[float, float], rectify: bool, passing: tuple[float, float]
    ) -> Tensor:
        ctx.rectify = rectify
        ctx.save_for_backward(*([] if passing == (-inf, inf) else [(x > passing[0]) & (x < passing[1])]))
        return x.clamp(*limits)

    @staticmethod
    def backward(ctx: Any, *signals: Tensor) -> tuple[Tensor | None, ...]:
        signal = signals[0].clamp(min=0) if ctx.rectify else signals[0]
        for between in ctx.saved_tensors:
            signal = signal * between
        return signal, None, None, None


class _Passed(torch.autograd.Function):
    """A value as if it were made of x; the signal back passes, or what is positive of it."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, value: Tensor, rectify: bool) -> Tensor:
        ctx.rectify = rectify
        return value.clone()

    @staticmethod
    def backward(ctx: Any, *signals: Tensor) -> tuple[Tensor | None, ...]:
        return signals[0].clamp(min=0) if ctx.rectify else signals[0], None, None
