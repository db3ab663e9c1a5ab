"""Parts of a frozen network on the processor, fast in both directions: no derivative but the input's.

For one picture on one thread torch takes a 1 x 1 convolution that copies a lot, and the way back through a convolution
by channel takes it two to four times as long as the way forward. Here the way back is a matrix product (1 x 1), a
convolution with the filter turned round (stride 1), or a transposed convolution. A ReLU6 that alone sees what such a
convolution gives is done along with it; elsewhere ReLU6 in place keeps torch from saving a copy of what it changes. A
1 x 1 convolution that widens a large map for one by channel is done with that, some rows at a time.
What each is worth: ``benchmarks/dream.py``. Dense 3 x 3 filters gain nothing.
"""

from collections.abc import Collection
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from cnnviz.graph.fold_batchnorm import single_consumers
from cnnviz.models.efficientnet_lite import SameConv2d

Pair = tuple[int, int]
ONE = (1, 1)
COLOURS = 4  # inputs of a convolution that sees colours, at most
STRIP = 1 << 18  # values of a derivative at a time, 1 MB, so that they stay in the processor's cache


def fuse(module: nn.Module, keep: Collection[str] = ()) -> None:
    """Replace what can be faster in a network with frozen weights, in place; the function stays the same.

    Layers named in ``keep`` give what they gave; others may leave their work to one behind them, until
    ``part``.
    """
    readers = single_consumers(module, keep)
    alone = set(readers.values())
    for name, child in list(module.named_modules()):
        if type(child) in (nn.Conv2d, SameConv2d) and _worthwhile(child):
            module.set_submodule(name, FrozenConv2d(child))
        elif type(child) is nn.ReLU6 and (child.inplace or name in alone):
            module.set_submodule(name, InplaceReLU6())
    for name, reader in readers.items():
        conv, clip = module.get_submodule(name), module.get_submodule(reader)
        if isinstance(conv, FrozenConv2d) and isinstance(clip, InplaceReLU6):
            conv.clips, clip.idle = True, True
    for name in readers:
        conv = module.get_submodule(name)
        if isinstance(conv, FrozenConv2d):
            behind = module.get_submodule(readers.get(readers[name], "") if conv.clips else readers[name])
            if isinstance(behind, FrozenConv2d):
                behind.before, conv.idle = [conv], True


def unfuse(module: nn.Module) -> None:
    """Take apart what ``quicken`` has joined: each layer of a network gives what it gave before."""
    for child in module.modules():
        if isinstance(child, FrozenConv2d):
            child.clips, child.idle, child.before = False, False, []
        elif isinstance(child, InplaceReLU6):
            child.idle = False


def _worthwhile(conv: nn.Conv2d) -> bool:
    if conv.padding_mode != "zeros" or isinstance(conv.padding, str):
        return False
    return _pointwise(conv) or _first(conv) or conv.groups == conv.in_channels == conv.out_channels


def _pointwise(conv: nn.Conv2d) -> bool:
    return conv.kernel_size == conv.stride == ONE and conv.groups == 1 and conv.padding == (0, 0)


def _first(conv: nn.Conv2d) -> bool:
    """Tell whether a convolution sees colours: of its few inputs torch's way back makes little."""
    return conv.groups == 1 and conv.in_channels <= COLOURS and conv.dilation == ONE and not _pointwise(conv)


class InplaceReLU6(nn.Module):
    """ReLU6 in place of its input; ``idle`` where a convolution does it."""

    def __init__(self) -> None:
        super().__init__()
        self.idle = False

    def forward(self, x: Tensor) -> Tensor:
        """Clip to 0 to 6."""
        if self.idle:
            return x
        out: Tensor = _Clip.apply(x)
        return out


