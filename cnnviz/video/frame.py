"""Frames and clips."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.uint8]


@dataclass(frozen=True)
class Frame:
    """One image of a clip: ``picture`` uint8 RGB (H, W, 3), its ``time`` and ``duration`` in seconds."""

    picture: Picture
    time: Fraction
    duration: Fraction


@dataclass(frozen=True)
class Clip:
    """A clip on disk: ``rate`` in frames per second, the mean if it varies.

    Times are multiples of ``time_base`` seconds. ``count`` of frames is None if the file does not contain it.
    ``sound``: whether it has a sound track. Each call of ``frames()`` reads from the beginning; it raises PhotoError if
    the file is damaged or truncated.
    """

    rate: Fraction
    time_base: Fraction
    count: int | None
    sound: bool
    frames: Callable[[], Iterator[Frame]]
