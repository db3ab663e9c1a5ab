"""Window positions on a network's input, their batches from coarse to fine, and maps computed from their values."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise, product
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cnnviz.errors import InvalidRequest
from cnnviz.graph.region import Box

Border = Literal["inside", "overhang"]
COARSEST = 3  # positions along a side of the coarsest level, at least


@dataclass(frozen=True)
class WindowGrid:
    """Positions of a square window on an input of ``size`` (h, w): ``tops`` and ``lefts`` of its corner, in pixels."""

    tops: range
    lefts: range
    window: int
    size: tuple[int, int]

    @classmethod
    def over(cls, size: tuple[int, int], window: int, stride: int, border: Border = "inside") -> "WindowGrid":
        """Return the positions of a window that is not larger than the input."""
        if window < 1 or stride < 1:
            raise InvalidRequest("window and stride must be at least 1 pixel")

        def starts(side: int) -> range:
            if border == "overhang":
                return range(stride - window, side, stride)
            # captum's rule: ceil((side - window) / stride) + 1 windows
            return range(0, -(-(side - window) // stride) * stride + 1, stride)

        return cls(starts(size[0]), starts(size[1]), window, size)

    @cached_property
    def positions(self) -> list[tuple[int, int]]:
        """The windows' top-left corners (y, x), row-major."""
        return list(product(self.tops, self.lefts))

    @cached_property
    def boxes(self) -> list[Box]:
        """The part of the input that each window covers."""
        height, width = self.size
        return [
            (max(y, 0), max(x, 0), min(y + self.window, height), min(x + self.window, width))
            for y, x in self.positions
        ]  # fmt: skip

    def levels(self) -> list[list[int]]:
        """Return all positions from coarse to fine: each level halves the distance between those before it.

        The order depends on the grid alone, never on results.
        """
        rows, columns = len(self.tops), len(self.lefts)
        step = 1
        while min(rows, columns) > (COARSEST - 1) * 2 * step:
            step *= 2
        starts = (rows - 1) % step // 2, (columns - 1) % step // 2
        done: set[int] = set()
        levels = []
        while step:
            lines = (range(start % step, count, step) for start, count in zip(starts, (rows, columns), strict=True))
            level = [row * columns + column for row, column in product(*lines)]
            levels.append([index for index in level if index not in done])
            done.update(level)
            step //= 2
        return levels

    def batches(self, limit: int, costs: Callable[[Sequence[Box]], Sequence[float]]) -> list[list[int]]:
        """Return all positions, level by level, in batches of at most ``limit`` positions of similar cost.

        Rows of similar cost are grouped, and so are columns: near a border a window changes less.
        """
        rows, columns = len(self.tops), len(self.lefts)
        row_costs = costs(self.boxes[columns // 2 :: columns])
        column_costs = costs(self.boxes[rows // 2 * columns :][:columns])
        batches = []
        for level in self.levels():
            cells = [divmod(index, columns) for index in level]
            side = max(1, int((limit * 4 / 3) ** 0.5))
            row_groups = _groups({row for row, _ in cells}, row_costs, side)
            column_groups = _groups({column for _, column in cells}, column_costs, side)
            groups = defaultdict(list)
            for index, (row, column) in zip(level, cells, strict=True):
                groups[row_groups[row], column_groups[column]].append(index)
            batches += [part for group in groups.values() for part in chunks(group, limit)]
        return batches

    def mean(self, values: Tensor) -> Tensor:
        """Return the mean (n, h, w) of values (n, positions) over the windows that cover each pixel.

        Windows whose value is NaN are left out; NaN where no other covers. Computed by corners: each window adds at
        its four corners, and two cumulative sums spread that over its area.
        """
        height, width = self.size
        known = ~values.isnan().any(0)
        tops, lefts, bottoms, rights = torch.tensor(self.boxes)[known].T
        values = torch.cat([values[:, known].double(), torch.ones(1, int(known.sum()), dtype=torch.float64)])
        sums = torch.zeros(len(values), (height + 1) * (width + 1), dtype=torch.float64)
        for ys, xs, sign in ((tops, lefts, 1), (tops, rights, -1), (bottoms, lefts, -1), (bottoms, rights, 1)):
            sums.index_add_(1, ys * (width + 1) + xs, sign * values)
        total = sums.view(-1, height + 1, width + 1).cumsum(1).cumsum(2)[:, :height, :width]
        count = total[-1].round()
        return torch.where(count > 0, total[:-1] / count, torch.nan).float()

    def cells(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the centres (y and x, pixel centres at integers) of the cells in which ``mean`` is constant."""
        centres = []
        for side, starts in zip(self.size, (self.tops, self.lefts), strict=True):
            edges = sorted({min(max(edge, 0), side) for top in starts for edge in (top, top + self.window)} | {0, side})
            centres.append(np.array([(low + high - 1) / 2 for low, high in pairwise(edges)]))
        return centres[0], centres[1]

    def nearest(self, known: Tensor) -> Tensor:
        """Return for each pixel (h, w) the position, among those ``known`` (positions,), whose centre is nearest."""
        rows, columns = (
            ((torch.arange(side) + 0.5 - starts.start - self.window / 2) / starts.step).round().long()
            for side, starts in zip(self.size, (self.tops, self.lefts), strict=True)
        )
        rows, columns = rows.clamp(0, len(self.tops) - 1), columns.clamp(0, len(self.lefts) - 1)
        index = torch.arange(len(known))
        if not known.all():
            usable = known.nonzero()[:, 0]
            corners = torch.tensor(self.positions, dtype=torch.float32)
            index = usable[torch.cdist(corners, corners[usable]).argmin(1)]
        return index[rows[:, None] * len(self.lefts) + columns]


def chunks(positions: Sequence[int], limit: int) -> list[list[int]]:
    """Return positions in runs of at most ``limit``."""
    return [list(positions[start : start + limit]) for start in range(0, len(positions), limit)]


def _groups(lines: set[int], costs: Sequence[float], side: int) -> dict[int, int]:
    """Return a group for each row or column: sizes as even as possible, at most ``side``, similar costs together."""
    ordered = sorted(lines, key=lambda line: (costs[line], line))
    count = -(-len(ordered) // side)
    return {line: rank * count // len(ordered) for rank, line in enumerate(ordered)}
