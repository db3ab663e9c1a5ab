"""Modified backward passes: a recording replayed under autograd, with a method's rules for some operators.

Operators are those of torch's dispatcher, below modules and functions, so that ``nn.ReLU``, ``F.relu``, ``x.relu_()``,
``clamp(min=0)`` and a module used twice get the same rule, in place or not.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import inf
from typing import Any, Literal, TypeAlias

import torch
from torch import Tensor

from cnnviz.graph.tape import Argument, Result, Step, Tape, Value, replace

Context: TypeAlias = Any  # torch's autograd context, which takes any attribute
Method = Literal["deconvnet", "guided", "gradient"]
Rule = Literal["gradient", "rectify"]

LISTED = 4  # operators that a message lists
# Operators linear in their input, and pools, which pass on one of its values: the derivative is the transposed
# operator.
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
    """A layer's output ``out`` (N, ...) as a differentiable function of the input ``x`` (N, 3, h, w).

    ``gates`` are the modules whose factors are held constant, ``skipped`` those whose normalisation the signal skips;
    ``switches`` is the number of max pools between input and layer.
    """

    x: Tensor
    out: Tensor
    gates: list[str]
    skipped: list[str]
    switches: int

    def back(self, signal: Tensor) -> Tensor:
        """Propagate a signal (N, ...) from the layer back to the input, (N, 3, h, w)."""
        return torch.autograd.grad(self.out, self.x, signal, retain_graph=True)[0]


class UndefinedError(Exception):
    """A method has no rule for some operators: ``where`` names all with their modules, the message the first few."""

    def __init__(self, where: Sequence[str]) -> None:
        rest = f" and {len(where) - LISTED} more" if len(where) > LISTED else ""
        super().__init__(", ".join(where[:LISTED]) + rest)
        self.where = list(where)


def replay(tape: Tape, until: Value, method: Method, rule: Rule | None = None) -> Replay:
    """Replay a recording up to a value, with the backward pass of a method.

    "gradient" is the derivative, 0 where a rectifier's input is outside its bounds; "deconvnet" rectifies the signal at
    each rectifier, whatever its input was; "guided" does so where the input was above the lower bound, and also above
    an upper bound, since a saturated unit is active.

    For these two a gate (a factor for a whole map) is a constant and local response normalisation is skipped. Other
    operators that are not linear have no rule: UndefinedError, unless ``rule`` gives one ("gradient": their derivative;
    "rectify": activations are treated as rectifiers, other operators by their derivative).
    """
    needed, plan = _plan(tape, until, method, rule)
    kinds = {_hold_gate: "gates", _skip: "skipped"}
    named: dict[str, list[str]] = {"gates": [], "skipped": []}
    for step in needed:
        if kind := kinds.get(plan.get(id(step))):  # type: ignore[arg-type]
            named[kind].append(step.module)
    switches = sum("max_pool" in step.name for step in needed)
    return Replay(*run_steps(tape, until, needed, plan), named["gates"], named["skipped"], switches)


Values = dict[Value, Result]
Change = Callable[[Step, Values, Tape], Result]


def run_steps(tape: Tape, until: Value, needed: Sequence[Step], plan: Mapping[int, Change]) -> tuple[Tensor, Tensor]:
    """Run steps under autograd, with those in ``plan`` (by id) replaced; return the input and the value ``until``."""
    with torch.inference_mode(False), torch.enable_grad():
        x = tape.clean[0].detach().clone().requires_grad_()
        values: Values = {Value(0): x}
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
    """Return the steps that lead to a value, in order, and the replacements of some of them, by id."""
    wanted, needed, plan = {until}, [], {}
    undefined: dict[str, None] = {}
    for step in reversed(tape.steps):
        if not wanted.intersection(value for value in step.outputs if value):
            continue
        needed.append(step)
        follows = set(step.inputs)
        if limits := rectifier_bounds(step):
            plan[id(step)] = _rectifier(*limits, method)
        elif method != "gradient" and not _is_linear(step):
            if factor := _gated_map(step, tape):
                plan[id(step)], follows = _hold_gate, {factor}
            elif step.name == "div" and _is_local_normalisation(step, tape):
                plan[id(step)], follows = _skip, {step.inputs[0]}
            elif rule is None:
                undefined[f"{step.module or 'the network itself'} ({step.name})"] = None
            elif rule == "rectify" and step.name in ACTIVATIONS:
                plan[id(step)] = _rectify_signal
        wanted |= follows
    if undefined:
        raise UndefinedError(list(undefined)[::-1])
    return needed[::-1], plan


def rectifier_bounds(step: Step) -> tuple[float, float] | None:
    """Return the bounds between which a rectifier is the identity; None for other operators."""
    rest = step.args[1:]
    if step.name == "relu":
        return 0, inf
    if step.name == "clamp_min" and rest[0] == 0:
        return 0, inf
    if step.name == "clamp_max" and _is_number(rest[0]) and rest[0] > 0:
        return -inf, rest[0]
    if step.name == "threshold" and rest == (0, 0):
        return 0, inf
    if step.name in ("hardtanh", "clamp"):
        low: Argument = rest[0] if rest else step.kwargs.get("min")
        high: Argument = rest[1] if len(rest) > 1 else step.kwargs.get("max")
        if step.name == "clamp" and low is None and _is_number(high) and high > 0:
            return -inf, high
        if _is_number(low) and low == 0 and (high is None or _is_number(high)):
            return 0, inf if high is None else high
    return None


def _is_number(value: Argument) -> bool:
    return isinstance(value, (int, float))


def _is_linear(step: Step) -> bool:
    if step.name in ("mul", "div"):
        return len(step.inputs) == 1 and (step.name == "mul" or isinstance(step.args[0], Value))
    if step.name in ("native_batch_norm", "cudnn_batch_norm", "miopen_batch_norm"):
        return step.args[5] is False
    if step.name in ("convolution", "addmm", "mm"):  # linear in their input, unless the weights depend on it too
        return len(step.inputs) == 1
    return step.name in LINEAR


def _gated_map(step: Step, tape: Tape) -> Value | None:
    """Return the map in the product of a map and one factor per channel (squeeze-and-excitation); None for others."""
    if step.name != "mul" or len(set(step.inputs)) != 2:
        return None
    sizes = [tape.clean[_origin(value, tape).index].shape[2:].numel() for value in step.inputs]
    pairs = [value for value, other in zip(step.inputs, reversed(sizes), strict=True) if other == 1]
    return pairs[0] if len(pairs) == 1 and max(sizes) > 1 else None


def _origin(value: Value, tape: Tape) -> Value:
    """Return the value before it was expanded to a map's size."""
    source = next((step for step in tape.steps if value in step.outputs), None)
    return _origin(source.inputs[0], tape) if source and source.name == "expand" else value


