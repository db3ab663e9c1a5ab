"""Rules: what a changed rectangle changes behind an operator, and how to compute that part alone."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any, Protocol

import torch
from torch import Tensor

from cnnviz.graph.region import Region, SlidingWindow
from cnnviz.graph.tape import Step, Value, replace

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
IN_PLACE = {
    "native_batch_norm", "relu", "hardtanh", "clamp", "clamp_min", "sigmoid", "silu", "hardswish", "leaky_relu",
    "add", "mul",
}  # fmt: skip


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


class RegionRule:
    """An operator that mixes everything, or that nothing is known of: it is run on whole maps."""

    fresh = False  # whether it gives a tensor that nothing else looks at

    def region(self, step: Step, regions: Sequence[Region], shape: tuple[int, int]) -> Region:
        """Return which part of the operator's result changes, given what changes in its inputs."""
        return Region.all(shape, regions[0].first.shape[1])

    def run(self, step: Step, patches: Sequence[Patch], region: Region, maps: Maps) -> Any:
        """Return the result at the places of ``region``, position by position where a batch may differ."""
        count = region.first.shape[1]
        tensors = {p.value: maps.fit(p, Region.all(p.region.shape, count)) for p in patches}
        clean = [maps.clean(v).shape for v in (*tensors, step.output)]
        if all(shape[:1] == (1,) for shape in clean):
            if step.name in RESHAPING:
                return tensors[patches[0].value].reshape(count, *clean[-1][1:])
            aligned = step.name in PLACE_BY_PLACE and len({len(shape) for shape in clean}) == 1
            if aligned or step.name in BATCHED:
                return step.function(*replace(step.args, tensors), **replace(step.kwargs, tensors))
        tensors = {v: t.reshape(count, *maps.clean(v).shape) for v, t in tensors.items()}
        # Some of torch's kernels, group normalisation up to 2.10, read only memory without gaps.
        found = [self._one(step, {v: t[i].contiguous() for v, t in tensors.items()}) for i in range(count)]
        return tuple(
            None if t[0] is None else torch.stack(t).reshape(-1, *t[0].shape[1:]) for t in zip(*found, strict=True)
        )

    def _one(self, step: Step, tensors: dict[Value, Tensor]) -> list[Any]:
        args, kwargs = replace(step.args, tensors), replace(step.kwargs, tensors)
        out = args[0].reshape(args[1]) if step.name in RESHAPING else step.function(*args, **kwargs)
        return list(out) if isinstance(out, (tuple, list)) else [out]


class Elementwise(RegionRule):
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


class BatchNormRule(Elementwise):
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


class ChannelView(RegionRule):
    """A view that leaves rows and columns as they are: channels split, shuffled, sliced."""

    def region(self, step: Step, regions: Sequence[Region], shape: tuple[int, int]) -> Region:
        """Return what changed before."""
        return regions[0]

    def run(self, step: Step, patches: Sequence[Patch], region: Region, maps: Maps) -> Any:
        """Take the same view of the patch."""
        data = patches[0].data
        if step.name in RESHAPING:
            middle = maps.clean(step.output).shape[1:-2]
            return data.reshape(len(data), *middle, *data.shape[-2:])
        if step.name == "as_strided":  # the same shape, only other strides
            return data
        return step.function(*replace(step.args, {patches[0].value: data}), **step.kwargs)


class WindowRule(RegionRule):
    """A convolution or a pool: each output sees a window."""

    fresh = True

    def __init__(
        self, sliding: SlidingWindow, shape: tuple[int, int], compute: Callable[..., Tensor], fill: float
    ) -> None:
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


class GlobalMean(RegionRule):
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