class FrozenConv2d(nn.Module):
    """A convolution without derivatives in its weights: (N, C, h, w) to (N, channels, ...).

    ``clips`` where a ReLU6 is part of it; ``idle`` where the convolution behind does its work, which has it in
    ``before``.
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
        """Return for a map of ``size`` (h, w) the filters in order, each with its padding, and whether it clips."""
        found = [link for conv in self.before for link in conv._links(size)]
        for filters, padding, _ in found:
            size = filters.size(size, padding)
        padding, longer = self._padding(size)
        if longer not in self._filters:
            # TensorFlow's odd pixel of padding goes below and right: an empty first row or column of the filter says
            # the same, and spares a copy of the map with a border around it.
            self._filters[longer] = _Filter(self._conv, F.pad(self._conv.weight, (longer[1], 0, longer[0], 0)))
        return [*found, (self._filters[longer], padding, self.clips)]

    def _padding(self, size: Pair) -> tuple[Pair, Pair]:
        if not isinstance(self._conv, SameConv2d):
            top, left = map(int, self._conv.padding)
            return (top, left), (0, 0)
        (top, bottom), (left, right) = self._conv.same(size[0], 0), self._conv.same(size[1], 1)
        return (bottom, right), (bottom - top, right - left)


class _Kernel:
    """A convolution's weights, in the order that oneDNN wants them in, which otherwise puts them so at each call."""

    def __init__(self, weight: Tensor, bias: Tensor | None, stride: Pair, dilation: Pair, groups: int) -> None:
        self._weight, self._bias = weight.contiguous(memory_format=torch.channels_last), bias
        self._shape: tuple[Any, ...] = (stride, dilation, groups)
        self._packed: dict[Pair, Tensor] = {}

    def __call__(self, x: Tensor, padding: Pair, clips: bool = False) -> Tensor:
        """Return the convolution of a map (N, C, h, w), through ReLU6 where it ``clips``."""
        if not (x.dtype == torch.float32 and torch.backends.mkldnn.is_available()):  # type: ignore[no-untyped-call]
            out = F.conv2d(x, self._weight, self._bias, self._shape[0], padding, *self._shape[1:])
            return out.clamp_(0, 6) if clips else out
        if padding not in self._packed:
            shape: tuple[Any, ...] = (padding, *self._shape)
            self._packed[padding] = torch._C._nn.mkldnn_reorder_conv2d_weight(self._weight.to_mkldnn(), *shape)
        rest = ("hardtanh", [0.0, 6.0], "") if clips else ("none", [], "")
        fused: Tensor = torch.ops.mkldnn._convolution_pointwise(
            x, self._packed[padding], self._bias, padding, *self._shape, *rest
        )
        return fused


