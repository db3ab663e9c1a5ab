"""Text in figures: fonts, captions, text written upwards."""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from cnnviz.figures.palette import FAINT, INK, PAPER

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont


@cache
def load_font(size: int) -> Font:
    """Return Pillow's own typeface at a size in pixels, at least 8."""
    return ImageFont.load_default(max(size, 8))


def font_size(height: int, width: int) -> int:
    """Return the font size in pixels for an image: in proportion to it, and less than that for very large ones."""
    size = max(11.0, min(height, width * 1.3) / 26)
    return round(min(size, 40 * math.pow(size / 40, 0.7)))


def ellipsize(text: str, font: Font, width: int) -> str:
    """Return a text shortened to a width in pixels, with dots at the end if it was cut."""
    if font.getlength(text) <= width:
        return text
    while text and font.getlength(text + "...") > width:
        text = text[:-1]
    return text.rstrip() + "..."


@contextmanager
def drawing(canvas: NDArray[np.uint8]) -> Iterator[ImageDraw.ImageDraw]:
    """Yield a Pillow drawing context for a part of an image, which is updated at the end."""
    image = Image.fromarray(canvas)
    yield ImageDraw.Draw(image)
    canvas[:] = np.asarray(image)


def caption(canvas: NDArray[np.uint8], title: str, subtitle: str, unit: int) -> None:
    """Write a title and a line below it at the top left, with a font size of ``unit`` pixels."""
    width, bold, small = canvas.shape[1], load_font(round(1.15 * unit)), load_font(round(0.8 * unit))
    with drawing(canvas) as pen:
        pen.text((0, 0.55 * unit), ellipsize(title, bold, width), INK, bold)
        pen.text((0, 2.0 * unit), ellipsize(subtitle, small, width), FAINT, small)


def upright_text(
    text: str, font: Font, length: int, width: int, align: Literal["centre", "end"] = "centre"
) -> Image.Image:
    """Return a text written from bottom to top on an image (length, width), centred or ending at the top."""
    strip = Image.new("RGB", (length, width), PAPER)
    x, anchor = (length / 2, "ma") if align == "centre" else (length, "ra")
    ImageDraw.Draw(strip).text((x, 0), text, FAINT, font, anchor=anchor)
    return strip.transpose(Image.Transpose.ROTATE_90)
