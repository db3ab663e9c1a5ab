"""Clip files: the format by content, or by the ending of the name; the complete file or nothing, the recipe inside."""

import os
import stat
from collections.abc import Iterable
from fractions import Fraction
from itertools import chain
from pathlib import Path
from typing import BinaryIO

from cnnviz.control import ignore_note
from cnnviz.errors import InvalidRequest, OutputError, PhotoError
from cnnviz.io import write
from cnnviz.io.color import Note
from cnnviz.io.image_file import MAX_PIXELS, START, may_be_picture
from cnnviz.io.recipe import Recipe
from cnnviz.text import printable
from cnnviz.video.frame import Clip, Frame

KINDS = {".mp4": "mp4", ".mov": "mov", ".mkv": "matroska", ".webm": "webm",
         ".gif": "GIF", ".webp": "WEBP", ".png": "PNG", ".apng": "PNG"}  # fmt: skip
LOSSLESS = (".mkv", ".png", ".apng", ".webp")  # FFV1, APNG, WebP
STILL = {"GIF": "GIF", "WEBP": "WebP", "PNG": "APNG"}


def read_clip(path: str | Path, *, max_pixels: int = MAX_PIXELS) -> Clip:
    """Return the clip in a file: a video, a GIF, an APNG or an animated WebP; a photo is a clip of one frame.

    Raises PhotoError, without the file's name, for anything else and for frames of more than ``max_pixels``.
    """
    start = read_start(path)
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
        if may_be_picture(read_start(path)):
            from cnnviz.video.animation import has_frames

            return has_frames(path)
        clip = read_clip(path)
    except PhotoError:
        return False
    return clip.count is None or clip.count > 1


def read_start(path: str | Path) -> bytes:
    """Return the first bytes of a file. Raises PhotoError, without its name, where it cannot be read."""
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):
            raise PhotoError("is not a regular file; clips are read from files only")
        with os.fdopen(os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0)), "rb") as file:
            return file.read(START)
    except OSError as error:
        raise PhotoError((error.strerror or str(error)).lower()) from error
    except ValueError as error:  # a null byte in the name
        raise PhotoError("is not a valid file name") from error


def clip_format(path: str, *, lossless: bool = False) -> str:
    """Return the format for a file's ending: FFmpeg's name, or Pillow's in capitals.

    For "-" it is mp4, or Matroska if ``lossless``. Raises InvalidRequest for other endings.
    """
    if path in write.STDOUT:
        return "matroska" if lossless else "mp4"
    suffix, kinds = Path(path).suffix.lower(), LOSSLESS if lossless else tuple(KINDS)
    if suffix not in kinds:
        what = "a lossless clip" if lossless else "a clip"
        raise InvalidRequest(f"-o {printable(path)}: write {what} to a name that ends in {', '.join(kinds)}")
    return KINDS[suffix]


def write_clip(
    path: str,
    frames: Iterable[Frame],
    *,
    rate: Fraction,
    recipe: Recipe,
    time_base: Fraction | None = None,
    sound_from: Path | None = None,
    note: Note = ignore_note,
    lossless: bool = False,
) -> None:
    """Write frames, all of one size, at least one: H.264 in MP4, MOV and MKV, VP9 in WebM, GIF, WebP, APNG.

    ``rate`` in frames per second; times are multiples of ``time_base``, by default that of the rate. ``sound_from``: a
    clip whose sound is added; ``note`` takes a remark if it is left out or encoded again. ``lossless``: FFV1
    in MKV, lossless WebP, or APNG. H.264 and VP9 have even
    sides: the last row or column is repeated at odd ones. GIF, WebP and APNG are made from all frames at once, in
    memory. Raises OutputError, and any error of ``frames``; no file is left then.
    """
    chosen = clip_format(path, lossless=lossless)
    if chosen in STILL and sound_from:
        note(f"{STILL[chosen]} files have no sound: it is left out")
    rest = iter(frames)
    first = next(rest, None)
    if first is None:
        raise OutputError(f"{printable(path)}: there is no frame to write")
    height, width = first.picture.shape[:2]
    step, all_frames = time_base or Fraction(1, rate.numerator), chain([first], rest)

    def save(file: BinaryIO) -> None:
        if chosen in STILL:
            from cnnviz.video.animation import write_animation

            write_animation(file, list(all_frames), chosen, recipe, lossless=lossless)
        else:
            from cnnviz.video.encoding import write_video

            write_video(file, all_frames, (height, width), chosen, recipe, rate, step, sound_from, note, lossless)

    write.write(path, save)
