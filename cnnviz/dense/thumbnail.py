"""Frames that stand for a clip: sharp, recognised by the network, and different from each other.

Scenes are found by their cuts. Of each half second the sharpest frame is given to the network, and scored by
confidence times sharpness (``dense.quality``); the best that differ enough are chosen and replaced by the best frame
near them. Song et al., "To Click or Not To Click", 2016 (arXiv:1609.01388), section 3, have the same parts: frames of
low quality are left out, those that are alike are grouped, the rest is scored.
"""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from itertools import groupby
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from cnnviz.control import Control
from cnnviz.dense.quality import SIDE, Quality, measure_quality, small_copy
from cnnviz.dense.scenes import color_histogram, histogram_difference, scene_cuts
from cnnviz.errors import PhotoError
from cnnviz.io.color import Photo
from cnnviz.models.catalog import ClassProbability
from cnnviz.models.features import capture
from cnnviz.models.network import Network
from cnnviz.models.preprocess import fit as fit_photo
from cnnviz.models.result import NetworkResult
from cnnviz.video.clip import read_clip
from cnnviz.video.frame import Clip, Frame

STEP = Fraction(1, 2)  # seconds of which one frame is given to the network
NEAR = 8  # frames near a chosen one that are compared with it, the sharpest
ALIKE = 0.7  # cosine of the features from which on two frames show the same


@dataclass(frozen=True)
class Thumbnail:
    """One frame: its ``index`` from 0, ``time`` in seconds, ``score``, and what the score was made of.

    ``features`` (F,) of the network, of length 1; ``image`` uint8 RGB (H, W, 3), of the clip's own size.
    """

    index: int
    time: float
    score: float
    quality: Quality
    top: tuple[ClassProbability, ...]
    features: NDArray[np.float32] = field(repr=False, compare=False)
    image: Photo | None = field(default=None, repr=False, compare=False)


@dataclass(frozen=True)
class Thumbnails(NetworkResult):
    """Frames that stand for a clip, best first; ``cuts``: times at which scenes begin; ``duration`` in seconds."""

    frames: tuple[Thumbnail, ...]
    cuts: tuple[float, ...]
    duration: float
    count: int


@dataclass(frozen=True)
class _Survey:
    """The first pass over a clip: ``times`` and ``scores`` at full confidence of all frames, ``cuts``, candidates."""

    times: tuple[Fraction, ...]
    scores: tuple[float, ...]
    cuts: tuple[int, ...]
    end: Fraction
    candidates: tuple[Thumbnail, ...]

    def scene(self, frame: int) -> range:
        """Return the frames of the scene of a frame."""
        at = bisect_right(self.cuts, frame)
        starts = (0, *self.cuts, len(self.times))
        return range(starts[at], starts[at + 1])

    def near(self, frame: int) -> list[int]:
        """Return a frame and the sharpest within STEP of it, in its scene."""
        close = [one for one in self.scene(frame) if one != frame and abs(self.times[one] - self.times[frame]) <= STEP]
        return [frame, *sorted(close, key=lambda one: -self.scores[one])[: NEAR - 1]]


def thumbnail(
    network: Network, clip: Clip | str | Path, *, count: int = 5, fit: str = "crop", control: Control = Control()
) -> Thumbnails:
    """Choose frames that stand for a clip.

    Parameters
    ----------
    network : Network
        Its confidence is part of the score, its features say which frames are alike.
    clip : str, Path or Clip
        A video, an animated image, or a photo, which is a clip of one frame.
    count : int, default 5
        Number of frames; fewer are chosen if the clip has fewer that differ.
    fit : str, default "crop"
        As in ``cnnviz.fit``.
    control : Control, default Control()
        Gets (frames done, frames of two passes; 0 if unknown), and is asked whether to stop in the first pass: the
        frames are then chosen from what was read.

    Returns
    -------
    Thumbnails
        The frames, best first.

    Raises
    ------
    PhotoError
        For a file that is no clip, is damaged or truncated.

    Notes
    -----
    The score is log(confidence) + log(sharpness) and the lesser terms of ``rank``, at 640 pixels at most. Frames
    without any detail above their noise are chosen only if there are no others. Two frames are different if the cosine
    of their features, the input of the network's last linear layer, is below 0.7.

    Examples
    --------
    >>> found = cnnviz.thumbnail(cnnviz.load_network(), "clip.mp4", count=3)
    >>> [(frame.time, frame.score) for frame in found.frames]
    """
    source = clip if isinstance(clip, Clip) else read_clip(clip)
    survey = _survey(network, source, fit, control)
    detailed = [one for one in survey.candidates if one.quality.sharpness > 0]
    chosen = different(sorted(detailed or survey.candidates, key=lambda one: -one.score), count)
    frames = _refined(network, source, survey, chosen, fit, control)
    cuts = tuple(float(survey.times[frame]) for frame in survey.cuts)
    return Thumbnails(frames, cuts, float(survey.end), len(survey.times), network=network)