def _is_local_normalisation(step: Step, tape: Tape) -> bool:
    """Return whether a map is divided elementwise by one of its size, as in local response normalisation."""
    shapes = [tape.clean[value.index].shape for value in step.inputs]
    return len(step.inputs) == 2 and shapes[0] == shapes[1] and len(shapes[0]) == 4


def _rectifier(low: float, high: float, method: Method) -> Change:
    rectify = method != "gradient" and low == 0
    passing = {"deconvnet": (-inf, inf), "guided": (low, inf), "gradient": (low, high)}[method]
    return lambda step, values, _: _Rectified.apply(values[step.inputs[0]], (low, high), rectify, passing)


def _hold_gate(step: Step, values: Values, tape: Tape) -> Result:
    """Multiply a map by its gate, held constant."""
    gated = _gated_map(step, tape)
    tensors = {value: values[value] if value == gated else values[value].detach() for value in step.inputs}
    return step.function(*replace(step.args, tensors), **step.kwargs)


def _skip(step: Step, values: Values, tape: Tape) -> Result:
    """Return the recorded output; the signal passes unchanged."""
    return _PassThrough.apply(values[step.inputs[0]], tape.clean[step.output.index], False)


def _rectify_signal(step: Step, values: Values, tape: Tape) -> Result:
    """Return the recorded output; the signal is rectified."""
    return _PassThrough.apply(values[step.inputs[0]], tape.clean[step.output.index], True)


class _Rectified(torch.autograd.Function):
    """min(max(x, low), high) with another backward pass: the signal, rectified or not, where x is in a range."""

    @staticmethod
    def forward(
        ctx: Context, x: Tensor, limits: tuple[float, float], rectify: bool, passing: tuple[float, float]
    ) -> Tensor:
        """Clip x; the signal passes where x is inside ``passing``, rectified or not."""
        ctx.rectify = rectify
        ctx.save_for_backward(*([] if passing == (-inf, inf) else [(x > passing[0]) & (x < passing[1])]))
        return x.clamp(*limits)

    @staticmethod
    def backward(ctx: Context, *signals: Tensor) -> tuple[Tensor | None, ...]:
        """Return the signal at x."""
        signal = signals[0].clamp(min=0) if ctx.rectify else signals[0]
        for mask in ctx.saved_tensors:
            signal = signal * mask
        return signal, None, None, None


class _PassThrough(torch.autograd.Function):
    """A given value as the output for x; its signal passes back to x, rectified or not."""

    @staticmethod
    def forward(ctx: Context, x: Tensor, value: Tensor, rectify: bool) -> Tensor:
        """Return the value."""
        ctx.rectify = rectify
        return value.clone()

    @staticmethod
    def backward(ctx: Context, *signals: Tensor) -> tuple[Tensor | None, ...]:
        """Return the signal at x."""
        return signals[0].clamp(min=0) if ctx.rectify else signals[0], None, None
