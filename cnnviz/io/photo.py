"""From the bytes of a file to the photograph they hold."""

import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from PIL import ImageFile

from cnnviz.errors import PhotoError
from cnnviz.io.color import Note, Photo, parse_colour, to_rgb
from cnnviz.io.header import MAX_PIXELS, open_image
from cnnviz.io.integrity import check_integrity
from cnnviz.io.source import read_bytes


def silent(note: str) -> None:
    """Take a note and drop it."""


def read_photo(path: str | Path, **options: Any) -> Photo:
    """Return the photograph in a file, "-" for standard input; options are those of ``decode``."""
    return decode_photo(read_bytes(path, options.get("max_pixels", MAX_PIXELS)), **options)


def decode_photo(
    data: bytes,
    *,
    frame: int | None = None,
    max_pixels: int = MAX_PIXELS,
    background: str = "white",
    note: Note = silent,
) -> Photo:
    """Return the photograph that a file's bytes hold, uint8 RGB (H, W, 3), upright, in sRGB.

    ``frame`` counts from 0 in animated and multi-page files (default the first, with a note); ``background``
    shows through transparent pixels (a CSS colour name or #rrggbb); ``note`` is told what a person should know.
    Raises PhotoError for anything but a whole picture of at most ``max_pixels`` pixels.
    """
    below = parse_colour(background)
    with load_pixels(data, frame, max_pixels, note) as image:
        return to_rgb(image, below, note)


@contextmanager
def load_pixels(data: bytes, frame: int | None, max_pixels: int, note: Note) -> Iterator[ImageFile.ImageFile]:
    """Open a file's bytes as Pillow does, judged, whole, with its pixels loaded; for the rest see ``decode``."""
    with open_image(io.BytesIO(data), max_pixels) as image:
        check_integrity(image.format or "", data)
        _choose_frame(image, frame, note)
        _check_size(image, max_pixels)
        _mend_transparency(image, data)
        with _quiet():
            image.load()
        yield image


def _choose_frame(image: ImageFile.ImageFile, frame: int | None, note: Note) -> None:
    if frame:
        try:
            image.seek(frame)
        except EOFError:
            raise PhotoError(f"has no frame {frame} (they count from 0)") from None
    # An MPO is one photograph, with a second for the depth or the brightness.
    elif frame is None and image.format != "MPO" and getattr(image, "is_animated", False):
        note("has several frames or pages: the first is taken, --frame N takes another")


def _check_size(image: ImageFile.ImageFile, max_pixels: int) -> None:
    """Refuse what Pillow does not ask about: no pixels at all, and tiles larger than the picture."""
    if 0 in image.size:
        raise PhotoError("has no pixels")
    tags = getattr(image, "tag_v2", {})
    if tags.get(322, 1) * tags.get(323, 1) > max_pixels:
        raise PhotoError(f"has tiles of more than {max_pixels:,} pixels; see --max-pixels")


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep libtiff from writing on standard error, past Python."""
    try:
        kept = os.dup(2)
    except OSError:  # closed: nobody to disturb
        yield
        return
    with Path(os.devnull).open("wb") as nowhere:
        os.dup2(nowhere.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


def _mend_transparency(image: ImageFile.ImageFile, data: bytes) -> None:
    """Bring a PNG's one transparent colour to 8 bits as its pixels will be: Pillow leaves it as it was stored."""
    key = image.info.get("transparency")
    if image.format != "PNG" or key is None:
        return
    depth = data[24]
    if image.mode == "L":
        image.info["transparency"] = key * 255 // ((1 << depth) - 1)
    elif image.mode == "RGB" and depth == 16:
        image.info["transparency"] = tuple(part >> 8 for part in key)
