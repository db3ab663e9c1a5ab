"""Regions in which a tensor differs from the clean one, one rectangle for each position of a batch, and their data."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cnnviz.graph.tape import Argument, Arguments, Value

Ints = NDArray[np.int64]
Box = tuple[int, int, int, int]  # top, left, bottom, right, the last two exclusive
Margin = tuple[int, int, int, int]  # left, right, top, bottom


def pair(values: int | Sequence[int]) -> tuple[int, int]:
    """Return a setting of an operator for both axes, vertical first."""
    return (values, values) if isinstance(values, int) else (values[0], values[-1])


@dataclass(frozen=True)
class Region:
    """Rectangles of a map of ``shape`` (h, w): rows and columns ``first`` to ``stop`` - 1, each (2, positions).

    All are computed at one ``size``, the largest, from ``starts`` on. ``whole``: the complete map is computed.
    """

    first: Ints
    stop: Ints
    shape: tuple[int, int]
    whole: bool = False

    @classmethod
    def all(cls, shape: tuple[int, int], count: int) -> "Region":
        """Return the whole map for ``count`` positions."""
        stop = np.repeat(np.array(shape)[:, None], count, 1)
        return cls(np.zeros_like(stop), stop, shape, True)

    @cached_property
    def size(self) -> tuple[int, int]:
        """Height and width at which all positions are computed."""
        height, width = (self.stop - self.first).max(1)
        return int(height), int(width)

    @cached_property
    def starts(self) -> Ints:
        """The top left corner (2, positions) of what is computed."""
        return np.minimum(self.first, np.subtract(self.shape, self.size)[:, None])

    @property
    def share(self) -> float:
        """The share of the map that is computed."""
        return self.size[0] * self.size[1] / (self.shape[0] * self.shape[1])

    @property
    def shares(self) -> NDArray[np.float64]:
        """The share of the map in each rectangle, (positions,)."""
        height, width = self.stop - self.first
        parts: NDArray[np.float64] = height * width / (self.shape[0] * self.shape[1])
        return parts

    def join(self, other: "Region") -> "Region":
        """Return the bounding rectangles of both, for maps of one shape."""
        first, stop = np.minimum(self.first, other.first), np.maximum(self.stop, other.stop)
        return Region(first, stop, self.shape, self.whole or other.whole)

    def same(self, other: "Region") -> bool:
        """Return whether both are computed at the same positions."""
        return self.size == other.size and bool((self.starts == other.starts).all())


@dataclass(frozen=True)
class SlidingWindow:
    """A sliding window: kernel, stride, padding before the map and dilation, each (vertical, horizontal)."""

    kernel: tuple[int, int]
    stride: tuple[int, int]
    padding: tuple[int, int]
    dilation: tuple[int, int]

    @property
    def reach(self) -> Ints:
        """Distance from a window's first row and column to its last, (2,)."""
        reach: Ints = (np.array(self.kernel) - 1) * np.array(self.dilation)
        return reach

    def under(self, region: Region, shape: tuple[int, int]) -> Region:
        """Return the outputs, on a map of ``shape``, whose windows overlap a region."""
        stride, padding, reach = (_column(v) for v in (self.stride, self.padding, self.reach))
        limit = _column(shape)
        first = np.clip(-((reach - region.first - padding) // stride), 0, limit - 1)
        stop = np.clip((region.stop - 1 + padding) // stride + 1, first + 1, limit)
        return Region(first, stop, shape)

    def needs(self, region: Region) -> tuple[Ints, tuple[int, int]]:
        """Return the inputs that a region of outputs depends on: corners relative to the unpadded map, and size."""
        starts = region.starts * _column(self.stride) - _column(self.padding)
        height, width = (np.array(region.size) - 1) * self.stride + self.reach + 1
        return starts, (int(height), int(width))

    def margin(self, source: Sequence[int], shape: tuple[int, int]) -> Margin:
        """Return the padding of a map of ``source`` that all outputs of ``shape`` need."""
        last = (np.array(shape) - 1) * self.stride + self.reach + 1
        after = np.maximum(last - self.padding - source, 0)
        return self.padding[1], int(after[1]), self.padding[0], int(after[0])


def _column(values: Sequence[int] | Ints) -> Ints:
    return np.array(values)[:, None]


def sliding_window(name: str, args: Arguments, source: Tensor, out: Tensor) -> SlidingWindow | None:
    """Return the window of a convolution, pool or padding; None for other operators, and for windows of two sizes."""
    if name in ("convolution", "_convolution"):
        return SlidingWindow(pair(args[1].shape[-2:]), pair(args[3]), pair(args[4]), pair(args[5]))
    if name in ("max_pool2d_with_indices", "max_pool2d", "avg_pool2d"):
        given: list[Argument] = list(args[1:5])
        kernel, stride, padding, dilation = given + [None, [], 0, 1][len(given) :]
        dilation = 1 if name == "avg_pool2d" else dilation  # it has a flag there
        return SlidingWindow(pair(kernel), pair(stride or kernel), pair(padding), pair(dilation))
    if name in ("_adaptive_avg_pool2d", "adaptive_max_pool2d"):
        sizes = list(zip(source.shape[-2:], out.shape[-2:], strict=True))
        kernel = pair([i // o for i, o in sizes])
        whole = any((o == 1 and i > 1) or i % o for i, o in sizes)
        return None if whole else SlidingWindow(kernel, kernel, (0, 0), (1, 1))
    if name == "constant_pad_nd":
        left, _, top = (*args[1], 0, 0, 0)[:3]
        return SlidingWindow((1, 1), (1, 1), (top, left), (1, 1))
    return None


@dataclass(frozen=True)
class Patch:
    """The changed part of a value: ``data`` (positions, ..., h, w) at the positions of ``region``."""

    value: Value
    region: Region
    data: Tensor


class Maps:
    """The clean tensors of a recording, (1, ...), and the same with patches."""

    def __init__(self, clean: list[Tensor]) -> None:
        self._clean = clean
        self._rows: dict[tuple[Value, Margin, float], Tensor] = {}

    def clean(self, value: Value) -> Tensor:
        """Return the clean tensor of a value."""
        return self._clean[value.index]

    def fit(self, patch: Patch, region: Region) -> Tensor:
        """Return the map with its patch, at the positions of a region."""
        if (patch.region.whole and region.whole) or patch.region.same(region):
            return patch.data
        return self.cut(patch, region.starts, region.size)

    def cut(
        self, patch: Patch, starts: Ints, size: tuple[int, int], margin: Margin = (0, 0, 0, 0), fill: float = 0.0
    ) -> Tensor:
        """Return the map with its patch, (positions, ..., *size) from ``starts`` on, padded by ``margin``."""
        data, (height, width) = patch.data, patch.data.shape[-2:]
        offset = patch.region.starts - starts
        same = bool((offset == offset[:, :1]).all())
        dy, dx = (int(o) for o in offset[:, 0])
        if same and dy <= 0 and dx <= 0 and dy + height >= size[0] and dx + width >= size[1]:
            return data[..., -dy : size[0] - dy, -dx : size[1] - dx]
        count, middle = len(data), data.shape[1:-2]
        rows = self._clean_rows(patch.value, margin, fill)
        line = patch.region.shape[1] + margin[0] + margin[1]
        index = flat_index(starts + np.array([[margin[2]], [margin[0]]]), size, line)
        around = rows.index_select(0, index.to(rows.device)).view(count, *size, -1)
        if data.numel():
            flat = data.reshape(count, -1, height, width).permute(0, 2, 3, 1)
            if same:
                _paste(around, flat, dy, dx)
            else:
                _scatter(around, flat, offset)
        around = around.permute(0, 3, 1, 2)
        return around if len(middle) == 1 else around.reshape(count, *middle, *size)

    def _clean_rows(self, value: Value, margin: Margin, fill: float) -> Tensor:
        """Return a padded clean map as rows of channels, (h * w, channels)."""
        key = value, margin, fill
        if key not in self._rows:
            clean = self.clean(value)
            clean = clean.reshape(1, -1, *clean.shape[-2:])
            padded = torch.nn.functional.pad(clean, margin, value=fill) if any(margin) else clean
            self._rows[key] = padded.permute(0, 2, 3, 1).reshape(-1, clean.shape[1]).contiguous()
        return self._rows[key]


def flat_index(starts: Ints, size: tuple[int, int], line: int) -> Tensor:
    """Return the flat indices (positions * h * w) of rectangles in a map of width ``line``."""
    rows = (starts[0][:, None] + np.arange(size[0])) * line
    columns = starts[1][:, None] + np.arange(size[1])
    return torch.from_numpy((rows[:, :, None] + columns[:, None, :]).reshape(-1))


def _paste(around: Tensor, flat: Tensor, dy: int, dx: int) -> None:
    """Paste patches into their surroundings, (positions, h, w, channels), all at one offset."""
    height, width = around.shape[1:3]
    top, left = max(dy, 0), max(dx, 0)
    bottom, right = max(top, min(dy + flat.shape[1], height)), max(left, min(dx + flat.shape[2], width))
    around[:, top:bottom, left:right] = flat[:, top - dy : bottom - dy, left - dx : right - dx]


def _scatter(around: Tensor, flat: Tensor, offset: Ints) -> None:
    """Paste patches into their surroundings, each at its own offset (2, positions)."""
    count, height, width, channels = around.shape
    ys = offset[0][:, None] + np.arange(flat.shape[1])
    xs = offset[1][:, None] + np.arange(flat.shape[2])
    inside = ((ys >= 0) & (ys < height))[:, :, None] & ((xs >= 0) & (xs < width))[:, None, :]
    lines = np.arange(count)[:, None] * height + ys
    places = (lines[:, :, None] * width + xs[:, None, :]).reshape(-1)
    rows = flat.reshape(-1, channels)
    if not inside.all():
        kept = inside.reshape(-1).nonzero()[0]
        places = places[kept]
        rows = rows.index_select(0, torch.from_numpy(kept).to(rows.device))
    around.view(-1, channels).index_copy_(0, torch.from_numpy(places).to(rows.device), rows)
