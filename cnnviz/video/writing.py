"""A clip to disk by its ending: the whole file or nothing, the recipe inside it."""

from collections.abc import Iterable
from fractions import Fraction
from itertools import chain
from pathlib import Path
from typing import BinaryIO

from cnnviz.errors import InvalidRequest, OutputError, printable
from cnnviz.io import write as output
from cnnviz.io.color import Note
from cnnviz.io.recipe import Recipe
from cnnviz.video.clip import Frame

KINDS = {".mp4": "mp4", ".mov": "mov", ".mkv": "matroska", ".webm": "webm",
         ".gif": "GIF", ".webp": "WEBP", ".png": "PNG", ".apng": "PNG"}  # fmt: skip
STILL = {"GIF": "GIF", "WEBP": "WebP", "PNG": "APNG"}


def _silent(note: str) -> None:
    """Take a note and drop it."""


def kind(path: str) -> str:
    """Return the container that a file's ending asks for: FFmpeg's name, or Pillow's in capitals; mp4 for "-"."""
    if path in output.STDOUT:
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
    note: Note = _silent,
) -> None:
    """Write frames, all of one size, at least one: H.264 in MP4, MOV and MKV, VP9 in WebM, GIF, WebP, APNG.

    ``rate``: frames a second; ``time_base``: what their times are multiples of, by default that of the rate.
    ``sound_from``: a clip whose sound goes with them; ``note`` is told where it cannot, or not as it is.
    H.264 and VP9 hold even sides: an odd one gets its last row or column twice. GIF, WebP and APNG are made of
    all frames at once, in memory. Raises OutputError, and whatever ``frames`` raises; nothing is left then.
    """
    chosen = kind(path)
    if chosen in STILL and sound_from:
        note(f"{STILL[chosen]} holds no sound: it is left out")

    coming = iter(frames)
    first = next(coming, None)
    if first is None:
        raise OutputError(f"{printable(path)}: there is no frame to write")
    whole = chain([first], coming)

    def save(file: BinaryIO) -> None:
        if chosen in STILL:
            from cnnviz.video import animation

            animation.save(file, list(whole), chosen, recipe)
        else:
            from cnnviz.video import encoding

            step = time_base or Fraction(1, rate.numerator)
            encoding.encode(file, whole, chosen, recipe, rate, step, sound_from, note)

    output.write(path, save)
