"""Clip files: the format by the file's ending, the complete file or nothing, the recipe inside."""

from collections.abc import Iterable
from fractions import Fraction
from itertools import chain
from pathlib import Path
from typing import BinaryIO

from cnnviz.control import ignore_note
from cnnviz.errors import InvalidRequest, OutputError
from cnnviz.io import write
from cnnviz.io.color import Note
from cnnviz.io.recipe import Recipe
from cnnviz.text import printable
from cnnviz.video.frame import Frame

KINDS = {".mp4": "mp4", ".mov": "mov", ".mkv": "matroska", ".webm": "webm",
         ".gif": "GIF", ".webp": "WEBP", ".png": "PNG", ".apng": "PNG"}  # fmt: skip
STILL = {"GIF": "GIF", "WEBP": "WebP", "PNG": "APNG"}


def clip_format(path: str) -> str:
    """Return the format for a file's ending: FFmpeg's name, or Pillow's in capitals; mp4 for "-"."""
    if path in write.STDOUT:
        return "mp4"
    suffix = Path(path).suffix.lower()
    if suffix not in KINDS:
        raise InvalidRequest(f"-o {printable(path)}: write a clip to a name that ends in {', '.join(KINDS)}")
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
) -> None:
    """Write frames, all of one size, at least one: H.264 in MP4, MOV and MKV, VP9 in WebM, GIF, WebP, APNG.

    ``rate`` in frames per second; times are multiples of ``time_base``, by default that of the rate. ``sound_from``: a
    clip whose sound is added; ``note`` takes a remark if it is left out or encoded again. H.264 and VP9 have even
    sides: the last row or column is repeated at odd ones. GIF, WebP and APNG are made from all frames at once, in
    memory. Raises OutputError, and any error of ``frames``; no file is left then.
    """
    chosen = clip_format(path)
    if chosen in STILL and sound_from:
        note(f"{STILL[chosen]} files have no sound: it is left out")

    rest = iter(frames)
    first = next(rest, None)
    if first is None:
        raise OutputError(f"{printable(path)}: there is no frame to write")
    all_frames = chain([first], rest)

    def save(file: BinaryIO) -> None:
        if chosen in STILL:
            from cnnviz.video import animation

            animation.write_animation(file, list(all_frames), chosen, recipe)
        else:
            from cnnviz.video import encoding

            step = time_base or Fraction(1, rate.numerator)
            encoding.write_video(file, all_frames, chosen, recipe, rate, step, sound_from, note)

    write.write(path, save)
