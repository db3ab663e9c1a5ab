"""Regions in which a tensor differs from the clean one: one rectangle for each position of a batch."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Box = tuple[int, int, int, int]  # top, left, bottom, right, the last two exclusive


@dataclass(frozen=True)
class Region:
    """Rectangles of a map of ``shape`` (h, w): rows and columns ``first`` to ``stop`` - 1, each (2, positions).

    All are computed at one ``size``, the largest, from ``starts`` on; outside its rectangle a result is the clean
    value. ``whole``: the complete map is computed.
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

    def margin(self, source: Sequence[int], shape: tuple[int, int]) -> tuple[int, int, int, int]:
        """Return the padding (left, right, top, bottom) of a map of ``source`` that all outputs of ``shape`` need."""
        last = (np.array(shape) - 1) * self.stride + self.reach + 1
        after = np.maximum(last - self.padding - source, 0)
        return self.padding[1], int(after[1]), self.padding[0], int(after[0])


def _column(values: Sequence[int] | Ints) -> Ints:
    return np.array(values)[:, None]
