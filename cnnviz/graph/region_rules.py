"""Rules for operators: the region that changes in the output with a region of the input, and its computation."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Protocol

import torch
from torch import Tensor

from cnnviz.graph.region import Ints, Region, SlidingWindow
from cnnviz.graph.tape import Result, Step, Value, replace

# A map is computed completely if more than this share of it changes.
LARGEST_SHARE = 0.75
RESHAPING = {"view", "_unsafe_view", "reshape"}
ELEMENTWISE = {
    "relu", "hardtanh", "clamp", "clamp_min", "clamp_max", "threshold", "sigmoid", "hardsigmoid", "silu", "hardswish",
    "mish", "leaky_relu", "elu", "celu", "selu", "gelu", "tanh", "softplus", "add", "sub", "rsub", "mul", "div", "neg",
    "abs", "pow", "sqrt", "rsqrt", "exp", "log", "square", "reciprocal", "maximum", "minimum", "clone", "_to_copy",
}  # fmt: skip
BATCHED = {
    "convolution", "addmm", "mean", "native_layer_norm", "permute", "transpose", "slice", "max_pool2d_with_indices",
    "avg_pool2d", "_adaptive_avg_pool2d", "adaptive_max_pool2d", "constant_pad_nd", "upsample_bilinear2d",
    "upsample_nearest2d",
}  # fmt: skip
IN_PLACE = {
    "native_batch_norm", "relu", "hardtanh", "clamp", "clamp_min", "sigmoid", "silu", "hardswish", "leaky_relu",
    "add", "mul",
}  # fmt: skip

Margin = tuple[int, int, int, int]  # left, right, top, bottom


@dataclass(frozen=True)
class Patch:
    """The changed part of a value: ``data`` (positions, ..., h, w) at the positions of ``region``."""

    value: Value
    region: Region
    data: Tensor


class Maps(Protocol):
    """Access to the clean tensors."""

    def cut(self, patch: Patch, starts: Ints, size: tuple[int, int], margin: Margin = ..., fill: float = ...) -> Tensor:
        """Return the map with its patch, (positions, ..., *size) from ``starts`` on, padded by ``margin``."""

    def fit(self, patch: Patch, region: Region) -> Tensor:
        """Return the map with its patch, at the positions of a region."""

    def clean(self, value: Value) -> Tensor:
        """Return the clean tensor of a value, (1, ...)."""


class RegionRule:
    """Rule for operators that mix all positions and for unknown ones: they run on complete maps."""

    fresh = False  # whether the result is a new tensor that nothing else reads

    def region(self, step: Step, regions: Sequence[Region], shape: tuple[int, int]) -> Region:
        """Return the region of the output that changes with regions of the inputs."""
        return Region.all(shape, regions[0].first.shape[1])

    def run(self, step: Step, patches: Sequence[Patch], region: Region, maps: Maps) -> Result:
        """Return the result at the positions of ``region``, one by one if the operator may mix the batch."""
        count = region.first.shape[1]
        tensors = {p.value: maps.fit(p, Region.all(p.region.shape, count)) for p in patches}
        clean = [maps.clean(v).shape for v in (*tensors, step.output)]
        if all(shape[:1] == (1,) for shape in clean):
            if step.name in RESHAPING:
                return tensors[patches[0].value].reshape(count, *clean[-1][1:])
            elementwise = step.name in ELEMENTWISE and len({len(shape) for shape in clean}) == 1
            if elementwise or step.name in BATCHED:
                return step.function(*replace(step.args, tensors), **replace(step.kwargs, tensors))
        tensors = {v: t.reshape(count, *maps.clean(v).shape) for v, t in tensors.items()}
        # Some kernels of torch (group normalisation up to 2.10) need contiguous memory.
        results = [self._run_one(step, {v: t[i].contiguous() for v, t in tensors.items()}) for i in range(count)]
        return tuple(
            None if t[0] is None else torch.stack(t).reshape(-1, *t[0].shape[1:]) for t in zip(*results, strict=True)
        )

    def _run_one(self, step: Step, tensors: dict[Value, Tensor]) -> list[Tensor | None]:
        args, kwargs = replace(step.args, tensors), replace(step.kwargs, tensors)
        out = args[0].reshape(args[1]) if step.name in RESHAPING else step.function(*args, **kwargs)
        return list(out) if isinstance(out, (tuple, list)) else [out]


class Elementwise(RegionRule):
    """An elementwise operator on one map, or on several of one size."""

    def __init__(self, in_place: Callable[..., Result] | None = None, fresh: bool = True) -> None:
        self.in_place, self.fresh = in_place, fresh

    def region(self, step: Step, regions: Sequence[Region], shape: tuple[int, int]) -> Region:
        """Return the bounding rectangle of all regions; the complete map if one of them is, such as a gate."""
        if any(region.whole or region.shape != shape for region in regions):
            return super().region(step, regions, shape)
        return reduce(Region.join, regions)

    def run(self, step: Step, patches: Sequence[Patch], region: Region, maps: Maps) -> Result:
        """Compute at the positions of ``region``."""
        count = region.first.shape[1]
        tensors = {
            p.value: maps.fit(p, region if p.region.shape == region.shape else Region.all(p.region.shape, count))
            for p in patches
        }
        args, kwargs = replace(step.args, tensors), replace(step.kwargs, tensors)
        return (self.in_place or step.function)(*args, **kwargs)


class BatchNormRule(Elementwise):
    """Batch normalisation with running statistics: a factor and a term for each channel."""

    def __init__(
        self, weight: Tensor | None, bias: Tensor | None, mean: Tensor, variance: Tensor, epsilon: float
    ) -> None:
        super().__init__()
        factor = (variance.double() + epsilon).rsqrt() * (1 if weight is None else weight.double())
        term = (0 if bias is None else bias.double()) - mean.double() * factor
        self.factor, self.term = (t.to(mean.dtype).view(1, -1, 1, 1) for t in (factor, term))

    def run(self, step: Step, patches: Sequence[Patch], region: Region, maps: Maps) -> Result:
        """Compute at the positions of ``region``."""
        data = patches[0].data
        return torch.addcmul(self.term, data, self.factor, out=data if self.in_place else None)


class ChannelView(RegionRule):
    """A view that keeps rows and columns: channels split, shuffled, sliced."""

    def region(self, step: Step, regions: Sequence[Region], shape: tuple[int, int]) -> Region:
        """Return the region of the input."""
        return regions[0]

    def run(self, step: Step, patches: Sequence[Patch], region: Region, maps: Maps) -> Result:
        """Take the same view of the patch."""
        data = patches[0].data
        if step.name in RESHAPING:
            middle = maps.clean(step.output).shape[1:-2]
            return data.reshape(len(data), *middle, *data.shape[-2:])
        if step.name == "as_strided":  # the same shape, only other strides
            return data
        return step.function(*replace(step.args, {patches[0].value: data}), **step.kwargs)


class WindowRule(RegionRule):
    """A convolution or a pool: each output depends on a window."""

    fresh = True

    def __init__(
        self, sliding: SlidingWindow, shape: tuple[int, int], compute: Callable[..., Tensor], fill: float
    ) -> None:
        self.sliding, self.shape, self.compute, self.fill = sliding, shape, compute, fill

    def region(self, step: Step, regions: Sequence[Region], shape: tuple[int, int]) -> Region:
        """Return the outputs that change; the complete map if they are most of it."""
        if regions[0].whole:
            return super().region(step, regions, shape)
        under = self.sliding.under(regions[0], shape)
        return under if under.share <= LARGEST_SHARE else super().region(step, regions, shape)

    def run(self, step: Step, patches: Sequence[Patch], region: Region, maps: Maps) -> Result:
        """Compute the outputs of ``region`` from their windows."""
        if region.whole:
            return super().run(step, patches, region, maps)
        patch = patches[0]
        starts, size = self.sliding.needs(region)
        margin = self.sliding.margin(patch.region.shape, self.shape)
        return self.compute(maps.cut(patch, starts, size, margin, self.fill), region)


class GlobalMean(RegionRule):
    """The mean over a complete map, updated by the change."""

    fresh = True

    def run(self, step: Step, patches: Sequence[Patch], region: Region, maps: Maps) -> Result:
        """Add the mean of the change to the clean mean."""
        patch = patches[0]
        if patch.region.whole:
            return super().run(step, patches, region, maps)
        before = maps.cut(Patch(patch.value, patch.region, patch.data[..., :0, :0]), patch.region.starts,
                          patch.region.size)  # fmt: skip
        keep, places = step.args[2:3] == (True,), patch.region.shape[0] * patch.region.shape[1]
        change = (patch.data - before).sum((-2, -1), keepdim=keep) / places
        return maps.clean(patch.value).mean((-2, -1), keepdim=keep) + change
