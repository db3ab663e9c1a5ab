"""Order of photos by technical quality, or by the rating of a network that was trained to rate them.

Confidence of a classifier as a cue of quality, beside sharpness, noise, exposure and compression; ratings as Talebi &
Milanfar, "NIMA: Neural Image Assessment", 2018 (arXiv:1709.05424), section III, defines them.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from cnnviz.control import Control
from cnnviz.dense.quality import Quality, measure_quality, small_copy
from cnnviz.errors import CnnvizError, InvalidRequest
from cnnviz.io.color import Photo
from cnnviz.io.photo import read_photo
from cnnviz.models.catalog import ClassProbability
from cnnviz.models.network import Network
from cnnviz.models.preprocess import fit as fit_photo
from cnnviz.models.result import NetworkResult

THUMBNAIL = 480  # longer side of the copies that the figure shows, in pixels
AnyPhoto = Path | str | NDArray[np.uint8]


@dataclass(frozen=True)
class RankedPhoto:
    """One photo: its ``index`` in what was given, its ``score``, and what the score was made of.

    ``name`` of its file, or "photo 3"; ``top``: the largest outputs as classes; ``rating``: of a network that rates,
    its score; ``thumbnail`` uint8 RGB, at most 480 pixels long, None where it was dropped.
    """

    index: int
    name: str
    score: float
    quality: Quality
    top: tuple[ClassProbability, ...]
    rating: float | None = None
    thumbnail: Photo | None = field(default=None, repr=False, compare=False)


@dataclass(frozen=True)
class Ranking(NetworkResult):
    """Photos, best first; ``failures``: why a photo, by its index, was left out."""

    photos: tuple[RankedPhoto, ...]
    failures: dict[int, str]


def rank(
    network: Network,
    photos: Sequence[AnyPhoto],
    *,
    rating: bool = False,
    fit: str = "crop",
    control: Control = Control(),
) -> Ranking:
    """Order photos by technical quality, or by the rating of a network.

    Parameters
    ----------
    network : Network
        A classifier, or a network that rates photos.
    photos : sequence of str, Path or ndarray of uint8
        Paths, or RGB (H, W, 3).
    rating : bool, default False
        The network's own rating is the score: of one output that output, of K outputs the mean of 1 to K under their
        softmax.
    fit : str, default "crop"
        As in ``cnnviz.fit``.
    control : Control, default Control()
        Gets (done, photos), and is asked whether to stop.

    Returns
    -------
    Ranking
        The photos, best first; those that cannot be read are left out and named in ``failures``.

    Raises
    ------
    InvalidRequest
        If no photo could be read, and for a network of one output that is not to rate.

    Notes
    -----
    score = log(confidence) + log(sharpness) - 1.5 log(visible noise) + 2 log(1 - clipped) - 2 log(visible blocking):
    technical quality alone. The confidence is that of the photo and its mirror image together; it depends on what the
    network was trained on.

    Examples
    --------
    >>> photos = ["sample_images/coffee.jpg", "sample_images/chelsea.jpg"]
    >>> [photo.index for photo in cnnviz.rank(cnnviz.load_network(), photos).photos]
    [0, 1]
    """
    rows, failures = list[RankedPhoto](), dict[int, str]()
    for index, photo in enumerate(photos):
        if control.stopped():
            break
        control.report(index, len(photos))
        try:
            image = photo if isinstance(photo, np.ndarray) else read_photo(photo)
            name = f"photo {index + 1}" if isinstance(photo, np.ndarray) else Path(photo).name
            rows.append(replace(score_photo(network, image, rating=rating, fit=fit), index=index, name=name))
        except InvalidRequest:  # it would be the same for all
            raise
        except CnnvizError as error:
            failures[index] = str(error)
    if not rows:
        raise InvalidRequest("no photo could be read")
    return Ranking(best_first(rows), failures, network=network)


def best_first(rows: Sequence[RankedPhoto]) -> tuple[RankedPhoto, ...]:
    """Return photos by falling score; equal ones stay in their order."""
    return tuple(sorted(rows, key=lambda row: -row.score))


def score_photo(network: Network, photo: Photo, *, rating: bool = False, fit: str = "crop") -> RankedPhoto:
    """Return the score of one photo, uint8 RGB (H, W, 3), as index 0 without a name; options as in ``rank``."""
    inputs, _ = fit_photo(photo, network, fit)
    with torch.inference_mode():
        both = network(torch.cat([inputs, inputs.flip(3)])).cpu()
    logits, top = both[0], network.top(both.double().softmax(1).mean(0).clamp_min(1e-30).log())
    quality, thumbnail = measure_quality(photo), small_copy(photo, min(THUMBNAIL, max(photo.shape[:2])))
    if len(logits) == 1 and not rating:
        raise InvalidRequest(f"{network.name} has one output: its rating is the score with --rating")
    own = mean_rating(logits.tolist()) if rating else None
    score = quality.score(top[0].probability) if own is None else own
    return RankedPhoto(0, "", score, quality, tuple(top), own, thumbnail)


def mean_rating(outputs: Sequence[float]) -> float:
    """Return the output itself of one; of K the mean of the ratings 1 to K under the softmax of the outputs."""
    if len(outputs) == 1:
        return outputs[0]
    weights = [math.exp(output - max(outputs)) for output in outputs]
    return sum(place * weight for place, weight in enumerate(weights, 1)) / sum(weights)
