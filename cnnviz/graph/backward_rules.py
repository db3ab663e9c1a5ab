"""Modified backward passes: a recording replayed under autograd, with a method's rules for some operators.

Operators are those of torch's dispatcher, so that every spelling of a rectifier gets the same rule, in place or not.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from math import inf
from types import NoneType
from typing import Any, Literal, TypeAlias

import torch
from torch import Tensor

from cnnviz.graph.tape import Argument, Result, Step, Tape, UntraceableError, Value

Context: TypeAlias = Any  # torch's autograd context, which takes any attribute
Values = dict[Value, Result]
Change = Callable[[Step, Values, Tape], Result]
Method = Literal["deconvnet", "guided", "gradient"]
Rule = Literal["gradient", "rectify"]

LISTED = 4  # operators that a message lists
NEAR = 1e-7  # input difference below which DeepLIFT's quotient is replaced by the derivative
POOLS = ("max_pool2d_with_indices", "adaptive_max_pool2d")
# Operators linear in their input, and pools, which pass on one of its values: the derivative is their transpose.
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
    plan: dict[Step, Change] = {}
    undefined: dict[str, None] = {}

    def follow(step: Step) -> Iterable[Value]:
        if limits := _rectifier_bounds(step):
            plan[step] = _rectifier(*limits, method)
        elif method != "gradient" and not _is_linear(step):
            if factor := _gated_map(step, tape):
                plan[step] = _hold_gate
                return [factor]
            if step.name == "div" and _is_local_normalisation(step, tape):
                plan[step] = _skip
                return step.inputs[:1]
            if rule is None:
                undefined[f"{step.module or 'the network itself'} ({step.name})"] = None
            elif rule == "rectify" and step.name in ACTIVATIONS:
                plan[step] = partial(_skip, rectify=True)
        return step.inputs

    needed = _steps_to(tape, until, follow)
    if undefined:
        raise UndefinedError(list(undefined)[::-1])
    gates, skipped = ([s.module for s in needed if plan.get(s) is change] for change in (_hold_gate, _skip))
    switches = sum("max_pool" in step.name for step in needed)
    return Replay(*_run_steps(tape, until, needed, plan), gates, skipped, switches)


def _steps_to(tape: Tape, until: Value, follow: Callable[[Step], Iterable[Value]]) -> list[Step]:
    """Return the steps that lead to a value, in order; ``follow``, called from the last on, returns a step's inputs."""
    wanted, needed = {until}, []
    for step in reversed(tape.steps):
        if wanted.intersection(step.outputs):
            needed.append(step)
            wanted.update(follow(step))
    return needed[::-1]


def _run_steps(tape: Tape, until: Value, needed: Sequence[Step], plan: Mapping[Step, Change]) -> tuple[Tensor, Tensor]:
    """Run steps under autograd, with those in ``plan`` replaced; return the input and the value ``until``."""
    with torch.inference_mode(False), torch.enable_grad():
        x = tape.clean[0].detach().clone().requires_grad_()
        values: Values = {Value(0): x}
        for step in needed:
            for value in step.inputs:
                values.setdefault(value, tape.clean[value.index].detach())
            change = plan.get(step)
            out = change(step, values, tape) if change else step.run(values)
            outs = out if isinstance(out, (tuple, list)) else (out,)
            values.update({value: one for value, one in zip(step.outputs, outs, strict=False) if value})
    return x, values[until]


def _rectifier_bounds(step: Step) -> tuple[float, float] | None:
    """Return the bounds between which a rectifier is the identity; None for other operators."""
    name, rest = step.name, step.args[1:]
    if name == "relu" or (name == "clamp_min" and rest[0] == 0) or (name == "threshold" and rest == (0, 0)):
        return 0, inf
    if name not in ("hardtanh", "clamp", "clamp_max"):
        return None
    low: Argument = rest[0] if rest else step.kwargs.get("min")
    high: Argument = rest[1] if len(rest) > 1 else step.kwargs.get("max")
    if name == "clamp_max":
        low, high = None, low
    if low is None and isinstance(high, (int, float)) and high > 0:
        return -inf, high
    if isinstance(low, (int, float)) and low == 0 and isinstance(high, (int, float, NoneType)):
        return 0, inf if high is None else high
    return None


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

    def change(step: Step, values: Values, _: Tape) -> Result:
        x = values[step.inputs[0]]
        mask = None if passing == (-inf, inf) else (x > passing[0]) & (x < passing[1])
        return _Substitute.apply(x, x.detach().clamp(low, high), mask, rectify)

    return change


