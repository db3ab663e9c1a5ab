"""Differences instead of derivatives: how an answer differs from that to a reference, place by place of the input.

The rescale rule of DeepLIFT (Shrikumar et al. 2017, arXiv:1704.02685, section 3.5): an operator that works place by
place passes the signal back times (y - y0) / (x - x0), its output's difference over its input's; where the input hardly
differs, times its derivative. A max pool, for which the paper has no rule, gives a window's difference to one place:
where the higher of the two maxima was. Linear operators have their transposed ones. So the sum over the input of the
signal times the input's difference is the difference of the answers, wherever a network is made of these alone.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from cnnviz.graph.backward_rules import ACTIVATIONS, Change, bounds, repeat
from cnnviz.graph.tape import Step, Tape, UntraceableError, Value

NEAR = 1e-7  # an input's difference below which the derivative stands for the quotient
POOLS = ("max_pool2d_with_indices", "adaptive_max_pool2d")


def deeplift_rules(tape: Tape, reference: Tape, until: Value) -> Callable[[Tensor], Tensor]:
    """Return what a signal (N, ...) at a value becomes at the input, (N, 3, h, w), by differences from a reference.

    Both are of one network, recorded ``whole``. Other operators that are not linear keep their derivative; whether the
    sum still holds is for the caller to measure. Raises UntraceableError where the two are not step by step alike.
    """
    if [step.name for step in tape.steps] != [step.name for step in reference.steps]:
        raise UntraceableError("it takes another way for the reference than for the input")
    wanted, needed, plan = {until}, [], dict[int, Change]()
    for step in reversed(tape.steps):
        if not wanted.intersection(value for value in step.outputs if value):
            continue
        needed.append(step)
        wanted.update(step.inputs)
        if step.name in POOLS:
            plan[id(step)] = _pool(reference)
        elif bounds(step) or step.name in ACTIVATIONS:
            plan[id(step)] = _place_by_place(reference)
    x, out = repeat(tape, until, needed[::-1], plan)
    return lambda signal: torch.autograd.grad(out, x, signal, retain_graph=True)[0]


def _place_by_place(reference: Tape) -> Change:
    def change(step: Step, values: dict[Value, Any], tape: Tape) -> Any:
        if len(set(step.inputs)) > 1:  # a slope made from the input
            raise UntraceableError(f"{step.module or 'the network itself'} ({step.name}) has no difference")
        through = step.inputs[0]
        (x, y), (x0, y0) = (_pair(one, through, step.output) for one in (tape, reference))
        leaf = x.detach().requires_grad_()
        slope = torch.autograd.grad(step.function(leaf, *step.args[1:], **step.kwargs).sum(), leaf)[0]
        factor = torch.where((x - x0).abs() > NEAR, (y - y0) / (x - x0), slope)
        return _Times.apply(values[through], y, factor)

    return change


def _pool(reference: Tape) -> Change:
    def change(step: Step, values: dict[Value, Any], tape: Tape) -> Any:
        assert step.outputs[1]
        through, places = step.inputs[0], step.outputs[1]
        (x, y), (x0, y0) = (_pair(one, through, step.output) for one in (tape, reference))
        place = torch.where(y >= y0, tape.clean[places.index], reference.clean[places.index]).flatten(2)
        chosen = values[through].flatten(2).gather(2, place).view_as(y)
        apart = (x - x0).flatten(2).gather(2, place).view_as(y)
        factor = torch.where(apart.abs() > NEAR, (y - y0) / apart, 1)
        return _Times.apply(chosen, y, factor), tape.clean[places.index]

    return change


def _pair(tape: Tape, before: Value, after: Value) -> tuple[Tensor, Tensor]:
    return tape.clean[before.index].detach(), tape.clean[after.index].detach()


class _Times(torch.autograd.Function):
    """A value as if it were made of x; the signal back is multiplied by a factor."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, value: Tensor, factor: Tensor) -> Tensor:
        ctx.save_for_backward(factor)
        return value.clone()

    @staticmethod
    def backward(ctx: Any, *signals: Tensor) -> tuple[Tensor | None, ...]:
        return signals[0] * ctx.saved_tensors[0], None, None
