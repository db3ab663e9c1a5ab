"""The best crop of a photo: the class is recognised in it, and its evidence lies inside; or a network rates it highly.

A crop's score is log(p + 0.3) + 6 log s: the probability of the class for the crop alone, and the share of the class's
heat map that lies inside; or it is the rating of the crop alone. Of all places and sizes the network's outputs are
those of one pass over the whole photo for each size, as a fully convolutional network (Long, Shelhamer & Darrell 2015,
section 3.1); the best are computed anew.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray

from cnnviz.control import Control
from cnnviz.dense.crop_score import Box, HeatShare, Judge, ScoredCrop, judge_by_rating
from cnnviz.dense.fully_convolutional import dense_logits
from cnnviz.dense.heat import bounded_side, heat
from cnnviz.dense.plan import dense_plan
from cnnviz.errors import InvalidRequest
from cnnviz.io.color import Photo
from cnnviz.models.network import Network
from cnnviz.models.preprocess import Geometry, fit, to_inputs
from cnnviz.models.result import NetworkResult

SIDES = 1.0, 0.85, 0.72, 0.61, 0.52, 0.44  # of a crop, as shares of the largest of its shape
RESCORED = 16  # crops whose probability is computed anew
ALIKE = 0.6  # intersection over union from which on two crops are the same
HEAT_SIDE, LARGEST = 448, 8_000_000  # shorter side of the photo for the heat map; pixels of an input of a size, at most


@dataclass(frozen=True)
class Crops(NetworkResult):
    """The best crops of a photo, best first, for the class ``target``, None of a network that rates photos.

    ``tried``: places and sizes that were compared; ``photo`` uint8 RGB (H, W, 3).
    """

    crops: tuple[ScoredCrop, ...]
    target: int | None
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
    rating: bool = False,
    rescored: int = RESCORED,
    control: Control = Control(),
) -> Crops:
    """Find the best crops of a photo.

    Parameters
    ----------
    network : Network
        A classifier that ``heat`` can use, or such a network that rates photos.
    photo : ndarray of uint8, shape (H, W, 3)
        RGB.
    shape : (int, int), default (1, 1)
        Width to height of the crops.
    count : int, default 1
        Number of crops; fewer if the photo has fewer that differ.
    target : int, optional
        Class index; by default the top class of the whole photo.
    rating : bool, default False
        The network's own rating of a crop is its score; see ``rank``.
    rescored : int, default 16
        Crops that the network computes alone, for each result.
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
    if rating and target is not None:
        raise InvalidRequest("a network that rates photos has no target")
    sizes = [bounded_side(photo, HEAT_SIDE)]
    if rating:
        target, judge = None, judge_by_rating
    else:
        found = heat(network, photo, targets=None if target is None else [target], sizes=sizes, fit_mode="squash")
        target, judge = found.targets[0], HeatShare(found).judge
    candidates = list[ScoredCrop]()
    for number, side in enumerate(SIDES):
        candidates += _places(network, photo, largest_box((photo.shape[0], photo.shape[1]), shape, side), judge)
        control.report(number + 1, len(SIDES))
        if control.stopped():
            break
    crops = _best(network, photo, candidates, judge, count, rescored)
    return Crops(tuple(crops), target, len(candidates), photo, network=network)


def largest_box(size: tuple[int, int], shape: tuple[int, int], side: float = 1.0) -> tuple[int, int]:
    """Return height and width of a crop of a photo (H, W): ``side`` of the largest one of a shape, width to height."""
    scale = side * min(size[0] / shape[1], size[1] / shape[0])
    return max(1, round(shape[1] * scale)), max(1, round(shape[0] * scale))


def cropped(photo: Photo, box: Box) -> Photo:
    """Return a box of a photo (H, W, 3)."""
    return np.ascontiguousarray(photo[box[1] : box[3], box[0] : box[2]])


def _places(network: Network, photo: Photo, size: tuple[int, int], judge: Judge) -> Iterator[ScoredCrop]:
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
    for row, column in np.ndindex(means.shape[:2]):
        top, left = (
            min(round(at * stride * full[axis] / wide[axis]), full[axis] - size[axis])
            for axis, at in enumerate((row, column))
        )
        yield judge(means[row, column], (left, top, left + size[1], top + size[0]))


def _box_means(values: NDArray[np.float32], cells: Sequence[int]) -> NDArray[np.float64]:
    """Return the means of boxes of ``cells`` (rows, columns) at each place of maps (h, w, classes)."""
    rows, columns = (min(side, most) for side, most in zip(cells, values.shape, strict=False))
    sums = np.pad(values.astype(np.float64).cumsum(0).cumsum(1), ((1, 0), (1, 0), (0, 0)))
    boxes = sums[rows:, columns:] - sums[:-rows, columns:] - sums[rows:, :-columns] + sums[:-rows, :-columns]
    means: NDArray[np.float64] = boxes / (rows * columns)
    return means


def _best(
    network: Network, photo: Photo, candidates: Sequence[ScoredCrop], judge: Judge, count: int, rescored: int
) -> list[ScoredCrop]:
    """Return the best crops that differ; for each, the best candidates are computed anew."""
    left = sorted({one.box: one for one in candidates}.values(), key=lambda one: -one.score)
    exact, chosen = dict[Box, ScoredCrop](), list[ScoredCrop]()
    while left and len(chosen) < count:
        for one in left[:rescored]:
            if one.box not in exact:
                exact[one.box] = judge(outputs_alone(network, photo, one.box), one.box)
        chosen.append(max((exact[one.box] for one in left[:rescored]), key=lambda one: one.score))
        left = [one for one in left if overlap(one.box, chosen[-1].box) < ALIKE]
    return sorted(chosen, key=lambda one: -one.score)


def outputs_alone(network: Network, photo: Photo, box: Box) -> NDArray[np.float64]:
    """Return the outputs (K,) that the network gives for a crop alone."""
    with torch.inference_mode():
        outputs = network(fit(cropped(photo, box), network, "squash")[0])[0]
    return outputs.double().cpu().numpy()


def overlap(first: Box, second: Box) -> float:
    """Return the intersection over union of two boxes."""
    width = max(0, min(first[2], second[2]) - max(first[0], second[0]))
    height = max(0, min(first[3], second[3]) - max(first[1], second[1]))
    areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (first, second)]
    return width * height / (sum(areas) - width * height)