def _hold_gate(step: Step, values: Values, tape: Tape) -> Result:
    """Multiply a map by its gate, held constant."""
    gated = _gated_map(step, tape)
    return step.run({value: values[value] if value == gated else values[value].detach() for value in step.inputs})


def _skip(step: Step, values: Values, tape: Tape, *, rectify: bool = False) -> Result:
    """Return the recorded output; the signal passes unchanged, or rectified."""
    return _Substitute.apply(values[step.inputs[0]], tape.clean[step.output.index], None, rectify)


def deeplift_rules(tape: Tape, reference: Tape, until: Value) -> Callable[[Tensor], Tensor]:
    """Return DeepLIFT's rescale rule (Shrikumar et al. 2017, arXiv:1704.02685, section 3.5) for two tapes of a network.

    That is a function that propagates a signal (N, ...) from a value back to the input. An elementwise operator
    multiplies it by (y - y0) / (x - x0), the differences to the reference, or by its derivative where x hardly differs.
    A max pool, for which the paper has no rule, gives the difference of a window to the position of the higher maximum.
    For these and linear operators the sum of signal times input difference is the difference of the outputs; others
    keep their derivative: the caller has to check the sum. Both tapes are recorded ``whole``; UntraceableError if their
    operators differ.
    """
    if [step.name for step in tape.steps] != [step.name for step in reference.steps]:
        raise UntraceableError("it runs other operators for the reference than for the input")
    needed, plan = _steps_to(tape, until, lambda step: step.inputs), {}
    for step in needed:
        if step.name in POOLS:
            plan[step] = partial(_rescale_pool, reference)
        elif _rectifier_bounds(step) or step.name in ACTIVATIONS:
            plan[step] = partial(_rescale, reference)
    x, out = _run_steps(tape, until, needed, plan)
    return lambda signal: torch.autograd.grad(out, x, signal, retain_graph=True)[0]


def _rescale(reference: Tape, step: Step, values: Values, tape: Tape) -> Result:
    """Run an elementwise operator with the quotient of the differences as its derivative."""
    if len(set(step.inputs)) > 1:  # such as a PReLU whose slope depends on the input
        raise UntraceableError(f"{step.module or 'the network itself'} ({step.name}) has no rescale rule")
    (x, y), (x0, y0) = _ends(step, tape), _ends(step, reference)
    leaf = x.detach().requires_grad_()
    derivative = torch.autograd.grad(step.function(leaf, *step.args[1:], **step.kwargs).sum(), leaf)[0]
    factor = torch.where((x - x0).abs() > NEAR, (y - y0) / (x - x0), derivative)
    return _Substitute.apply(values[step.inputs[0]], y, factor, False)


def _rescale_pool(reference: Tape, step: Step, values: Values, tape: Tape) -> Result:
    """Run a max pool whose signal passes to the position of the higher of the two maxima."""
    assert step.outputs[1]
    place = step.outputs[1].index
    (x, y), (x0, y0) = _ends(step, tape), _ends(step, reference)
    index = torch.where(y >= y0, tape.clean[place], reference.clean[place]).flatten(2)
    chosen = values[step.inputs[0]].flatten(2).gather(2, index).view_as(y)
    difference = (x - x0).flatten(2).gather(2, index).view_as(y)
    factor = torch.where(difference.abs() > NEAR, (y - y0) / difference, 1)
    return _Substitute.apply(chosen, y, factor, False), tape.clean[place]


def _ends(step: Step, tape: Tape) -> tuple[Tensor, Tensor]:
    """Return the recorded input and output of an operator."""
    return tape.clean[step.inputs[0].index].detach(), tape.clean[step.output.index].detach()


class _Substitute(torch.autograd.Function):
    """A given value as the output for x; its signal passes back to x, rectified or not, times a factor or mask."""

    @staticmethod
    def forward(ctx: Context, x: Tensor, value: Tensor, factor: Tensor | None, rectify: bool) -> Tensor:
        """Return the value."""
        ctx.rectify = rectify
        ctx.save_for_backward(factor)
        return value.clone()

    @staticmethod
    def backward(ctx: Context, *signals: Tensor) -> tuple[Tensor | None, ...]:
        """Return the signal at x."""
        signal = signals[0].clamp(min=0) if ctx.rectify else signals[0]
        [factor] = ctx.saved_tensors
        return signal if factor is None else signal * factor, None, None, None
