"""How each operator carries a changed rectangle on: what it changes, and how to compute that part alone."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any, Protocol

import torch
from torch import Tensor

from cnnviz.graph.region import Region, Sliding
from cnnviz.graph.tape import Step, UntraceableError, Value, replace

aten = torch.ops.aten


@dataclass(frozen=True)
class Patch:
    """A value where it differs from the clean one: ``data`` (positions, ..., h, w) at the places of ``region``."""

    value: Value
    region: Region
    data: Tensor


class Maps(Protocol):
    """The clean tensors, which rules look up."""

    def cut(self, patch: Patch, starts: Any, size: tuple[int, int], margin: Any = ..., fill: float = ...) -> Tensor:
        """Return the map with its patch in it, (positions, ..., *size) from ``starts`` on, padded by ``margin``."""

    def fit(self, patch: Patch, region: Region) -> Tensor:
        """Return the map with its patch in it at the places of a region."""

    def clean(self, value: Value) -> Tensor:
        """Return the clean tensor of a value, (1, ...)."""


class Rule:
    """An operator that mixes everything, or that nothing is known of: it is run on whole maps."""

    fresh = False  # whether it gives a tensor that nothing else looks at

    def region(self, step: Step, regions: Sequence[Region], shape: tuple[int, int]) -> Region:
        """Return which part of the operator's result changes, given what changes in its inputs."""
        return Region.all(shape, regions[0].first.shape[1])

    def run(self, step: Step, patches: Sequence[Patch], region: Region, maps: Maps) -> Any:
        """Return the result at the places of ``region``, position by position where a batch may differ."""
        count = region.first.shape[1]
        tensors = {p.value: maps.fit(p, Region.all(p.region.shape, count)) for p in patches}
        clean = [maps.clean(v).shape for v in (*tensors, next(v for v in step.outputs if v))]
        if all(shape[:1] == (1,) for shape in clean):
            if step.name in RESHAPING:
                return tensors[patches[0].value].reshape(count, *clean[-1][1:])
            aligned = step.name in PLACE_BY_PLACE and len({len(shape) for shape in clean}) == 1
            if aligned or step.name in BATCHED:
                return step.function(*replace(step.args, tensors), **replace(step.kwargs, tensors))
        tensors = {v: t.reshape(count, *maps.clean(v).shape) for v, t in tensors.items()}
        found = [self._one(step, {v: t[i] for v, t in tensors.items()}) for i in range(count)]
        return tuple(
            None if t[0] is None else torch.stack(t).reshape(-1, *t[0].shape[1:]) for t in zip(*found, strict=True)
        )

    def _one(self, step: Step, tensors: dict[Value, Tensor]) -> list[Any]:
        args, kwargs = replace(step.args, tensors), replace(step.kwargs, tensors)
        out = args[0].reshape(args[1]) if step.name in RESHAPING else step.function(*args, **kwargs)
        return list(out) if isinstance(out, (tuple, list)) else [out]


def _for_batch(step: Step, count: int, size: tuple[int, ...]) -> tuple[Any, ...]:
    """Return an operator's arguments with the shapes in them meant for a batch, and for maps of ``size``."""
    if step.name not in RESHAPING or list(step.args[1][:1]) != [1]:
        return step.args
    shape = list(step.args[1])
    return (step.args[0], [count, *shape[1 : len(shape) - len(size)], *size], *step.args[2:])


class Aligned(Rule):
    """An operator that works place by place, on one map or on several of one size."""

    def __init__(self, in_place: Any = None, fresh: bool = True) -> None:
        self.in_place, self.fresh = in_place, fresh

    def region(self, step: Step, regions: Sequence[Region], shape: tuple[int, int]) -> Region:
        """Return the rectangle around all; the whole map where one of them is whole, such as a gate."""
        if any(region.whole or region.shape != shape for region in regions):
            return super().region(step, regions, shape)
        return reduce(Region.join, regions)

    def run(self, step: Step, patches: Sequence[Patch], region: Region, maps: Maps) -> Any:
        """Compute at the places of ``region``."""
        count = region.first.shape[1]
        tensors = {
            p.value: maps.fit(p, region if p.region.shape == region.shape else Region.all(p.region.shape, count))
            for p in patches
        }
        args, kwargs = replace(step.args, tensors), replace(step.kwargs, tensors)
        return (self.in_place or step.function)(*args, **kwargs)


