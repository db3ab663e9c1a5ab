"""Fused operators for frozen weights on the CPU, fast in both directions: gradients in the input only.

For one image on one thread torch's 1 x 1 convolution copies much, and its backward pass of a depthwise convolution
takes two to four times the forward pass. Here the backward pass is a matrix product (1 x 1), a convolution with the
flipped filter (stride 1), or a transposed convolution. A ReLU6 or depthwise convolution that is the only reader of such
a convolution is fused with it. Measured by ``benchmarks/dream.py``. Dense 3 x 3 filters gain nothing.
"""

from collections.abc import Collection
from typing import Any, TypeAlias

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from cnnviz.graph.fold_batchnorm import single_consumers
from cnnviz.models.efficientnet_lite import SameConv2d

Context: TypeAlias = Any  # the autograd context, which takes any attribute
Pair = tuple[int, int]
ONE = (1, 1)
MAX_COLOURS = 4  # input channels of a first convolution, at most
STRIP = 1 << 18  # values of a gradient at a time, 1 MB, so that they stay in the cache


def fuse(module: nn.Module, keep: Collection[str] = ()) -> None:
    """Replace layers by faster ones, in place; those not named in ``keep`` may be computed by a later layer."""
    consumers = single_consumers(module, keep)
    only_consumers = set(consumers.values())
    for name, child in list(module.named_modules()):
        if type(child) in (nn.Conv2d, SameConv2d) and _is_faster(child):
            module.set_submodule(name, FrozenConv2d(child))
        elif type(child) is nn.ReLU6 and (child.inplace or name in only_consumers):
            module.set_submodule(name, InplaceReLU6())
    for name, consumer in consumers.items():
        conv, following = module.get_submodule(name), module.get_submodule(consumer)
        if not isinstance(conv, FrozenConv2d):
            continue
        if isinstance(following, InplaceReLU6):
            conv.clips, following.idle = True, True
            following = module.get_submodule(consumers.get(consumer, ""))
        if isinstance(following, FrozenConv2d):
            following.before, conv.idle = [conv], True


def unfuse(module: nn.Module) -> None:
    """Let each layer compute its own output again."""
    for child in module.modules():
        if isinstance(child, FrozenConv2d):
            child.clips, child.idle, child.before = False, False, []
        elif isinstance(child, InplaceReLU6):
            child.idle = False


def _is_faster(conv: nn.Conv2d) -> bool:
    if conv.padding_mode != "zeros" or isinstance(conv.padding, str):
        return False
    return _is_pointwise(conv) or _is_first(conv) or conv.groups == conv.in_channels == conv.out_channels


def _is_pointwise(conv: nn.Conv2d) -> bool:
    return conv.kernel_size == conv.stride == ONE and conv.groups == 1 and conv.padding == (0, 0)


def _is_first(conv: nn.Conv2d) -> bool:
    """Return whether a convolution has few input channels: torch's backward pass is slow for these."""
    return conv.groups == 1 and conv.in_channels <= MAX_COLOURS and conv.dilation == ONE and not _is_pointwise(conv)


class InplaceReLU6(nn.ReLU6):
    """ReLU6 in place; ``idle`` if a convolution computes it."""

    def __init__(self) -> None:
        super().__init__(inplace=True)
        self.idle = False

    def forward(self, input: Tensor) -> Tensor:
        """Clip to 0 to 6."""
        return input if self.idle else super().forward(input)


