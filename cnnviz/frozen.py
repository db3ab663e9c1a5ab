"""Parts of a frozen network on the processor, fast in both directions: no derivative but the input's.

For one picture on one thread torch takes a 1 x 1 convolution that copies a lot, and the way back through a convolution
by channel takes it two to four times as long as the way forward. Here the way back is a matrix product (1 x 1), a
convolution with the filter turned round (stride 1), or a transposed convolution. ReLU6 in place keeps torch from saving
a copy of what it changes. What each is worth: ``benchmarks/dream.py``. Dense 3 x 3 filters gain nothing.
"""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from cnnviz.models.efficientnet_lite import SameConv2d

Pair = tuple[int, int]
ONE = (1, 1)


def quicken(module: nn.Module, plain: nn.Module) -> None:
    """Replace what can be faster in a network with frozen weights, in place; the function stays the same.

    ``plain`` is the network before folding: where its batch normalisations are gone, the activation that came with
    them is the only one to see a convolution's output, and may overwrite it.
    """
    norms = {name for name, child in plain.named_modules() if isinstance(child, nn.BatchNorm2d)}
    for name, child in list(module.named_modules()):
        parent = name.rpartition(".")[0]
        folded = parent in norms and isinstance(module.get_submodule(parent), nn.Sequential)
        if type(child) in (nn.Conv2d, SameConv2d) and _worthwhile(child):
            module.set_submodule(name, FrozenConv2d(child))
        elif type(child) is nn.ReLU6 and (child.inplace or folded):
            module.set_submodule(name, Overwriting())


def _worthwhile(conv: nn.Conv2d) -> bool:
    if conv.padding_mode != "zeros" or isinstance(conv.padding, str):
        return False
    pointwise = conv.kernel_size == conv.stride == ONE and conv.groups == 1 and conv.padding == (0, 0)
    return pointwise or conv.groups == conv.in_channels == conv.out_channels


class Overwriting(nn.Module):
    """ReLU6 in place of its input."""

    def forward(self, x: Tensor) -> Tensor:
        """Clip to 0 to 6."""
        out: Tensor = _Clip.apply(x)
        return out


class FrozenConv2d(nn.Module):
    """A convolution, 1 x 1 or by channel, without derivatives in its weights: (N, C, h, w) to (N, channels, ...)."""

    def __init__(self, conv: nn.Conv2d) -> None:
        super().__init__()
        self._conv = conv
        self._filters: dict[Pair, _Filter] = {}

    def forward(self, x: Tensor) -> Tensor:
        """Convolve."""
        padding, longer = self._padding(x)
        if longer not in self._filters:
            # TensorFlow's odd pixel of padding goes below and right: an empty first row or column of the filter says
            # the same, and spares a copy of the map with a border around it.
            self._filters[longer] = _Filter(self._conv, F.pad(self._conv.weight, (longer[1], 0, longer[0], 0)))
        out: Tensor = _Convolve.apply(x, self._filters[longer], padding)
        return out

    def _padding(self, x: Tensor) -> tuple[Pair, Pair]:
        if not isinstance(self._conv, SameConv2d):
            top, left = map(int, self._conv.padding)
            return (top, left), (0, 0)
        (top, bottom), (left, right) = self._conv.same(x.shape[-2], 0), self._conv.same(x.shape[-1], 1)
        return (bottom, right), (bottom - top, right - left)


class _Filter:
    """A filter, and what carries a derivative back through it."""

    def __init__(self, conv: nn.Conv2d, weight: Tensor) -> None:
        self.weight = weight.detach().contiguous(memory_format=torch.channels_last)
        self.turned = self.weight.flip(2, 3).contiguous(memory_format=torch.channels_last)
        self.bias, self.groups = None if conv.bias is None else conv.bias.detach(), conv.groups
        self.stride, self.dilation = (conv.stride[0], conv.stride[1]), (conv.dilation[0], conv.dilation[1])
        self.reach = tuple((k - 1) * d for k, d in zip(weight.shape[-2:], self.dilation, strict=True))

    def convolve(self, x: Tensor, padding: Pair) -> Tensor:
        """Return the convolution of a map with the filter."""
        return self._convolution(x, self.weight, self.bias, padding)

    def back(self, signal: Tensor, padding: Pair, size: Pair) -> Tensor:
        """Return the derivative in a map of ``size`` (h, w) from the one in its convolution."""
        if self.groups == 1:
            return (signal.permute(0, 2, 3, 1) @ self.weight.flatten(1)).permute(0, 3, 1, 2)
        border = (self.reach[0] - padding[0], self.reach[1] - padding[1])
        if self.stride == ONE and min(border) >= 0:
            return self._convolution(signal, self.turned, None, border)
        axes = zip(size, signal.shape[-2:], self.stride, padding, self.reach, strict=True)
        rest = [whole - ((part - 1) * s - 2 * p + r + 1) for whole, part, s, p, r in axes]
        return F.conv_transpose2d(signal, self.weight, None, self.stride, padding, rest, self.groups, self.dilation)

    def _convolution(self, x: Tensor, weight: Tensor, bias: Tensor | None, padding: Pair) -> Tensor:
        if x.dtype == torch.float32 and torch.backends.mkldnn.is_available():  # type: ignore[no-untyped-call]
            return torch.mkldnn_convolution(x, weight, bias, padding, self.stride, self.dilation, self.groups)
        return F.conv2d(x, weight, bias, self.stride, padding, self.dilation, self.groups)


class _Convolve(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, filters: _Filter, padding: Pair) -> Tensor:
        ctx.filters, ctx.padding, ctx.size = filters, padding, tuple(x.shape[-2:])
        return filters.convolve(x, padding)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, signal: Tensor) -> tuple[Tensor, None, None]:
        return ctx.filters.back(signal, ctx.padding, ctx.size), None, None


class _Clip(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.mark_dirty(x)
        ctx.save_for_backward(x.clamp_(0, 6))
        return x

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, signal: Tensor) -> Tensor:
        out: Tensor = torch.ops.aten.hardtanh_backward(signal, ctx.saved_tensors[0], 0, 6)
        return out
