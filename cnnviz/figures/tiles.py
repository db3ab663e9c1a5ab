"""Grids of small images with a label each: filters, feature maps, visualizations, views."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from cnnviz.figures.page import INNER, Page, Rect, resized
from cnnviz.figures.scale import rgb
from cnnviz.figures.style import LINE, MARGIN, NOTE
from cnnviz.figures.text import width
from cnnviz.io.color import Photo

LARGEST = 2.4  # longer side of a tile in inches
NARROW = 0.22  # no label stands above a tile that is narrower
MANY = 100  # images from which on they are drawn as one: matplotlib takes milliseconds for each


@dataclass(frozen=True)
class Tile:
    """A small image (h, w, 3) with text above it: ``label`` left, ``value`` right.

    Where some tile of a grid is too narrow for both, each has ``short`` in place of its label, if that is given.
    """

    image: Photo
    label: str = ""
    value: str = ""
    short: str = ""


def columns(count: int, wider: float = 2.2, most: int = 1000) -> int:
    """Return the number of columns, up to ``most``, for ``count`` tiles, about ``wider`` times as wide as high.

    Rows are full where that can be; otherwise the last has few empty places.
    """
    wanted, numbers = min(math.sqrt(wider * count), most), range(1, min(count, most) + 1)
    even = [n for n in numbers if count % n == 0 and 0.6 < n / wanted < 1.8]
    return min(even or numbers, key=lambda n: (-count % n) / n + abs(math.log(n / wanted)))


def draw_tiles(
    page: Page, tiles: Sequence[Tile], per_row: int, *, rows: Sequence[str] = (), left: float = MARGIN,
    room: float = INNER, smooth: bool = True, largest: float = LARGEST,
) -> list[Rect]:  # fmt: skip
    """Draw tiles of one shape, ``per_row`` in a row, from ``left`` on; return the boxes of their images.

    ``rows`` are written left of the rows. A label that is wider than its tile is shortened; where no digit would fit
    above a tile, labels are left out. Unless ``smooth``, enlarged pixels stay squares.
    """
    indent = min(max((width(name, NOTE) for name in rows), default=-0.12) + 0.12, 1.6)
    left, room = left + indent, room - indent
    aspect = tiles[0].image.shape[1] / tiles[0].image.shape[0]
    gap = min(0.14, max(0.03, 0.11 * room / per_row))
    wide = min((room + gap) / per_row - gap, largest * aspect)
    high = wide / aspect
    if any(_label_width(tile) + width(tile.value, NOTE) > wide for tile in tiles):
        tiles = [replace(tile, label=tile.short or tile.label) for tile in tiles]
    below, boxes = page.top, list[Rect]()
    for start in range(0, len(tiles), per_row):
        line = tiles[start : start + per_row]
        head = LINE if wide > NARROW and any(tile.label or tile.value for tile in line) else 0.0
        for index, tile in enumerate(line):
            boxes.append(Rect(left + index * (wide + gap), below + head, wide, high).snapped())
            if head:
                _label(page, boxes[-1], below, tile)
        if rows:
            page.write(left - indent, below + head + (high - LINE) / 2, rows[start // per_row], room=indent - 0.06)
        below += head + high + gap
    draw_images(page, [tile.image for tile in tiles], boxes, smooth=smooth)
    page.top = below - gap
    return boxes


def draw_images(page: Page, images: Sequence[Photo], boxes: Sequence[Rect], *, smooth: bool = True) -> None:
    """Draw images into their boxes, whose edges are on whole pixels; many of them as one picture."""
    if len(images) < MANY:
        for image, box in zip(images, boxes, strict=True):
            page.picture(box, image, smooth=smooth)
        return
    left, top = min(box.x for box in boxes), min(box.y for box in boxes)
    whole = Rect(left, top, max(box.right for box in boxes) - left, max(box.bottom for box in boxes) - top)
    canvas = np.empty((*page.pixels(whole), 3), np.uint8)
    canvas[:] = rgb(page.theme.paper)
    for image, box in zip(images, boxes, strict=True):
        y, x = (round(length * page.figure.dpi) for length in (box.y - top, box.x - left))
        small = resized(image, page.pixels(box), smooth)
        canvas[y : y + small.shape[0], x : x + small.shape[1]] = small
    page.picture(whole, canvas)


def _label(page: Page, box: Rect, y: float, tile: Tile) -> None:
    """Write label and value above a tile: the value where both fit, a number as a label only where it fits."""
    taken = _label_width(tile)
    if tile.label and (taken - 0.06 <= box.width or not tile.label.isdigit()):
        colour = page.theme.ink if tile.value else page.theme.faint
        page.write(box.x, y, tile.label, bold=bool(tile.value), colour=colour, room=box.width)
    if tile.value and taken + width(tile.value, NOTE) <= box.width:
        page.write(box.right, y, tile.value, align="right", room=box.width - taken)


def _label_width(tile: Tile) -> float:
    """Return the width of a tile's label with the space after it, in inches."""
    return width(tile.label, NOTE, bold=bool(tile.value)) + 0.06 if tile.label else 0.0