class FrozenConv2d(nn.Module):
    """A convolution without gradients in its weights: (N, C, h, w) to (N, channels, ...).

    ``clips`` if a ReLU6 is fused with it; ``idle`` if the next convolution, which has it in ``before``, computes it.
    """

    def __init__(self, conv: nn.Conv2d) -> None:
        super().__init__()
        self._conv, self.clips, self.idle = conv, False, False
        self.before: list[FrozenConv2d] = []
        self._filters: dict[Pair, _Filter] = {}

    def forward(self, x: Tensor) -> Tensor:
        """Convolve."""
        if self.idle:
            return x
        out: Tensor = _Convolve.apply(x, self._links((x.shape[-2], x.shape[-1])))
        return out

    def _links(self, size: Pair) -> list[tuple["_Filter", Pair, bool]]:
        """Return, for a map of ``size`` (h, w), the filters in order, each with its padding and whether it clips."""
        links = [link for conv in self.before for link in conv._links(size)]
        for filters, padding, _ in links:
            size = filters.size(size, padding)
        if isinstance(self._conv, SameConv2d):
            (top, bottom), (left, right) = self._conv.same(size[0], 0), self._conv.same(size[1], 1)
        else:
            bottom, right = map(int, self._conv.padding)
            top, left = bottom, right
        padding, extra = (bottom, right), (bottom - top, right - left)
        if extra not in self._filters:
            # TensorFlow's odd pixel of padding is below and right: an empty first row or column of the filter has the
            # same effect without a padded copy of the map.
            self._filters[extra] = _Filter(self._conv, F.pad(self._conv.weight, (extra[1], 0, extra[0], 0)))
        return [*links, (self._filters[extra], padding, self.clips)]


class _Kernel:
    """A convolution's weights in oneDNN's own layout, which would otherwise be made at each call."""

    def __init__(self, weight: Tensor, bias: Tensor | None, stride: Pair, dilation: Pair, groups: int) -> None:
        self._weight, self._bias = weight.contiguous(memory_format=torch.channels_last), bias
        self._shape: tuple[Pair, Pair, int] = (stride, dilation, groups)
        self._packed: dict[Pair, Tensor] = {}

    def __call__(self, x: Tensor, padding: Pair, clips: bool = False) -> Tensor:
        """Return the convolution of a map (N, C, h, w), with ReLU6 if ``clips``."""
        if not (x.dtype == torch.float32 and torch.backends.mkldnn.is_available()):  # type: ignore[no-untyped-call]
            out = F.conv2d(x, self._weight, self._bias, self._shape[0], padding, *self._shape[1:])
            return out.clamp_(0, 6) if clips else out
        if padding not in self._packed:
            packed = (self._weight.to_mkldnn(), padding, *self._shape)
            self._packed[padding] = torch._C._nn.mkldnn_reorder_conv2d_weight(*packed)  # type: ignore[arg-type]
        rest = ("hardtanh", [0.0, 6.0], "") if clips else ("none", [], "")
        fused: Tensor = torch.ops.mkldnn._convolution_pointwise(
            x, self._packed[padding], self._bias, padding, *self._shape, *rest
        )
        return fused