class Scaled(Aligned):
    """Batch normalisation by what was learned: a factor and a term for each channel."""

    def __init__(
        self, weight: Tensor | None, bias: Tensor | None, mean: Tensor, variance: Tensor, epsilon: float
    ) -> None:
        super().__init__()
        factor = (variance.double() + epsilon).rsqrt() * (1 if weight is None else weight.double())
        term = (0 if bias is None else bias.double()) - mean.double() * factor
        self.factor, self.term = (t.to(mean.dtype).view(1, -1, 1, 1) for t in (factor, term))

    def run(self, step: Step, patches: Sequence[Patch], region: Region, maps: Maps) -> Any:
        """Compute at the places of ``region``."""
        data = patches[0].data
        return torch.addcmul(self.term, data, self.factor, out=data if self.in_place else None)


class Regrouped(Rule):
    """A view that leaves rows and columns as they are: channels split, shuffled, sliced."""

    def region(self, step: Step, regions: Sequence[Region], shape: tuple[int, int]) -> Region:
        """Return what changed before."""
        return regions[0]

    def run(self, step: Step, patches: Sequence[Patch], region: Region, maps: Maps) -> Any:
        """Take the same view of the patch."""
        data = patches[0].data
        args = _for_batch(step, len(data), tuple(data.shape[-2:]))
        if step.name in RESHAPING:
            return data.reshape(args[1])
        if step.name == "as_strided":  # the same shape, only other strides
            return data
        return step.function(*replace(args, {patches[0].value: data}), **step.kwargs)


class Windowed(Rule):
    """A convolution or a pool: each output sees a window."""

    fresh = True

    def __init__(self, sliding: Sliding, shape: tuple[int, int], compute: Callable[..., Tensor], fill: float) -> None:
        self.sliding, self.shape, self.compute, self.fill = sliding, shape, compute, fill

    def region(self, step: Step, regions: Sequence[Region], shape: tuple[int, int]) -> Region:
        """Return the outputs that see a change; the whole map once they are most of it."""
        if regions[0].whole:
            return super().region(step, regions, shape)
        under = self.sliding.under(regions[0], shape)
        return under if under.share <= MOST else super().region(step, regions, shape)

    def run(self, step: Step, patches: Sequence[Patch], region: Region, maps: Maps) -> Any:
        """Compute the outputs of ``region`` from what they see."""
        if region.whole:
            return super().run(step, patches, region, maps)
        patch = patches[0]
        starts, size = self.sliding.needs(region)
        margin = self.sliding.margin(patch.region.shape, self.shape)
        return self.compute(maps.cut(patch, starts, size, margin, self.fill), region)


class Averaged(Rule):
    """The mean over a whole map: brought up to date by what changed."""

    fresh = True

    def run(self, step: Step, patches: Sequence[Patch], region: Region, maps: Maps) -> Any:
        """Add the mean of the change to the clean mean."""
        patch = patches[0]
        if patch.region.whole:
            return super().run(step, patches, region, maps)
        before = maps.cut(Patch(patch.value, patch.region, patch.data[..., :0, :0]), patch.region.starts,
                          patch.region.size)  # fmt: skip
        keep, places = step.args[2:3] == (True,), patch.region.shape[0] * patch.region.shape[1]
        change = (patch.data - before).sum((-2, -1), keepdim=keep) / places
        return maps.clean(patch.value).mean((-2, -1), keepdim=keep) + change


