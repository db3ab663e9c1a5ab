"""A photograph as its file stores it: the pixels that can be changed level by level, and what is kept beside them."""

import re
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from PIL.ImageFile import ImageFile
from PIL.TiffImagePlugin import BITSPERSAMPLE, TiffImageFile

from cnnviz.io.color import Note, Photo, parse_colour, to_rgb, upright
from cnnviz.io.header import MAX_PIXELS
from cnnviz.io.photo import load_pixels, silent

KEPT = ("L", "LA", "RGB", "RGBA")  # modes whose values are levels of 8 bits as they are


@dataclass(frozen=True)
class StoredImage:
    """What a file stores, upright.

    ``values`` (H, W, C), uint8: C = 1 for grey, 3 for RGB; ``alpha`` (H, W), uint8, the ``icc`` profile, and the
    ``background`` colour below what is transparent.
    """

    values: NDArray[np.uint8]
    alpha: NDArray[np.uint8] | None
    icc: bytes | None
    background: tuple[int, ...]

    @property
    def reading(self) -> dict[str, Any]:
        """The options of ``decode`` by which a file of its own is read: so many pixels, on this background."""
        return {"max_pixels": self.values[..., 0].size, "background": f"#{bytes(self.background).hex()}"}

    def image(self, values: NDArray[np.uint8]) -> Image.Image:
        """Return the picture of the same kind that holds other values (H, W, C)."""
        image = Image.fromarray(values[..., 0] if values.shape[2] == 1 else values)
        if self.alpha is not None:
            image.putalpha(Image.fromarray(self.alpha))
        if self.icc:
            image.info["icc_profile"] = self.icc
        return image

    def photo(self, values: NDArray[np.uint8]) -> Photo:
        """Return other values (H, W, C) as a photograph, as ``decode`` would from their file: uint8 RGB (H, W, 3)."""
        if values.shape[2] == 3 and self.alpha is None and not self.icc:
            return values
        return to_rgb(self.image(values), self.background, silent)

    def back(self, slope: NDArray[np.float32]) -> NDArray[np.float32]:
        """Carry a slope in the photograph (H, W, 3) back to the values, (H, W, C).

        The colour profile is taken for the identity: it bends colours a little, and turns no slope round.
        """
        if self.alpha is not None:
            slope = np.multiply(slope, self.alpha[..., None] / np.float32(255), dtype=np.float32)
        return slope if self.values.shape[2] == 3 else slope.sum(2, keepdims=True)


def decode_stored(
    data: bytes,
    *,
    frame: int | None = None,
    max_pixels: int = MAX_PIXELS,
    background: str = "white",
    note: Note = silent,
) -> StoredImage:
    """Return what a file's bytes store, in 8 bits; the options and errors are those of ``decode``.

    Grey, RGB and alpha stay. What else there is (palettes, CMYK, 16 bits, 1 bit) becomes RGB of 8 bits in sRGB; a
    note says so.
    """
    below = parse_colour(background)
    with load_pixels(data, frame, max_pixels, note) as image:
        if image.mode not in KEPT or "transparency" in image.info or _depth(image, data) > 8:
            note("its palette, its depth or its colours cannot be kept: it becomes RGB of 8 bits")
            return StoredImage(to_rgb(image, below, note), None, None, below)
        icc = image.info.get("icc_profile")
        turned = upright(image, note)
        alpha = np.array(turned.getchannel("A")) if turned.mode.endswith("A") else None
        values = np.array(turned.convert(turned.mode.removesuffix("A")) if alpha is not None else turned)
    return StoredImage(values.reshape(*values.shape[:2], -1), alpha, icc, below)


def _depth(image: ImageFile, data: bytes) -> int:
    """Return the bits of a value in a file, which Pillow may have brought to 8 without a word."""
    if isinstance(image, TiffImageFile):
        return int(max(image.tag_v2.get(BITSPERSAMPLE, (1,))))
    if image.format == "PNG":
        return data[24]
    if image.format == "PPM":  # the fourth number of its head is the largest value
        head = re.match(rb"P[2356]" + 3 * rb"(?:\s|#[^\r\n]*[\r\n])+(\d+)", data)
        return int(head[3]).bit_length() if head else 8
    if image.format == "JPEG2000":
        box = data.find(b"ihdr")
        return (data[box + 14 if box >= 0 else 42] & 127) + 1  # ISO 15444-1, I.5.3.1 and A.5.1
    if image.format == "AVIF":
        return 10 if data[data.find(b"av1C") + 6] & 0x60 else 8  # 10 or 12: AV1 in ISOBMFF, 2.3.3
    return 8