class _Filter:
    """A filter and its backward pass."""

    def __init__(self, conv: nn.Conv2d, weight: Tensor) -> None:
        self.weight, self.groups = weight.detach().contiguous(memory_format=torch.channels_last), conv.groups
        self.stride, self.dilation = (conv.stride[0], conv.stride[1]), (conv.dilation[0], conv.dilation[1])
        self.reach = tuple((k - 1) * d for k, d in zip(weight.shape[-2:], self.dilation, strict=True))
        bias = None if conv.bias is None else conv.bias.detach()
        self.convolve = _Kernel(self.weight, bias, self.stride, self.dilation, self.groups)
        self.pointwise = _is_pointwise(conv)
        self.flipped = _phases(self.weight, self.stride) if _is_first(conv) else self.weight.flip(2, 3)
        self._flipped = _Kernel(self.flipped, None, ONE, self.dilation, self.groups)

    def size(self, size: Pair, padding: Pair) -> Pair:
        """Return the size (h, w) of the output for a map of ``size``."""
        axes = zip(size, padding, self.reach, self.stride, strict=True)
        height, width = ((side + 2 * p - r - 1) // s + 1 for side, p, r, s in axes)
        return height, width

    def back(self, signal: Tensor, padding: Pair, size: Pair, clipped: Tensor | None, own: bool) -> Tensor:
        """Return the gradient in a map of ``size``; ``clipped``: a fused ReLU6's output; ``own``: overwrite signal."""
        if self.pointwise:
            return self._product(signal, clipped, own)
        signal = signal if clipped is None else _relu6_backward(signal, clipped, own)
        if self.groups == 1:
            return self._merge_phases(signal, padding, size)
        border = (self.reach[0] - padding[0], self.reach[1] - padding[1])
        if self.stride == ONE and min(border) >= 0:
            return self._flipped(signal, border)
        axes = zip(size, signal.shape[-2:], self.stride, padding, self.reach, strict=True)
        rest = [whole - ((part - 1) * s - 2 * p + r + 1) for whole, part, s, p, r in axes]
        return F.conv_transpose2d(signal, self.weight, None, self.stride, padding, rest, self.groups, self.dilation)

    def _product(self, signal: Tensor, clipped: Tensor | None, own: bool) -> Tensor:
        """Return the result of ``back`` for a 1 x 1 filter; with ReLU6 by strips."""
        rows, matrix = signal.permute(0, 2, 3, 1), self.weight.flatten(1)
        if clipped is None:
            return (rows @ matrix).permute(0, 3, 1, 2)
        out = rows.new_empty(*rows.shape[:3], matrix.shape[1])
        step = max(1, STRIP // len(matrix))
        parts = (torch.split(values.flatten(0, 2), step) for values in (rows, clipped.permute(0, 2, 3, 1), out))
        for before, through, after in zip(*parts, strict=True):
            torch.mm(_relu6_backward(before, through, own), matrix, out=after)
        return out.permute(0, 3, 1, 2)

    def _merge_phases(self, signal: Tensor, padding: Pair, size: Pair) -> Tensor:
        """Return the result of ``back`` for few input channels: one convolution for each phase of the stride."""
        (dy, dx), (j, i) = self.stride, self.flipped.shape[-2:]
        phases = self._flipped(signal, (j - 1, i - 1))
        count, _, height, width = phases.shape
        interleaved = phases.view(count, dy, dx, -1, height, width).permute(0, 3, 4, 1, 5, 2)
        full = interleaved.reshape(count, interleaved.shape[1], height * dy, width * dx)
        (top, left), (rows, columns) = padding, size
        missing = (0, max(0, left + columns - full.shape[3]), 0, max(0, top + rows - full.shape[2]))
        full = F.pad(full, missing) if any(missing) else full  # F.pad would copy without need
        return full[:, :, top : top + rows, left : left + columns]


def _phases(weight: Tensor, stride: Pair) -> Tensor:
    """Return the filter of the backward pass, (phases * in, out, j, i), for a filter (out, in, rows, columns)."""
    dy, dx = stride
    height, width = (-(-side // s) for side, s in zip(weight.shape[-2:], stride, strict=True))
    full = F.pad(weight, (0, width * dx - weight.shape[3], 0, height * dy - weight.shape[2]))
    phases = full.view(*full.shape[:2], height, dy, width, dx).permute(3, 5, 1, 0, 2, 4).flip(4, 5)
    return phases.reshape(-1, len(weight), height, width)


def _relu6_backward(signal: Tensor, clipped: Tensor, own: bool) -> Tensor:
    """Return the gradient in the input of ReLU6 from that in its output, ``clipped``."""
    out = {"grad_input": signal} if own else {}
    before: Tensor = torch.ops.aten.hardtanh_backward(signal, clipped, 0, 6, **out)
    return before


class _Convolve(torch.autograd.Function):
    """A chain of filters, each with its padding, and with ReLU6 if it clips."""

    @staticmethod
    def forward(ctx: Context, x: Tensor, links: list[tuple[_Filter, Pair, bool]]) -> Tensor:
        """Map (N, C, h, w) to (N, channels, ...)."""
        sizes, clipped = [], []
        for filters, padding, clips in links:
            sizes.append((x.shape[-2], x.shape[-1]))
            x = filters.convolve(x, padding, clips)
            clipped.append(x if clips else None)
        ctx.links, ctx.sizes = links, sizes
        ctx.save_for_backward(*clipped)
        return x

    @staticmethod
    @once_differentiable
    def backward(ctx: Context, signal: Tensor) -> tuple[Tensor, None]:
        """Return the gradient in the input."""
        steps, own = list(zip(ctx.links, ctx.sizes, ctx.saved_tensors, strict=True)), False
        for (filters, padding, _), size, clipped in reversed(steps):
            signal, own = filters.back(signal, padding, size, clipped, own), True
        return signal, None
