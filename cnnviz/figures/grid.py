"""Many small pictures in a grid, with a caption and a colour bar: filters, feature maps. uint8 RGB (H, W, 3)."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from cnnviz.figures.overlay import FAINT, INK, PAPER, caption, colorize, colour_bar, drawing, ellipsize, load_font
from cnnviz.io.color import Photo

WIDE = 1120  # pixels of all tiles of a row together, about
LEAST, LARGEST = 26, 180  # pixels that a tile is wide: four digits above it, and no wider than it is worth
LETTERS = (10, 14)  # smallest and largest size of the words above a tile, in pixels


@dataclass(frozen=True)
class Tile:
    """A small picture (h, w, 3) with words above it, left and right."""

    picture: Photo
    label: str = ""
    value: str = ""


@dataclass(frozen=True)
class Bar:
    """What a grid's colour bar says: its two ends, its words and its colours."""

    low: float
    high: float
    label: str
    colormap: str = "signed"


def columns(count: int, wider: float = 2.2) -> int:
    """Return into how many columns to set tiles: ``wider`` than high, and without gaps where that can be."""
    wanted = math.sqrt(wider * count)
    even = [n for n in range(1, count + 1) if count % n == 0 and 0.6 < n / wanted < 1.8]
    return min(even, key=lambda n: abs(math.log(n / wanted)), default=min(count, math.ceil(wanted)))


def enlarge(picture: Photo, across: int) -> Photo:
    """Return a picture (h, w, 3) enlarged so that ``across`` of them fill a row: whole square pixels, as they are."""
    return enlarge_nearest(picture, min(max(WIDE // across, LEAST), LARGEST))


def enlarge_nearest(values: NDArray[Any], wanted: int) -> NDArray[Any]:
    """Return values (h, w, ...) about ``wanted`` wide or high: pixels repeated as they are, or means of them."""
    largest = max(values.shape[:2])
    if largest >= 2 * wanted:
        every = largest // wanted
        return _means(_means(values, every), every)
    factor = max(1, round(wanted / largest))
    return values.repeat(factor, 0).repeat(factor, 1)


def _means(values: NDArray[Any], every: int) -> NDArray[Any]:
    """Return means of ``every`` rows, with rows and columns exchanged; the last of them is of what is left."""
    starts = np.arange(0, len(values), every)
    sizes = np.diff([*starts, len(values)])
    return np.moveaxis(np.add.reduceat(values, starts, 0) / sizes.reshape(-1, *[1] * (values.ndim - 1)), 0, 1)


def draw_grid(
    tiles: Sequence[Tile], across: int, title: str, subtitle: str, *, rows: Sequence[str] = (), bar: Bar | None = None
) -> Photo:
    """Return tiles of one size, ``across`` in a row, below a title and a line; ``rows`` are words left of each row."""
    high, wide = tiles[0].picture.shape[:2]
    gap, size = min(max(3, wide // 24), 8), min(max(wide // 10, LETTERS[0]), LETTERS[1])
    lines = [tiles[first : first + across] for first in range(0, len(tiles), across)]
    heads = [round(1.45 * size) if any(tile.label for tile in line) else 0 for line in lines]
    unit = max(16, round((across * (wide + gap)) / 64))
    left = unit + math.ceil(max((load_font(size).getlength(text) + unit / 2 for text in rows), default=0))
    top, body = round(3.6 * unit), sum(heads) + len(lines) * (high + gap)
    right = left + across * (wide + gap)
    canvas = np.full((top + body + unit // 2, max(right + (7 * unit if bar else unit), 36 * unit), 3), 255, np.uint8)
    caption(canvas[:top, unit:-unit], title, subtitle, unit)
    for number, (line, head) in enumerate(zip(lines, heads, strict=True)):
        place = canvas[top : top + head + high, left:right]
        for index, tile in enumerate(line):
            _set(place[:, index * (wide + gap) :][:, :wide], tile, head, size)
        if rows:
            with drawing(canvas[top + head : top + head + high, unit:left]) as pen:
                pen.text((left - 1.5 * unit, high / 2), rows[number], FAINT, load_font(size), anchor="rm")
        top += head + high + gap
    if bar:
        tall = canvas[top - body + heads[0] : top - gap, right + unit // 2 :]
        colour_bar(tall, bar.low, bar.high, bar.label, bar.colormap, unit)
    return canvas


def _set(place: NDArray[np.uint8], tile: Tile, head: int, size: int) -> None:
    """Set one tile with its words into its place (head + h, w, 3)."""
    place[head:] = tile.picture
    if not head:
        return
    font, width = load_font(size), place.shape[1]
    with drawing(place[:head]) as pen:
        pen.text((0, head - 3), tile.label, INK if tile.value else FAINT, font, anchor="ls")
        room = width - round(font.getlength(tile.label)) - size // 2
        pen.text((width, head - 3), ellipsize(tile.value, font, room), FAINT, font, anchor="rs")


def matrix(values: NDArray[np.floating], scale: float, down: str, across: str, numbers: Sequence[int]) -> Photo:
    """Return a matrix (rows, columns) as a picture with numbered axes, its longer side across.

    ``scale`` is the value of the strongest colour; ``down`` and ``across`` are the words of rows and columns,
    ``numbers`` those of the rows; columns count from 0.
    """
    if tall := len(values) > values.shape[1]:
        values, down, across = values.T, across, down
    rows, places = (range(len(values)), numbers) if tall else (numbers, range(values.shape[1]))
    factor = max(1, min(math.ceil(0.9 * WIDE / values.shape[1]), 60, WIDE // len(values)))
    picture = colorize(values, -scale, scale).repeat(factor, 0).repeat(factor, 1)
    font, size = load_font(LETTERS[1]), LETTERS[1]
    left, top = math.ceil(2.2 * size + max(font.getlength(str(number)) for number in rows)), 3 * size
    canvas = np.full((top + len(picture), left + picture.shape[1] + size, 3), 255, np.uint8)
    canvas[top:, left:-size] = picture
    with drawing(canvas) as pen:
        pen.text((left, 0), across, FAINT, font)
        for index in range(0, len(places), _step(3 * size / factor)):
            pen.text((left + (index + 0.5) * factor, top - 5), str(places[index]), FAINT, font, anchor="ms")
        for index in range(0, len(rows), _step(1.5 * size / factor)):
            pen.text((left - 6, top + (index + 0.5) * factor), str(rows[index]), FAINT, font, anchor="rm")
    _upright(canvas[top:, : round(1.5 * size)], down, font)
    return canvas


def _step(least: float) -> int:
    """Return the first of 1, 2, 5, 10, 20, ... that is not below ``least``."""
    steps = [factor * power for power in (1, 10, 100, 1000) for factor in (1, 2, 5)]
    return next(step for step in steps if step >= least)


def _upright(canvas: NDArray[np.uint8], text: str, font: Any) -> None:
    """Write from bottom to top, beginning at the top's end."""
    high, wide = canvas.shape[:2]
    strip = Image.new("RGB", (high, wide), PAPER)
    ImageDraw.Draw(strip).text((high, 0), ellipsize(text, font, high), FAINT, font, anchor="ra")
    canvas[:] = np.asarray(strip.transpose(Image.Transpose.ROTATE_90))
