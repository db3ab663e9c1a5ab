"""A photo as stored in its file: 8-bit values that can be changed and written again, with alpha and colour profile."""

import re
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from PIL.ImageFile import ImageFile
from PIL.TiffImagePlugin import BITSPERSAMPLE, TiffImageFile

from cnnviz.control import ignore_note
from cnnviz.io.color import Note, Photo, parse_color, to_rgb, upright
from cnnviz.io.header import MAX_PIXELS
from cnnviz.io.photo import load_pixels

KEPT = ("L", "LA", "RGB", "RGBA")  # modes with 8-bit values


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
        """Return the gradient in the values (H, W, C) for a gradient in the photo (H, W, 3).

        An approximation with a colour profile, which is taken as the identity: it changes colours little.
        """
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
    """Return the stored pixels in a file's bytes, in 8 bits; options and errors as in ``decode_photo``.

    Grey, RGB and alpha are kept. Everything else (palettes, CMYK, 16 bits, 1 bit) becomes 8-bit RGB in sRGB, with a
    note.
    """
    below = parse_color(background)
    with load_pixels(data, frame, max_pixels, note) as image:
        if image.mode not in KEPT or "transparency" in image.info or _depth(image, data) > 8:
            note("its palette, depth or colour space cannot be kept: it is converted to 8-bit RGB")
            return StoredImage(to_rgb(image, below, note), None, None, below)
        icc = image.info.get("icc_profile")
        turned = upright(image, note)
        alpha = np.array(turned.getchannel("A")) if turned.mode.endswith("A") else None
        values = np.array(turned.convert(turned.mode.removesuffix("A")) if alpha is not None else turned)
    return StoredImage(values.reshape(*values.shape[:2], -1), alpha, icc, below)


def _depth(image: ImageFile, data: bytes) -> int:
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
