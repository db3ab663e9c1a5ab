"""The change between two photos as an image: enlarged in value around grey. numpy alone, without matplotlib."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cnnviz.figures.style import NEUTRAL
from cnnviz.io.color import Photo

STRONG = 0.95  # share of the changed values shown in proportion; the others are clipped
LARGEST = 127  # largest change that is shown in proportion
PATCH = 28  # side of the enlarged patch, in pixels of the photo
CLEARLY_MORE = 1.25  # times as many changed values as in the middle, for a patch elsewhere


@dataclass(frozen=True)
class Change:
    """The difference of two photos, ``values`` (H, W, 3) in levels of 1/255.

    ``strong``: the size that STRONG of the changed values do not exceed, at most LARGEST, drawn as black or white;
    ``strongest``: the largest; both are 1 where nothing is changed.
    """

    values: NDArray[np.int16]
    strong: int
    strongest: int

    @classmethod
    def between(cls, before: Photo, after: Photo) -> "Change":
        """Return the change from one photo (H, W, 3) to another."""
        values = after.astype(np.int16) - before
        counts = np.bincount(np.abs(values).ravel(), minlength=2)
        counts[0] = 0
        strong = int(np.searchsorted(counts.cumsum(), STRONG * counts.sum()))
        return cls(values, min(max(strong, 1), LARGEST), max(len(counts) - 1, 1))

    @property
    def factor(self) -> float:
        """What changes are multiplied by."""
        return LARGEST / self.strong

    @property
    def is_grey(self) -> bool:
        """Whether all channels change alike."""
        return bool((self.values == self.values[..., :1]).all())

    def places(self) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Return rows and columns of the changed pixels."""
        rows, columns = np.nonzero(self.values.any(2))
        return rows, columns

    def image(self, size: tuple[int, int]) -> Photo:
        """Return the change at a size (h, w): where it is smaller, of each place the value furthest from 0."""
        return self.colours(_strongest(self.values, size))

    def patch(self) -> tuple[int, int, int, int] | None:
        """Return where single pixels are shown: top, left, bottom, right; None where the photo has hardly more.

        In the middle, unless clearly more values are changed elsewhere.
        """
        height, width = self.values.shape[:2]
        if min(height, width) < PATCH or max(height, width) < 3 * PATCH:
            return None
        sums = np.zeros((height + 1, width + 1))
        sums[1:, 1:] = np.count_nonzero(self.values, axis=2).cumsum(0).cumsum(1)
        counts = sums[PATCH:, PATCH:] - sums[:-PATCH, PATCH:] - sums[PATCH:, :-PATCH] + sums[:-PATCH, :-PATCH]
        top, left = (height - PATCH) // 2, (width - PATCH) // 2
        if counts.max() > CLEARLY_MORE * counts[top, left]:
            top, left = _middle_of_largest(counts)
        return top, left, top + PATCH, left + PATCH

    def colours(self, values: NDArray[np.int16]) -> Photo:
        """Return the colours of some of the values (..., 3)."""
        colours: Photo = (np.rint(values * self.factor).clip(-LARGEST, LARGEST) + NEUTRAL).astype(np.uint8)
        return colours


def _strongest(values: NDArray[np.int16], size: tuple[int, int]) -> NDArray[np.int16]:
    """Return values (H, W, 3) at a size (h, w): of each place the one furthest from 0, or enlarged as squares."""
    (height, width), (high, wide) = values.shape[:2], size
    rows, columns = np.arange(high) * height // high, np.arange(wide) * width // wide
    if high >= height or wide >= width:
        enlarged: NDArray[np.int16] = values[rows][:, columns]
        return enlarged
    most = np.maximum.reduceat(np.maximum.reduceat(values, rows, 0), columns, 1)
    least = np.minimum.reduceat(np.minimum.reduceat(values, rows, 0), columns, 1)
    return np.where(-least > most, least, most)


def _middle_of_largest(counts: NDArray[np.floating]) -> tuple[int, int]:
    """Return the place of the largest count, of equal neighbours the one in their middle."""
    places = np.argwhere(counts == counts.max())
    near = places[(np.abs(places - places[0]) < PATCH).all(1)]
    top, left = near[np.abs(near - near.mean(0)).sum(1).argmin()]
    return int(top), int(left)
