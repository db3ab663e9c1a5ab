"""Rules for operators: the region that changes in the output with a region of the input, and its computation."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import reduce

import torch
from torch import Tensor

from cnnviz.graph.region import Maps, Patch, Region, SlidingWindow
from cnnviz.graph.tape import Result, Step

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
                return step.run(tensors)
        tensors = {v: t.reshape(count, *maps.clean(v).shape) for v, t in tensors.items()}
        # Some kernels of torch (group normalisation up to 2.10) need contiguous memory.
        function = torch.reshape if step.name in RESHAPING else None
        results = [step.run({v: t[i].contiguous() for v, t in tensors.items()}, function) for i in range(count)]
        parts = zip(*(out if isinstance(out, (tuple, list)) else [out] for out in results), strict=True)
        return tuple(None if t[0] is None else torch.stack(t).reshape(-1, *t[0].shape[1:]) for t in parts)


@dataclass
class Elementwise(RegionRule):
    """An elementwise operator, done by ``in_place`` if its input may be overwritten, on maps of one size."""

    in_place: Callable[..., Result] | None = None
    fresh: bool = True

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
        return step.run(tensors, self.in_place)


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
        return step.run({patches[0].value: data})


@dataclass
class WindowRule(RegionRule):
    """A convolution or a pool: each output, on a map of ``shape``, depends on a window; ``fill`` is the padding."""

    sliding: SlidingWindow
    shape: tuple[int, int]
    compute: Callable[[Tensor, Region], Tensor]
    fill: float = 0.0
    fresh: bool = True

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
        empty = Patch(patch.value, patch.region, patch.data[..., :0, :0])
        before = maps.cut(empty, patch.region.starts, patch.region.size)
        keep, places = step.args[2:3] == (True,), patch.region.shape[0] * patch.region.shape[1]
        change = (patch.data - before).sum((-2, -1), keepdim=keep) / places
        return maps.clean(patch.value).mean((-2, -1), keepdim=keep) + change
