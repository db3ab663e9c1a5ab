"""What makes a crop good: the class is recognised in it and its evidence lies inside, or a network rates it highly."""

from collections.abc import Callable
from dataclasses import dataclass
from math import log

import numpy as np
from numpy.typing import NDArray

from cnnviz.dense.heat import Heat
from cnnviz.dense.rank import mean_rating
from cnnviz.errors import MethodError

# Chosen on photographs with masks; with log p + 2 log s, parts of the object are cut off.
FLOOR, SHARE_WEIGHT = 0.3, 6
PEAK = 0.34  # of the map's maximum, at most counted of a place: no part of the object is all of it
Box = tuple[int, int, int, int]


@dataclass(frozen=True)
class ScoredCrop:
    """A crop: ``box`` left, top, right, bottom in pixels of the photo, of which right and bottom are outside.

    ``score`` = log(``probability`` + 0.3) + 6 log ``share``: of the class in the crop, of its heat map inside; of a
    network that rates photos its rating, and the other two are None.
    """

    box: Box
    score: float
    probability: float | None = None
    share: float | None = None


Judge = Callable[[NDArray[np.float64], Box], ScoredCrop]  # from a network's outputs (K,) for a crop


class HeatShare:
    """The share of a class's heat map inside a box, by an integral image."""

    def __init__(self, found: Heat) -> None:
        logits = found.maps[0].numpy()
        values = logits.clip(0, PEAK * max(float(logits.max()), 0)).astype(np.float64)
        if not values.any():
            assert found.network is not None
            raise MethodError(f"{found.network.name} finds the class at no place")
        self.target, self.photo = found.targets[0], found.geometry.photo
        self.sums = np.pad(values.cumsum(0).cumsum(1) / values.sum(), ((1, 0), (1, 0)))

    def __call__(self, box: Box) -> float:
        """Return the share inside a box of the photo's pixels, 0 to 1."""
        (height, width), (rows, columns) = self.photo, (side - 1 for side in self.sums.shape)
        left, right = (round(box[at] * columns / width) for at in (0, 2))
        top, bottom = (round(box[at] * rows / height) for at in (1, 3))
        sums = self.sums
        return float(sums[bottom, right] - sums[top, right] - sums[bottom, left] + sums[top, left])

    def judge(self, outputs: NDArray[np.float64], box: Box) -> ScoredCrop:
        """Return a crop with its score, by the logits (classes,) for it alone."""
        weights = np.exp(outputs - outputs.max())
        probability, share = float(weights[self.target] / weights.sum()), self(box)
        return ScoredCrop(box, score(probability, share), probability, share)


def judge_by_rating(outputs: NDArray[np.float64], box: Box) -> ScoredCrop:
    """Return a crop with the rating that a network's outputs (K,) for it alone stand for, as in ``rank``."""
    return ScoredCrop(box, mean_rating(outputs.tolist()))


def score(probability: float, share: float) -> float:
    """Return log(probability + 0.3) + 6 log share."""
    return log(probability + FLOOR) + SHARE_WEIGHT * log(max(share, 1e-6))