class _Filter:
    """A filter, and what carries a derivative back through it."""

    def __init__(self, conv: nn.Conv2d, weight: Tensor) -> None:
        self.weight, self.groups = weight.detach().contiguous(memory_format=torch.channels_last), conv.groups
        self.stride, self.dilation = (conv.stride[0], conv.stride[1]), (conv.dilation[0], conv.dilation[1])
        self.reach = tuple((k - 1) * d for k, d in zip(weight.shape[-2:], self.dilation, strict=True))
        bias = None if conv.bias is None else conv.bias.detach()
        self.convolve = _Kernel(self.weight, bias, self.stride, self.dilation, self.groups)
        self.pointwise, colours = _pointwise(conv), _first(conv)
        self.turned = _phases(self.weight, self.stride) if colours else self.weight.flip(2, 3)
        self._turned = _Kernel(self.turned, None, ONE, self.dilation, self.groups)

    def size(self, size: Pair, padding: Pair) -> Pair:
        """Return the size (h, w) of what comes of a map of ``size``."""
        axes = zip(size, padding, self.reach, self.stride, strict=True)
        high, wide = ((side + 2 * p - r - 1) // s + 1 for side, p, r, s in axes)
        return high, wide

    def back(self, signal: Tensor, padding: Pair, size: Pair, clipped: Tensor | None, own: bool) -> Tensor:
        """Return the derivative in a map of ``size`` (h, w) from the one in what it gave, ``clipped`` or not.

        ``own`` where nobody else has the signal, so that it may be overwritten.
        """
        if self.pointwise:
            return self._product(signal, clipped, own)
        signal = signal if clipped is None else _unclipped(signal, clipped, own)
        if self.groups == 1:
            return self._by_phases(signal, padding, size)
        border = (self.reach[0] - padding[0], self.reach[1] - padding[1])
        if self.stride == ONE and min(border) >= 0:
            return self._turned(signal, border)
        axes = zip(size, signal.shape[-2:], self.stride, padding, self.reach, strict=True)
        rest = [whole - ((part - 1) * s - 2 * p + r + 1) for whole, part, s, p, r in axes]
        return F.conv_transpose2d(signal, self.weight, None, self.stride, padding, rest, self.groups, self.dilation)

    def _product(self, signal: Tensor, clipped: Tensor | None, own: bool) -> Tensor:
        """Do what ``back`` does for a 1 x 1 filter; what is clipped some places at a time."""
        rows, matrix = signal.permute(0, 2, 3, 1), self.weight.flatten(1)
        if clipped is None:
            return (rows @ matrix).permute(0, 3, 1, 2)
        out = rows.new_empty(*rows.shape[:3], matrix.shape[1])
        step = max(1, STRIP // len(matrix))
        parts = (torch.split(values.flatten(0, 2), step) for values in (rows, clipped.permute(0, 2, 3, 1), out))
        for before, through, after in zip(*parts, strict=True):
            torch.mm(_unclipped(before, through, own), matrix, out=after)
        return out.permute(0, 3, 1, 2)

    def _by_phases(self, signal: Tensor, padding: Pair, size: Pair) -> Tensor:
        """Do what ``back`` does for few inputs: pixels of one phase of the stride come from one convolution."""
        (down, across), (j, i) = self.stride, self.turned.shape[-2:]
        found = self._turned(signal, (j - 1, i - 1))
        count, _, high, wide = found.shape
        apart = found.view(count, down, across, -1, high, wide).permute(0, 3, 4, 1, 5, 2)
        full = apart.reshape(count, apart.shape[1], high * down, wide * across)
        (top, left), (rows, columns) = padding, size
        missing = (0, max(0, left + columns - full.shape[3]), 0, max(0, top + rows - full.shape[2]))
        full = F.pad(full, missing) if any(missing) else full  # F.pad copies what needs none
        return full[:, :, top : top + rows, left : left + columns]


def _phases(weight: Tensor, stride: Pair) -> Tensor:
    """Return a filter (out, in, rows, columns) as what leads back from its outputs: (phases * in, out, j, i)."""
    down, across = stride
    high, wide = (-(-side // s) for side, s in zip(weight.shape[-2:], stride, strict=True))
    full = F.pad(weight, (0, wide * across - weight.shape[3], 0, high * down - weight.shape[2]))
    apart = full.view(*full.shape[:2], high, down, wide, across).permute(3, 5, 1, 0, 2, 4).flip(4, 5)
    return apart.reshape(-1, len(weight), high, wide)


def _unclipped(signal: Tensor, clipped: Tensor, own: bool) -> Tensor:
    """Return the derivative before ReLU6 from the one behind it, and from what it gave."""
    place = {"grad_input": signal} if own else {}
    before: Tensor = torch.ops.aten.hardtanh_backward(signal, clipped, 0, 6, **place)
    return before


class _Convolve(torch.autograd.Function):
    """Filters one behind the other, each with its padding, and with ReLU6 where it clips."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, links: list[tuple[_Filter, Pair, bool]]) -> Tensor:
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
    def backward(ctx: Any, signal: Tensor) -> tuple[Tensor, None]:
        """Carry the derivative back."""
        steps, own = list(zip(ctx.links, ctx.sizes, ctx.saved_tensors, strict=True)), False
        for (filters, padding, _), size, clipped in reversed(steps):
            signal, own = filters.back(signal, padding, size, clipped, own), True
        return signal, None


class _Clip(torch.autograd.Function):
    """ReLU6 in place."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        """Clip to 0 to 6."""
        ctx.mark_dirty(x)
        ctx.save_for_backward(x.clamp_(0, 6))
        return x

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, signal: Tensor) -> Tensor:
        """Carry the derivative back."""
        return _unclipped(signal, ctx.saved_tensors[0], own=False)