def different(ranked: Sequence[Thumbnail], count: int) -> list[Thumbnail]:
    """Return the first frames of which none is like an earlier one, at most ``count``."""
    chosen = list[Thumbnail]()
    for one in ranked:
        if len(chosen) < count and not any(alike(one, other) for other in chosen):
            chosen.append(one)
    return chosen


def alike(first: Thumbnail, second: Thumbnail) -> bool:
    """Return whether two frames show the same, by the cosine of their features."""
    return float(first.features @ second.features) >= ALIKE


def frame_quality(image: Photo) -> Quality:
    """Return the quality of a frame (H, W, 3), of a copy of at most SIDE pixels: enlarged, noise would look smooth."""
    small = small_copy(image, min(SIDE, max(image.shape[:2])))
    return measure_quality(small, max(small.shape[:2]))


def score_frame(network: Network, image: Photo, quality: Quality, fit: str = "crop") -> Thumbnail:
    """Return the score of a frame, uint8 RGB (H, W, 3), as frame 0 at 0 s."""
    inputs, _ = fit_photo(image, network, fit)
    layer = next((name for name, one in reversed(network.layers().items()) if isinstance(one, nn.Linear)), None)
    with torch.inference_mode(), capture(network, [layer] if layer else [], inputs=True) as captured:
        logits = network(inputs)[0].float().cpu()
    features = captured.tensors[layer][-1].flatten().float().cpu() if layer else logits
    unit = nn.functional.normalize(features, dim=0).numpy()
    top = tuple(network.top(logits))
    return Thumbnail(0, 0.0, quality.score(top[0].probability), quality, top, unit, image)


@dataclass(frozen=True)
class _Measured:
    """A frame with its index, and what is measured of it without a network."""

    index: int
    frame: Frame
    quality: Quality
    histogram: NDArray[np.float64]

    @property
    def score(self) -> float:
        """The score at full confidence."""
        return self.quality.score(1.0)


def _measure(clip: Clip, control: Control) -> Iterator[_Measured]:
    """Yield the frames of a clip with their measures, until ``control`` asks to stop."""
    for index, frame in enumerate(clip.frames()):
        if index and control.stopped():
            return
        yield _Measured(index, frame, frame_quality(frame.picture), color_histogram(frame.picture))
        control.report(index + 1, 2 * clip.count if clip.count else 0)


def _survey(network: Network, clip: Clip, fit: str, control: Control) -> _Survey:
    """Measure every frame, and give the best of each STEP to the network."""
    times, scores, differences, candidates = list[Fraction](), list[float](), list[float](), list[Thumbnail]()
    last: _Measured | None = None
    for _, cell in groupby(_measure(clip, control), key=lambda one: one.frame.time // STEP):
        best: _Measured | None = None
        for one in cell:
            times.append(one.frame.time)
            scores.append(one.score)
            differences.append(histogram_difference(last.histogram, one.histogram) if last else 0.0)
            last = one
            best = one if best is None or one.score > best.score else best
        if best:
            found = score_frame(network, best.frame.picture, best.quality, fit)
            candidates.append(replace(found, index=best.index, time=float(best.frame.time), image=None))
    if last is None:
        raise PhotoError("holds no frame that can be decoded")
    end = last.frame.time + last.frame.duration
    return _Survey(tuple(times), tuple(scores), tuple(scene_cuts(differences)), end, tuple(candidates))


def _refined(
    network: Network, clip: Clip, survey: _Survey, chosen: Sequence[Thumbnail], fit: str, control: Control
) -> tuple[Thumbnail, ...]:
    """Return for each chosen frame the best near it, with its image; best first."""
    near = {one.index: survey.near(one.index) for one in chosen}
    wanted = {frame for frames in near.values() for frame in frames}
    scored, total = dict[int, Thumbnail](), len(survey.times)
    for index, frame in enumerate(clip.frames()):
        if index in wanted:
            found = score_frame(network, frame.picture, frame_quality(frame.picture), fit)
            scored[index] = replace(found, index=index, time=float(frame.time))
        control.report(total + index + 1, 2 * total)
        if index >= max(wanted):
            break
    kept = list[Thumbnail]()
    for one in chosen:
        ranked = sorted((scored[frame] for frame in near[one.index]), key=lambda other: -other.score)
        kept += [next((new for new in ranked if not any(alike(new, old) for old in kept)), scored[one.index])]
    return tuple(sorted(kept, key=lambda one: -one.score))
