"""Clips from files: videos, and animated images."""

import os
import stat
from pathlib import Path

from cnnviz.errors import PhotoError
from cnnviz.io.header import MAX_PIXELS, START, may_be_picture
from cnnviz.video.frame import Clip


def read_clip(path: str | Path, *, max_pixels: int = MAX_PIXELS) -> Clip:
    """Return the clip in a file: a video, a GIF, an APNG or an animated WebP; a photo is a clip of one frame.

    Raises PhotoError, without the file's name, for anything else and for frames of more than ``max_pixels``.
    """
    start = _read_start(path)
    if not start:
        raise PhotoError("is empty")
    if may_be_picture(start):
        from cnnviz.video.animation import open_animation

        return open_animation(path, max_pixels)
    from cnnviz.video.container import open_container

    return open_container(path, max_pixels)


def is_clip(path: str | Path) -> bool:
    """Return whether a file is a clip of several frames, by its header; False if it cannot be read."""
    try:
        if may_be_picture(_read_start(path)):
            from cnnviz.video.animation import has_frames

            return has_frames(path)
        clip = read_clip(path)
    except PhotoError:
        return False
    return clip.count is None or clip.count > 1


def _read_start(path: str | Path) -> bytes:
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):
            raise PhotoError("is not a regular file; clips are read from files only")
        with os.fdopen(os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0)), "rb") as file:
            return file.read(START)
    except OSError as error:
        raise PhotoError((error.strerror or str(error)).lower()) from error
    except ValueError as error:  # a null byte in the name
        raise PhotoError("is not a valid file name") from error
