"""DeepLIFT's rescale rule (Shrikumar et al. 2017, arXiv:1704.02685, section 3.5).

An elementwise operator multiplies the signal by (y - y0) / (x - x0), the difference of its outputs over that of its
inputs, for the input and a reference; where the inputs hardly differ, by its derivative. A max pool, for which the
paper has no rule, gives the difference of a window to one position: that of the higher of the two maxima. Linear
operators have their transposes. For networks of these operators only, the sum over the input of signal times input
difference is the difference of the outputs.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from cnnviz.graph.backward_rules import ACTIVATIONS, Change, Context, Values, rectifier_bounds, run_steps
from cnnviz.graph.tape import Result, Step, Tape, UntraceableError, Value

NEAR = 1e-7  # input difference below which the derivative replaces the quotient
POOLS = ("max_pool2d_with_indices", "adaptive_max_pool2d")


def deeplift_rules(tape: Tape, reference: Tape, until: Value) -> Callable[[Tensor], Tensor]:
    """Return a function that propagates a signal (N, ...) from a value back to the input, (N, 3, h, w).

    Both tapes are of one network, recorded ``whole``. Other nonlinear operators keep their derivative, so that the
    caller has to check the sum. Raises UntraceableError if the two tapes differ in their operators.
    """
    if [step.name for step in tape.steps] != [step.name for step in reference.steps]:
        raise UntraceableError("it runs other operators for the reference than for the input")
    wanted, needed, plan = {until}, [], dict[int, Change]()
    for step in reversed(tape.steps):
        if not wanted.intersection(value for value in step.outputs if value):
            continue
        needed.append(step)
        wanted.update(step.inputs)
        if step.name in POOLS:
            plan[id(step)] = _pool_rule(reference)
        elif rectifier_bounds(step) or step.name in ACTIVATIONS:
            plan[id(step)] = _elementwise_rule(reference)
    x, out = run_steps(tape, until, needed[::-1], plan)
    return lambda signal: torch.autograd.grad(out, x, signal, retain_graph=True)[0]


def _elementwise_rule(reference: Tape) -> Change:
    def change(step: Step, values: Values, tape: Tape) -> Result:
        if len(set(step.inputs)) > 1:  # such as a PReLU whose slope depends on the input
            raise UntraceableError(f"{step.module or 'the network itself'} ({step.name}) has no rescale rule")
        source = step.inputs[0]
        (x, y), (x0, y0) = (_pair(side, source, step.output) for side in (tape, reference))
        leaf = x.detach().requires_grad_()
        derivative = torch.autograd.grad(step.function(leaf, *step.args[1:], **step.kwargs).sum(), leaf)[0]
        factor = torch.where((x - x0).abs() > NEAR, (y - y0) / (x - x0), derivative)
        return _ScaledSignal.apply(values[source], y, factor)

    return change


def _pool_rule(reference: Tape) -> Change:
    def change(step: Step, values: Values, tape: Tape) -> Result:
        assert step.outputs[1]
        source, indices = step.inputs[0], step.outputs[1]
        (x, y), (x0, y0) = (_pair(side, source, step.output) for side in (tape, reference))
        index = torch.where(y >= y0, tape.clean[indices.index], reference.clean[indices.index]).flatten(2)
        chosen = values[source].flatten(2).gather(2, index).view_as(y)
        difference = (x - x0).flatten(2).gather(2, index).view_as(y)
        factor = torch.where(difference.abs() > NEAR, (y - y0) / difference, 1)
        return _ScaledSignal.apply(chosen, y, factor), tape.clean[indices.index]

    return change


def _pair(tape: Tape, before: Value, after: Value) -> tuple[Tensor, Tensor]:
    return tape.clean[before.index].detach(), tape.clean[after.index].detach()


class _ScaledSignal(torch.autograd.Function):
    """A given value as the output for x; its signal passes back to x, multiplied by a factor."""

    @staticmethod
    def forward(ctx: Context, x: Tensor, value: Tensor, factor: Tensor) -> Tensor:
        """Return the value."""
        ctx.save_for_backward(factor)
        return value.clone()

    @staticmethod
    def backward(ctx: Context, *signals: Tensor) -> tuple[Tensor | None, ...]:
        """Return the signal at x."""
        return signals[0] * ctx.saved_tensors[0], None, None
