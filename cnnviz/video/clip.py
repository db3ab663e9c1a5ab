"""What is in a file: a clip, its size, rate and length; its frames come one at a time."""

import os
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cnnviz.errors import PhotoError
from cnnviz.io.header import MAX_PIXELS, START, may_be_picture

Picture = NDArray[np.uint8]


@dataclass(frozen=True)
class Frame:
    """One picture of a clip: uint8 RGB (H, W, 3), from ``time`` on for ``duration``, both in seconds."""

    picture: Picture
    time: Fraction
    duration: Fraction


@dataclass(frozen=True)
class Clip:
    """A clip on disk: ``size`` (h, w) of its upright frames, ``rate`` in frames a second (the mean, where it varies).

    ``time_base``: the seconds that its times are whole multiples of. ``duration`` in seconds and ``count`` of frames:
    None where the file does not say. ``sound``: whether it has any. ``frames()`` reads from the beginning, as often as
    it is called, and raises PhotoError where the file turns out to be broken or cut.
    """

    size: tuple[int, int]
    rate: Fraction
    time_base: Fraction
    duration: Fraction | None
    count: int | None
    sound: bool
    frames: Callable[[], Iterator[Frame]]


def read_clip(path: str | Path, *, max_pixels: int = MAX_PIXELS) -> Clip:
    """Return the clip in a file: a video, a GIF, an APNG or an animated WebP; a photograph is a clip of one frame.

    Raises PhotoError, without the file's name, for anything else and for frames of more than ``max_pixels``.
    """
    start = _start(path)
    if not start:
        raise PhotoError("is empty")
    if may_be_picture(start):
        from cnnviz.video.animation import open_animation

        return open_animation(path, max_pixels)
    from cnnviz.video.container import open_container

    return open_container(path, max_pixels)


def is_clip(path: str | Path) -> bool:
    """Return whether a file is a clip of several frames, judged by its header; what cannot be read is not."""
    try:
        if may_be_picture(_start(path)):
            from cnnviz.video.animation import has_frames as picture_moves

            return picture_moves(path)
        clip = read_clip(path)
    except PhotoError:
        return False
    return clip.count is None or clip.count > 1


def _start(path: str | Path) -> bytes:
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):
            raise PhotoError("is no file; a clip is read from a file alone")
        with os.fdopen(os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0)), "rb") as file:
            return file.read(START)
    except OSError as error:
        raise PhotoError((error.strerror or str(error)).lower()) from error
    except ValueError as error:  # a null byte in the name
        raise PhotoError("is no file's name") from error