# From this part of a map on it is computed whole: no gathering of halos, no update of the rest.
MOST = 0.75
RESHAPING = {"view", "_unsafe_view", "reshape"}
PLACE_BY_PLACE = {
    "relu", "hardtanh", "clamp", "clamp_min", "clamp_max", "threshold", "sigmoid", "hardsigmoid", "silu", "hardswish",
    "mish", "leaky_relu", "elu", "celu", "selu", "gelu", "tanh", "softplus", "add", "sub", "rsub", "mul", "div", "neg",
    "abs", "pow", "sqrt", "rsqrt", "exp", "log", "square", "reciprocal", "maximum", "minimum", "clone", "_to_copy",
}  # fmt: skip
BATCHED = {
    "convolution", "addmm", "mean", "native_layer_norm", "permute", "transpose", "slice", "max_pool2d_with_indices",
    "avg_pool2d", "_adaptive_avg_pool2d", "adaptive_max_pool2d", "constant_pad_nd", "upsample_bilinear2d",
    "upsample_nearest2d",
}  # fmt: skip
BY_CHANNEL = {"_native_batch_norm_legit_no_training", "prelu", "_prelu_kernel"}
IN_PLACE = {
    "native_batch_norm", "relu", "hardtanh", "clamp", "clamp_min", "sigmoid", "silu", "hardswish", "leaky_relu",
    "add", "mul",
}  # fmt: skip


def rule(step: Step, clean: Sequence[Tensor]) -> Rule:
    """Return how an operator carries a change on. Raises UntraceableError where even whole maps would be wrong."""
    source, out = clean[step.inputs[0].index], next(clean[v.index] for v in step.outputs if v)
    if any(t.shape[:1] != (1,) for t in (out, *(clean[v.index] for v in step.inputs))):
        return Rule()
    maker = _MAKERS.get(step.name)
    if maker and source.dim() == 4:
        made: Rule | None = maker(step, source, out)
        if made:
            return made
    if step.name == "native_batch_norm" and source.dim() == 4 and step.args[5] is False:
        _, weight, bias, mean, variance, _, _, epsilon = step.args
        return Scaled(weight, bias, mean, variance, epsilon)
    if (step.name in PLACE_BY_PLACE and _constants_fit(step)) or step.name in BY_CHANNEL:
        return Aligned(fresh=step.name not in ("clone", "_to_copy"))
    channels = step.name == "cat" and source.dim() == 4 and step.args[1:] in ((1,), (-3,))
    if channels and len(step.inputs) == len(step.args[0]):
        return Aligned()
    if source.dim() > 2 and _transparent(step, source, out):
        return Regrouped()
    if step.name == "as_strided":
        raise UntraceableError("as_strided takes a tensor's memory apart")
    return Rule()


def _constants_fit(step: Step) -> bool:
    """Return whether all tensors beside the changed ones are one value for a whole map."""
    constants = [a for a in (*step.args, *step.kwargs.values()) if isinstance(a, Tensor)]
    return all(t.numel() == 1 or (t.dim() > 2 and t.shape[-2:] == (1, 1)) for t in constants)


def _transparent(step: Step, source: Tensor, out: Tensor) -> bool:
    """Return whether a view leaves the batch, the rows and the columns alone."""
    same = out.dim() > 2 and out.shape[0] == source.shape[0] and out.shape[-2:] == source.shape[-2:]
    if step.name in ("detach", "alias", *RESHAPING):
        return same
    if step.name == "as_strided":
        return out.shape == source.shape and _is_copy_of(step)
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


def _is_copy_of(step: Step) -> bool:
    return len(step.args) < 4 or not step.args[3]


def _pair(values: Any, default: int = 0) -> tuple[int, int]:
    values = [values] if isinstance(values, int) else list(values or [default])
    return values[0], values[-1]


def _convolution(step: Step, source: Tensor, out: Tensor) -> Rule | None:
    _, weight, bias, stride, padding, dilation, transposed, _, groups = step.args
    if transposed or not isinstance(weight, Tensor) or isinstance(bias, Value):
        return None
    sliding = Sliding((weight.shape[-2], weight.shape[-1]), _pair(stride), _pair(padding), _pair(dilation))

    def compute(seen: Tensor, _: Region) -> Any:
        return aten.convolution(seen, weight, bias, stride, [0, 0], dilation, False, [0, 0], groups)

    return Windowed(sliding, (out.shape[-2], out.shape[-1]), compute, 0.0)


def _arguments(step: Step, *defaults: Any) -> list[Any]:
    return [*step.args[1:], *defaults[len(step.args) - 1 :]]


