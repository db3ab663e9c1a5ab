"""Photos and masks from the bytes of image files, in sRGB or as they are stored, to be changed and written again."""

import io
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFile
from PIL.TiffImagePlugin import BITSPERSAMPLE, TiffImageFile

from cnnviz.control import Control, ignore_note
from cnnviz.errors import MethodError, PhotoError
from cnnviz.io.color import Note, Photo, parse_color, to_rgb, upright
from cnnviz.io.image_file import MAX_PIXELS, check_integrity, open_image, read_bytes
from cnnviz.text import printable

KEPT = ("L", "LA", "RGB", "RGBA")  # modes with 8-bit values


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
    """Return the mask (H, W), 0 to 255, in an image file: its largest channel. Raises MethodError for another size."""
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
    """Return the photo in a file's bytes, uint8 RGB (H, W, 3), in sRGB; options and errors as in ``read_photo``."""
    below = parse_color(background)
    with _load_pixels(data, frame, max_pixels, note) as image:
        return to_rgb(image, below, note)


@contextmanager
def _load_pixels(data: bytes, frame: int | None, max_pixels: int, note: Note) -> Iterator[ImageFile.ImageFile]:
    """Open a file's bytes with Pillow, check them, and load the pixels; options and errors as in ``decode_photo``."""
    with open_image(io.BytesIO(data), max_pixels) as image:
        check_integrity(image.format or "", data)
        _choose_frame(image, frame, note)
        # Pillow checks neither for no pixels at all, nor for tiles larger than the image.
        if 0 in image.size:
            raise PhotoError("has no pixels")
        tags = getattr(image, "tag_v2", {})
        if tags.get(322, 1) * tags.get(323, 1) > max_pixels:
            raise PhotoError(f"has tiles of more than {max_pixels:,} pixels; see --max-pixels")
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
    if image.mode == "L":
        image.info["transparency"] = key * 255 // ((1 << data[24]) - 1)
    elif image.mode == "RGB" and data[24] == 16:
        image.info["transparency"] = tuple(part >> 8 for part in key)


@dataclass(frozen=True)
class StoredImage:
    """The stored pixels of a file, upright.

    ``values`` uint8 (H, W, C), C = 1 for grey, 3 for RGB; ``alpha`` uint8 (H, W) and the ``icc`` profile, None without;
    ``background`` the RGB colour below transparent pixels.
    """

    values: NDArray[np.uint8]
    alpha: NDArray[np.uint8] | None
    icc: bytes | None
    background: tuple[int, ...]

    @property
    def reading(self) -> dict[str, Any]:
        """The options of ``decode_photo`` with which a file of this image is read: its size and background."""
        return {"max_pixels": self.values[..., 0].size, "background": f"#{bytes(self.background).hex()}"}

    def image(self, values: NDArray[np.uint8]) -> Image.Image:
        """Return a Pillow image of the same mode with other values (H, W, C)."""
        image = Image.fromarray(values[..., 0] if values.shape[2] == 1 else values)
        if self.alpha is not None:
            image.putalpha(Image.fromarray(self.alpha))
        if self.icc:
            image.info["icc_profile"] = self.icc
        return image

    def photo(self, values: NDArray[np.uint8]) -> Photo:
        """Return the photo, uint8 RGB (H, W, 3), that ``decode_photo`` gives for a file with other values (H, W, C)."""
        if values.shape[2] == 3 and self.alpha is None and not self.icc:
            return values
        return to_rgb(self.image(values), self.background, ignore_note)

    def back(self, gradient: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the gradient in the values (H, W, C) for one in the photo (H, W, 3), as without a colour profile."""
        if self.alpha is not None:
            gradient = np.multiply(gradient, self.alpha[..., None] / np.float32(255), dtype=np.float32)
        return gradient if self.values.shape[2] == 3 else gradient.sum(2, keepdims=True)


def decode_stored(
    data: bytes,
    *,
    frame: int | None = None,
    max_pixels: int = MAX_PIXELS,
    background: str = "white",
    note: Note = ignore_note,
) -> StoredImage:
    """Return the stored pixels in a file's bytes, in 8 bits; options and errors as ``read_photo``.

    All but grey, RGB and alpha (palettes, CMYK, 16 bits, 1 bit) becomes 8-bit RGB in sRGB, with a note.
    """
    below = parse_color(background)
    with _load_pixels(data, frame, max_pixels, note) as image:
        if image.mode not in KEPT or "transparency" in image.info or _depth(image, data) > 8:
            note("its palette, depth or colour space cannot be kept: it is converted to 8-bit RGB")
            return StoredImage(to_rgb(image, below, note), None, None, below)
        icc = image.info.get("icc_profile")
        turned = upright(image, note)
        alpha = np.array(turned.getchannel("A")) if turned.mode.endswith("A") else None
        values = np.array(turned.convert(turned.mode.removesuffix("A")) if alpha is not None else turned)
    return StoredImage(values.reshape(*values.shape[:2], -1), alpha, icc, below)


def _depth(image: ImageFile.ImageFile, data: bytes) -> int:
    """Return the bits per value in a file, which Pillow may have reduced to 8."""
    if isinstance(image, TiffImageFile):
        return int(max(image.tag_v2.get(BITSPERSAMPLE, (1,))))
    if image.format == "PNG":
        return data[24]
    if image.format == "PPM":  # the fourth number of its header is the largest value
        head = re.match(rb"P[2356]" + 3 * rb"(?:\s|#[^\r\n]*[\r\n])+(\d+)", data)
        return int(head[3]).bit_length() if head else 8
    if image.format == "JPEG2000":
        box = data.find(b"ihdr")
        return (data[box + 14 if box >= 0 else 42] & 127) + 1  # ISO 15444-1, I.5.3.1 and A.5.1
    if image.format == "AVIF":
        return 10 if data[data.find(b"av1C") + 6] & 0x60 else 8  # 10 or 12: AV1 in ISOBMFF, 2.3.3
    return 8
