"""The best crop of a photo: the class is recognised in it, and its evidence lies inside.

A crop's score is log(p + 0.3) + 6 log s: the probability of the class for the crop alone, and the share of the class's
heat map that lies inside. Of all places and sizes the logits are those of one pass over the whole photo for each size,
as a fully convolutional network (Long, Shelhamer & Darrell 2015, section 3.1); the best are computed anew.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from math import log

import numpy as np
import torch
from numpy.typing import NDArray

from cnnviz.control import Control
from cnnviz.dense.fully_convolutional import dense_logits
from cnnviz.dense.heat import Heat, bounded_side, heat
from cnnviz.dense.plan import dense_plan
from cnnviz.errors import InvalidRequest, MethodError
from cnnviz.io.color import Photo
from cnnviz.models.network import Network
from cnnviz.models.preprocess import Geometry, fit, to_inputs
from cnnviz.models.result import NetworkResult

SIDES = 1.0, 0.85, 0.72, 0.61, 0.52, 0.44  # of a crop, as shares of the largest of its shape
RESCORED = 16  # crops whose probability is computed anew
ALIKE = 0.6  # intersection over union from which on two crops are the same
# Chosen on photographs with masks; with log p + 2 log s, parts of the object are cut off.
FLOOR, SHARE_WEIGHT = 0.3, 6
PEAK = 0.34  # of the map's maximum, at most counted of a place: no part of the object is all of it
HEAT_SIDE, LARGEST = 448, 8_000_000  # shorter side of the photo for the heat map; pixels of an input of a size, at most
Box = tuple[int, int, int, int]


@dataclass(frozen=True)
class ScoredCrop:
    """A crop: ``box`` left, top, right, bottom in pixels of the photo, of which right and bottom are outside.

    ``score`` = log(``probability`` + 0.3) + 6 log ``share``: of the class in the crop, of its heat map inside.
    """

    box: Box
    score: float
    probability: float
    share: float


@dataclass(frozen=True)
class Crops(NetworkResult):
    """The best crops of a photo, best first, for the class ``target``; ``tried``: places and sizes that were compared.

    ``photo`` uint8 RGB (H, W, 3).
    """

    crops: tuple[ScoredCrop, ...]
    target: int
    tried: int
    photo: Photo = field(repr=False, compare=False)

    def images(self) -> list[Photo]:
        """Return the crops themselves, uint8 RGB."""
        return [cropped(self.photo, one.box) for one in self.crops]


def crop(
    network: Network,
    photo: Photo,
    *,
    shape: tuple[int, int] = (1, 1),
    count: int = 1,
    target: int | None = None,
    rescored: int = RESCORED,
    control: Control = Control(),
) -> Crops:
    """Find the best crops of a photo.

    Parameters
    ----------
    network : Network
        A classifier that ``heat`` can use.
    photo : ndarray of uint8, shape (H, W, 3)
        RGB.
    shape : (int, int), default (1, 1)
        Width to height of the crops.
    count : int, default 1
        Number of crops; fewer if the photo has fewer that differ.
    target : int, optional
        Class index; by default the top class of the whole photo.
    rescored : int, default 16
        Crops whose probability is computed by the network alone, for each result.
    control : Control, default Control()
        Gets (done, sizes).

    Returns
    -------
    Crops
        The crops, best first.

    Raises
    ------
    InvalidRequest
        For settings that do not fit.
    MethodError
        For a network that has no class at each place, and where the class is at no place.

    Notes
    -----
    The side of a crop is 1 to 0.44 of the largest one's. The crops of a result overlap by less than 0.6 (intersection
    over union).

    Examples
    --------
    >>> photo = cnnviz.read_photo("sample_images/coffee.jpg")
    >>> found = cnnviz.crop(cnnviz.load_network(), photo, shape=(4, 3))
    >>> found.crops[0].box, found.images()[0].shape
    """
    if min(shape) < 1 or count < 1 or rescored < 1:
        raise InvalidRequest(f"shape {shape}, count {count}, rescored {rescored}: take at least 1")
    sizes = [bounded_side(photo, HEAT_SIDE)]
    found = heat(network, photo, targets=None if target is None else [target], sizes=sizes, fit_mode="squash")
    inside = HeatShare(found)
    candidates = list[ScoredCrop]()
    for number, side in enumerate(SIDES):
        candidates += _places(network, photo, largest_box((photo.shape[0], photo.shape[1]), shape, side), inside)
        control.report(number + 1, len(SIDES))
        if control.stopped():
            break
    crops = _best(network, photo, candidates, inside, count, rescored)
    return Crops(tuple(crops), inside.target, len(candidates), photo, network=network)


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


def largest_box(size: tuple[int, int], shape: tuple[int, int], side: float = 1.0) -> tuple[int, int]:
    """Return height and width of a crop of a photo (H, W): ``side`` of the largest one of a shape, width to height."""
    scale = side * min(size[0] / shape[1], size[1] / shape[0])
    return max(1, round(shape[1] * scale)), max(1, round(shape[0] * scale))


def score(probability: float, share: float) -> float:
    """Return log(probability + 0.3) + 6 log share."""
    return log(probability + FLOOR) + SHARE_WEIGHT * log(max(share, 1e-6))


def cropped(photo: Photo, box: Box) -> Photo:
    """Return a box of a photo (H, W, 3)."""
    return np.ascontiguousarray(photo[box[1] : box[3], box[0] : box[2]])


def _places(network: Network, photo: Photo, size: tuple[int, int], inside: HeatShare) -> Iterator[ScoredCrop]:
    """Yield the crops of a size (h, w) at all places, from one pass over the photo.

    It is resized, each side by itself, so that a crop becomes the network's input.
    """
    stride, own = dense_plan(network).stride, network.size
    full = photo.shape[0], photo.shape[1]
    resized = [max(1, round(full[at] * own[at] / size[at] / stride)) * stride for at in (0, 1)]
    resized = [max(side, own[at] // stride * stride) for at, side in enumerate(resized)]
    if resized[0] * resized[1] > LARGEST:
        return
    wide = resized[0], resized[1]
    geometry = Geometry(full, wide, (0, 0), wide, network.preprocessing.interpolation)
    dense = dense_logits(network, to_inputs([geometry.see(photo)]), fused=True)
    cells = [1 if dense_plan(network).window else own[at] // stride for at in (0, 1)]
    means = _box_means(dense.values.float().cpu().numpy(), cells)
    shares = torch.from_numpy(means).double().softmax(2)[..., inside.target].numpy()
    for row, column in np.ndindex(shares.shape):
        top, left = (
            min(round(at * stride * full[axis] / wide[axis]), full[axis] - size[axis])
            for axis, at in enumerate((row, column))
        )
        box = left, top, left + size[1], top + size[0]
        probability, share = float(shares[row, column]), inside(box)
        yield ScoredCrop(box, score(probability, share), probability, share)


def _box_means(values: NDArray[np.float32], cells: Sequence[int]) -> NDArray[np.float64]:
    """Return the means of boxes of ``cells`` (rows, columns) at each place of maps (h, w, classes)."""
    rows, columns = (min(side, most) for side, most in zip(cells, values.shape, strict=False))
    sums = np.pad(values.astype(np.float64).cumsum(0).cumsum(1), ((1, 0), (1, 0), (0, 0)))
    boxes = sums[rows:, columns:] - sums[:-rows, columns:] - sums[rows:, :-columns] + sums[:-rows, :-columns]
    means: NDArray[np.float64] = boxes / (rows * columns)
    return means


def _best(
    network: Network, photo: Photo, candidates: Sequence[ScoredCrop], inside: HeatShare, count: int, rescored: int
) -> list[ScoredCrop]:
    """Return the best crops that differ; for each, the best candidates are computed anew."""
    left = sorted({one.box: one for one in candidates}.values(), key=lambda one: -one.score)
    exact, chosen = dict[Box, ScoredCrop](), list[ScoredCrop]()
    while left and len(chosen) < count:
        for one in left[:rescored]:
            if one.box not in exact:
                exact[one.box] = rescore(network, photo, one, inside.target)
        chosen.append(max((exact[one.box] for one in left[:rescored]), key=lambda one: one.score))
        left = [one for one in left if overlap(one.box, chosen[-1].box) < ALIKE]
    return sorted(chosen, key=lambda one: -one.score)


def rescore(network: Network, photo: Photo, one: ScoredCrop, target: int) -> ScoredCrop:
    """Return a crop with the probability that the network gives for it alone."""
    with torch.inference_mode():
        logits = network(fit(cropped(photo, one.box), network, "squash")[0])[0]
    probability = float(logits.double().softmax(0)[target])
    return replace(one, probability=probability, score=score(probability, one.share))


def overlap(first: Box, second: Box) -> float:
    """Return the intersection over union of two boxes."""
    width = max(0, min(first[2], second[2]) - max(first[0], second[0]))
    height = max(0, min(first[3], second[3]) - max(first[1], second[1]))
    areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (first, second)]
    return width * height / (sum(areas) - width * height)