def _max_pool(step: Step, source: Tensor, out: Tensor) -> Rule | None:
    kernel, stride, padding, dilation, _ = _arguments(step, None, [], 0, 1, False)
    kernel, stride, dilation = _pair(kernel), _pair(stride or kernel), _pair(dilation)
    sliding = Sliding(kernel, stride, _pair(padding), dilation)

    def compute(seen: Tensor, _: Region) -> Tensor:
        if (
            stride == (1, 1) and min(kernel) > 1
        ):  # torch looks at all places of a window; by rows, then columns, is half the work
            return _largest(_largest(seen, -1, kernel[1], dilation[1]), -2, kernel[0], dilation[0])
        return torch.max_pool2d(seen, kernel, stride, 0, dilation)

    return Windowed(sliding, (out.shape[-2], out.shape[-1]), compute, -torch.inf)


def _largest(seen: Tensor, dim: int, kernel: int, dilation: int) -> Tensor:
    """Return the largest of each ``kernel`` neighbours along a dimension."""
    length = seen.shape[dim] - (kernel - 1) * dilation
    views = [seen.narrow(dim, i * dilation, length) for i in range(kernel)]
    return reduce(lambda most, view: torch.maximum(most, view, out=most), views[2:], torch.maximum(*views[:2]))


def _avg_pool(step: Step, source: Tensor, out: Tensor) -> Rule | None:
    kernel, stride, padding = _arguments(step, None, [], 0)[:3]
    sliding = Sliding(_pair(kernel), _pair(stride or kernel), _pair(padding), (1, 1))
    return _mean_pool(step, sliding, source, out)


def _adaptive(step: Step, source: Tensor, out: Tensor) -> Rule | None:
    sizes = list(zip(source.shape[-2:], out.shape[-2:], strict=True))
    if any(i % o or o == 1 for i, o in sizes):
        return None
    kernel = _pair([i // o for i, o in sizes])
    return _mean_pool(step, Sliding(kernel, kernel, (0, 0), (1, 1)), source, out)


def _mean_pool(step: Step, sliding: Sliding, source: Tensor, out: Tensor) -> Rule:
    """Sum over windows, times one over the divisor that the operator's own rule for borders gives at each place."""
    shape, ones = (out.shape[-2], out.shape[-1]), source.new_ones(1, 1, *source.shape[-2:])
    padded = torch.nn.functional.pad(ones, sliding.margin(source.shape[-2:], shape))

    def total(seen: Tensor) -> Tensor:
        return torch.nn.functional.avg_pool2d(seen, sliding.kernel, sliding.stride, divisor_override=1)

    mean = step.function(ones, *step.args[1:], **step.kwargs)
    factors = mean / total(padded)[..., : shape[0], : shape[1]]
    low, high = float(factors.min()), float(factors.max())

    def compute(seen: Tensor, region: Region) -> Tensor:
        if low == high:
            return total(seen).mul_(low)
        rows, columns = (
            torch.as_tensor(start)[:, None] + torch.arange(size)
            for start, size in zip(region.starts, region.size, strict=True)
        )
        here: Tensor = factors[0, 0][rows[:, :, None], columns[:, None, :]]
        return total(seen) * here[:, None]

    return Windowed(sliding, shape, compute, 0.0)


def _pad(step: Step, source: Tensor, out: Tensor) -> Rule | None:
    left, _, top, _ = (*step.args[1], 0, 0, 0, 0)[:4]
    if min(step.args[1]) < 0 or any(step.args[1][4:]) or not any(step.args[1]):
        return None

    def compute(seen: Tensor, _: Region) -> Tensor:
        return seen

    fill = float(step.args[2]) if len(step.args) > 2 else 0.0
    made = Windowed(Sliding((1, 1), (1, 1), (top, left), (1, 1)), (out.shape[-2], out.shape[-1]), compute, fill)
    made.fresh = False  # a part without margin is the patch itself
    return made


def _mean(step: Step, source: Tensor, out: Tensor) -> Rule | None:
    dims = {dim % 4 for dim in step.args[1] or ()}
    return Averaged() if dims == {2, 3} and not step.kwargs else None


_MAKERS: dict[str, Callable[[Step, Tensor, Tensor], Rule | None]] = {
    "convolution": _convolution,
    "max_pool2d_with_indices": _max_pool,
    "max_pool2d": _max_pool,
    "avg_pool2d": _avg_pool,
    "_adaptive_avg_pool2d": _adaptive,
    "constant_pad_nd": _pad,
    "mean": _mean,
}
