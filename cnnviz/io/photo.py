"""Photos and masks from the bytes of image files."""

import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import ImageFile

from cnnviz.control import Control, ignore_note
from cnnviz.errors import MethodError, PhotoError
from cnnviz.io.color import Note, Photo, parse_color, to_rgb
from cnnviz.io.header import MAX_PIXELS, open_image
from cnnviz.io.integrity import check_integrity
from cnnviz.io.source import read_bytes
from cnnviz.text import printable


def read_photo(
    path: str | Path,
    *,
    frame: int | None = None,
    max_pixels: int = MAX_PIXELS,
    background: str = "white",
    control: Control = Control(),
) -> Photo:
    """Read a photo from a file.

    Parameters
    ----------
    path : str or Path
        An image file, or "-" for standard input.
    frame : int, optional
        Frame or page of an animated or multi-page file, counted from 0; by default the first, with a note.
    max_pixels : int, default 100_000_000
        The largest image that is read, in pixels.
    background : str, default "white"
        What shows through transparent pixels: a CSS colour name or #rrggbb.
    control : Control, default Control()
        Its ``note`` takes remarks about the file.

    Returns
    -------
    ndarray of uint8, shape (H, W, 3)
        The photo: RGB, upright, in sRGB.

    Raises
    ------
    PhotoError
        For anything but a complete image of at most ``max_pixels`` pixels.
    InvalidRequest
        For an unknown colour.

    Examples
    --------
    >>> cnnviz.read_photo("sample_images/coffee.jpg").shape
    (400, 600, 3)
    """
    data = read_bytes(path, max_pixels)
    return decode_photo(data, frame=frame, max_pixels=max_pixels, background=background, note=control.note)


def read_mask(path: str | Path, size: tuple[int, int], *, max_pixels: int = MAX_PIXELS) -> NDArray[np.uint8]:
    """Return the mask (H, W), 0 to 255, in an image file for a photo of ``size`` (H, W): its largest channel.

    Raises MethodError, with the file's name, if the file cannot be read or has another size.
    """
    name, (height, width) = printable(str(path)), size
    try:
        image = read_photo(path, max_pixels=max_pixels, background="black")
    except PhotoError as error:
        raise MethodError(f"{name}: {error}") from error
    if image.shape[:2] != size:
        h, w = image.shape[:2]
        raise MethodError(f"{name}: a mask of {w}x{h} pixels does not fit the photo of {width}x{height}")
    mask: NDArray[np.uint8] = image.max(2)
    return mask


def decode_photo(
    data: bytes,
    *,
    frame: int | None = None,
    max_pixels: int = MAX_PIXELS,
    background: str = "white",
    note: Note = ignore_note,
) -> Photo:
    """Return the photo in a file's bytes, uint8 RGB (H, W, 3), upright, in sRGB.

    ``frame`` counts from 0 in animated and multi-page files (default the first, with a note); ``background``
    shows through transparent pixels (a CSS colour name or #rrggbb); ``note`` takes remarks for the user.
    Raises PhotoError for anything but a complete image of at most ``max_pixels`` pixels.
    """
    below = parse_color(background)
    with load_pixels(data, frame, max_pixels, note) as image:
        return to_rgb(image, below, note)


@contextmanager
def load_pixels(data: bytes, frame: int | None, max_pixels: int, note: Note) -> Iterator[ImageFile.ImageFile]:
    """Open a file's bytes with Pillow, check them, and load the pixels; options and errors as in ``decode_photo``."""
    with open_image(io.BytesIO(data), max_pixels) as image:
        check_integrity(image.format or "", data)
        _choose_frame(image, frame, note)
        _check_size(image, max_pixels)
        _scale_transparency(image, data)
        with _quiet():
            image.load()
        yield image


def _choose_frame(image: ImageFile.ImageFile, frame: int | None, note: Note) -> None:
    if frame:
        try:
            image.seek(frame)
        except EOFError:
            raise PhotoError(f"has no frame {frame} (they count from 0)") from None
    # An MPO is one photo, with a second image for depth or brightness.
    elif frame is None and image.format != "MPO" and getattr(image, "is_animated", False):
        note("has several frames or pages: the first is used; --frame N selects another")


def _check_size(image: ImageFile.ImageFile, max_pixels: int) -> None:
    """Refuse what Pillow does not check: no pixels at all, and tiles larger than the image."""
    if 0 in image.size:
        raise PhotoError("has no pixels")
    tags = getattr(image, "tag_v2", {})
    if tags.get(322, 1) * tags.get(323, 1) > max_pixels:
        raise PhotoError(f"has tiles of more than {max_pixels:,} pixels; see --max-pixels")


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep libtiff from writing to standard error."""
    try:
        kept = os.dup(2)
    except OSError:  # closed
        yield
        return
    with Path(os.devnull).open("wb") as nowhere:
        os.dup2(nowhere.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


def _scale_transparency(image: ImageFile.ImageFile, data: bytes) -> None:
    """Scale a PNG's transparent colour to 8 bits, as Pillow does with the pixels but not with this colour."""
    key = image.info.get("transparency")
    if image.format != "PNG" or key is None:
        return
    depth = data[24]
    if image.mode == "L":
        image.info["transparency"] = key * 255 // ((1 << depth) - 1)
    elif image.mode == "RGB" and depth == 16:
        image.info["transparency"] = tuple(part >> 8 for part in key)
