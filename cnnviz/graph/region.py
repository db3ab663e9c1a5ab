"""Where a tensor differs from the clean one: a rectangle for each of a batch of positions."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Box = tuple[int, int, int, int]  # top, left, bottom, right, the last two exclusive


@dataclass(frozen=True)
class Region:
    """Rectangles of a map of ``shape`` (h, w): rows and columns ``first`` to ``stop`` - 1, each (2, positions).

    All are computed at one ``size``, the largest, from ``starts`` on; what is computed beyond a rectangle is the clean
    value again. ``whole``: the map is computed from border to border.
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
        """Height and width that all positions are computed at."""
        down, across = (self.stop - self.first).max(1)
        return int(down), int(across)

    @cached_property
    def starts(self) -> Ints:
        """The corner (2, positions) that each position is computed from."""
        return np.minimum(self.first, np.subtract(self.shape, self.size)[:, None])

    @property
    def share(self) -> float:
        """The part of the map that is computed."""
        return self.size[0] * self.size[1] / (self.shape[0] * self.shape[1])

    @property
    def shares(self) -> NDArray[np.float64]:
        """The part of the map that each rectangle is, (positions,)."""
        down, across = self.stop - self.first
        parts: NDArray[np.float64] = down * across / (self.shape[0] * self.shape[1])
        return parts

    def join(self, other: "Region") -> "Region":
        """Return the rectangles around both, of maps of one shape."""
        first, stop = np.minimum(self.first, other.first), np.maximum(self.stop, other.stop)
        return Region(first, stop, self.shape, self.whole or other.whole)

    def same(self, other: "Region") -> bool:
        """Return whether both are computed at the same places."""
        return self.size == other.size and bool((self.starts == other.starts).all())


@dataclass(frozen=True)
class SlidingWindow:
    """A window that slides over a map: kernel, stride, padding before and dilation, each (down, across)."""

    kernel: tuple[int, int]
    stride: tuple[int, int]
    padding: tuple[int, int]
    dilation: tuple[int, int]

    @property
    def reach(self) -> Ints:
        """How far a window reaches from its first row and column to its last."""
        reach: Ints = (np.array(self.kernel) - 1) * np.array(self.dilation)
        return reach

    def under(self, region: Region, shape: tuple[int, int]) -> Region:
        """Return which outputs, on a map of ``shape``, see something of a region."""
        stride, padding, reach = (_column(v) for v in (self.stride, self.padding, self.reach))
        limit = _column(shape)
        first = np.clip(-((reach - region.first - padding) // stride), 0, limit - 1)
        stop = np.clip((region.stop - 1 + padding) // stride + 1, first + 1, limit)
        return Region(first, stop, shape)

    def needs(self, region: Region) -> tuple[Ints, tuple[int, int]]:
        """Return the inputs that a region of outputs is computed from: corners, before padding, and size."""
        starts = region.starts * _column(self.stride) - _column(self.padding)
        down, across = (np.array(region.size) - 1) * self.stride + self.reach + 1
        return starts, (int(down), int(across))

    def margin(self, source: Sequence[int], shape: tuple[int, int]) -> tuple[int, int, int, int]:
        """Return the padding (left, right, top, bottom) of a map of ``source`` that all outputs of ``shape`` need."""
        last = (np.array(shape) - 1) * self.stride + self.reach + 1
        after = np.maximum(last - self.padding - source, 0)
        return self.padding[1], int(after[1]), self.padding[0], int(after[0])


def _column(values: Any) -> Ints:
    return np.array(values)[:, None]
