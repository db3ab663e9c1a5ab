"""Table of the rules for torch's operators."""

from collections.abc import Callable, Sequence
from functools import reduce

import torch
from torch import Tensor

from cnnviz.graph import region_rules as rules
from cnnviz.graph.region import Region, SlidingWindow, pair, sliding_window
from cnnviz.graph.tape import Step, UntraceableError, Value

aten = torch.ops.aten
BY_CHANNEL = {"_native_batch_norm_legit_no_training", "prelu", "_prelu_kernel"}


def region_rule(step: Step, clean: Sequence[Tensor]) -> rules.RegionRule:
    """Return the rule for an operator. Raises UntraceableError if even complete maps would give wrong results."""
    source, out = clean[step.inputs[0].index], clean[step.output.index]
    if any(t.shape[:1] != (1,) for t in (out, *(clean[v.index] for v in step.inputs))):
        return rules.RegionRule()
    if source.dim() == 4 and step.name in _MAKERS:
        window = sliding_window(step.name, step.args, source, out)
        rule = _MAKERS[step.name](step, window, source, out) if window else None
        if rule:
            return rule
    if step.name == "mean" and source.dim() == 4 and not step.kwargs and {d % 4 for d in step.args[1] or ()} == {2, 3}:
        return rules.GlobalMean()
    if step.name == "native_batch_norm" and source.dim() == 4 and step.args[5] is False:
        _, weight, bias, mean, variance, _, _, epsilon = step.args
        return rules.BatchNormRule(weight, bias, mean, variance, epsilon)
    if (step.name in rules.ELEMENTWISE and _constants_fit(step)) or step.name in BY_CHANNEL:
        return rules.Elementwise(fresh=step.name not in ("clone", "_to_copy"))
    channels = step.name == "cat" and source.dim() == 4 and step.args[1:] in ((1,), (-3,))
    if channels and len(step.inputs) == len(step.args[0]):
        return rules.Elementwise()
    if source.dim() > 2 and _keeps_positions(step, source, out):
        return rules.ChannelView()
    if step.name == "as_strided":
        raise UntraceableError("as_strided accesses a tensor's memory")
    return rules.RegionRule()


def _constants_fit(step: Step) -> bool:
    """Return whether all constant tensors are one value for a complete map."""
    constants = [a for a in (*step.args, *step.kwargs.values()) if isinstance(a, Tensor)]
    return all(t.numel() == 1 or (t.dim() > 2 and t.shape[-2:] == (1, 1)) for t in constants)


def _keeps_positions(step: Step, source: Tensor, out: Tensor) -> bool:
    """Return whether a view keeps the batch, the rows and the columns."""
    same = out.dim() > 2 and out.shape[0] == source.shape[0] and out.shape[-2:] == source.shape[-2:]
    if step.name in ("detach", "alias", *rules.RESHAPING):
        return same
    if step.name == "as_strided":
        return out.shape == source.shape and not any(step.args[3:4])
    if step.name == "transpose":
        return same and all(0 < dim % source.dim() < source.dim() - 2 for dim in step.args[1:3])
    if step.name in ("slice", "split", "split_with_sizes", "chunk", "unsqueeze", "squeeze", "select"):
        position = 1 if step.name in ("slice", "unsqueeze", "squeeze", "select") else 2
        dim = step.args[position] if len(step.args) > position else 0
        return same and isinstance(dim, int) and 0 < dim % max(source.dim(), out.dim()) < source.dim() - 1
    if step.name == "constant_pad_nd":
        return not any(step.args[1][:4]) and len(step.args[1]) <= 2 * (source.dim() - 1)
    if step.name == "avg_pool3d":
        ones = [list(value)[-2:] for value in step.args[1:3] if value]
        return same and all(value == [1, 1] for value in ones) and not any((step.args[3:4] or [[0]])[0])
    return False


def _convolution(step: Step, window: SlidingWindow, source: Tensor, out: Tensor) -> rules.RegionRule | None:
    _, weight, bias, stride, _, dilation, transposed, _, groups = step.args
    if transposed or not isinstance(weight, Tensor) or isinstance(bias, Value):
        return None

    def compute(x: Tensor, _: Region) -> Tensor:
        out: Tensor = aten.convolution(x, weight, bias, stride, [0, 0], dilation, False, [0, 0], groups)
        return out

    return rules.WindowRule(window, pair(out.shape[-2:]), compute)


def _max_pool(step: Step, window: SlidingWindow, source: Tensor, out: Tensor) -> rules.RegionRule:
    kernel, dilation = window.kernel, window.dilation

    def compute(x: Tensor, _: Region) -> Tensor:
        if window.stride == (1, 1) and min(kernel) > 1:  # rows, then columns: half the work of torch's kernel
            return _largest(_largest(x, -1, kernel[1], dilation[1]), -2, kernel[0], dilation[0])
        return torch.max_pool2d(x, kernel, window.stride, 0, dilation)

    return rules.WindowRule(window, pair(out.shape[-2:]), compute, -torch.inf)


def _largest(x: Tensor, dim: int, kernel: int, dilation: int) -> Tensor:
    """Return the maximum of ``kernel`` neighbours along a dimension."""
    length = x.shape[dim] - (kernel - 1) * dilation
    views = [x.narrow(dim, i * dilation, length) for i in range(kernel)]
    return reduce(lambda most, view: torch.maximum(most, view, out=most), views[2:], torch.maximum(*views[:2]))


def _mean_pool(step: Step, window: SlidingWindow, source: Tensor, out: Tensor) -> rules.RegionRule | None:
    """Sum over windows, divided by the divisor of each position by the operator's own border rule."""
    shape, ones = pair(out.shape[-2:]), source.new_ones(1, 1, *source.shape[-2:])
    if step.name == "_adaptive_avg_pool2d" and 1 in shape:
        return None

    def total(x: Tensor) -> Tensor:
        return torch.nn.functional.avg_pool2d(x, window.kernel, window.stride, divisor_override=1)

    padded = torch.nn.functional.pad(ones, window.margin(source.shape[-2:], shape))
    mean = step.function(ones, *step.args[1:], **step.kwargs)
    factors = mean / total(padded)[..., : shape[0], : shape[1]]
    low, high = float(factors.min()), float(factors.max())

    def compute(x: Tensor, region: Region) -> Tensor:
        if low == high:
            return total(x).mul_(low)
        rows, columns = (
            torch.as_tensor(start)[:, None] + torch.arange(size)
            for start, size in zip(region.starts, region.size, strict=True)
        )
        local: Tensor = factors[0, 0][rows[:, :, None], columns[:, None, :]]
        return total(x) * local[:, None]

    return rules.WindowRule(window, shape, compute)


def _pad(step: Step, window: SlidingWindow, source: Tensor, out: Tensor) -> rules.RegionRule | None:
    if min(step.args[1]) < 0 or any(step.args[1][4:]) or not any(step.args[1]):
        return None

    def compute(x: Tensor, _: Region) -> Tensor:
        return x

    fill = float(step.args[2]) if len(step.args) > 2 else 0.0
    # not fresh: without a margin the result is the patch itself
    return rules.WindowRule(window, pair(out.shape[-2:]), compute, fill, fresh=False)


_MAKERS: dict[str, Callable[[Step, SlidingWindow, Tensor, Tensor], rules.RegionRule | None]] = {
    "convolution": _convolution,
    "max_pool2d_with_indices": _max_pool,
    "max_pool2d": _max_pool,
    "avg_pool2d": _mean_pool,
    "_adaptive_avg_pool2d": _mean_pool,
    "constant_pad_nd": _pad,
}
