"""Grids of small images with a caption and a colour bar: filters, feature maps. Images are uint8 RGB (H, W, 3)."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnnviz.figures.colormap import color_bar, colorize
from cnnviz.figures.palette import FAINT, INK
from cnnviz.figures.text import caption, drawing, ellipsize, load_font, upright_text
from cnnviz.io.color import Photo

ROW_WIDTH = 1120  # pixels of all tiles of a row together, about
MIN_TILE, MAX_TILE = 26, 180  # width of a tile in pixels: at least four digits above it
FONT_SIZES = (10, 14)  # smallest and largest font size above a tile, in pixels


@dataclass(frozen=True)
class Tile:
    """A small image (h, w, 3) with text above it: ``label`` left, ``value`` right."""

    picture: Photo
    label: str = ""
    value: str = ""


@dataclass(frozen=True)
class Bar:
    """A grid's colour bar: the values of its two ends, its label and its colour map."""

    low: float
    high: float
    label: str
    colormap: str = "signed"


def columns(count: int, wider: float = 2.2) -> int:
    """Return the number of columns for ``count`` tiles in a full grid, about ``wider`` times as wide as high."""
    wanted = math.sqrt(wider * count)
    even = [n for n in range(1, count + 1) if count % n == 0 and 0.6 < n / wanted < 1.8]
    return min(even, key=lambda n: abs(math.log(n / wanted)), default=min(count, math.ceil(wanted)))


def enlarge_tile(picture: Photo, columns: int) -> Photo:
    """Return an image (h, w, 3) resized so that ``columns`` of them fill a row; see ``enlarge_nearest``."""
    return enlarge_nearest(picture, min(max(ROW_WIDTH // columns, MIN_TILE), MAX_TILE))


def enlarge_nearest(values: NDArray[Any], wanted: int) -> NDArray[Any]:
    """Return values (h, w, ...) with a longer side of about ``wanted``: pixels repeated, or means of blocks."""
    largest = max(values.shape[:2])
    if largest >= 2 * wanted:
        every = largest // wanted
        return _means(_means(values, every), every)
    factor = max(1, round(wanted / largest))
    return values.repeat(factor, 0).repeat(factor, 1)


def _means(values: NDArray[Any], every: int) -> NDArray[Any]:
    """Return means of every ``every`` rows (the last mean is of the rest), with rows and columns exchanged."""
    starts = np.arange(0, len(values), every)
    sizes = np.diff([*starts, len(values)])
    return np.moveaxis(np.add.reduceat(values, starts, 0) / sizes.reshape(-1, *[1] * (values.ndim - 1)), 0, 1)


def draw_grid(
    tiles: Sequence[Tile], columns: int, title: str, subtitle: str, *, rows: Sequence[str] = (), bar: Bar | None = None
) -> Photo:
    """Return tiles of one size, ``columns`` in a row, below a title and a line; ``rows`` are the rows' labels."""
    height, width = tiles[0].picture.shape[:2]
    gap, size = min(max(3, width // 24), 8), min(max(width // 10, FONT_SIZES[0]), FONT_SIZES[1])
    lines = [tiles[first : first + columns] for first in range(0, len(tiles), columns)]
    heads = [round(1.45 * size) if any(tile.label for tile in line) else 0 for line in lines]
    unit = max(16, round((columns * (width + gap)) / 64))
    left = unit + math.ceil(max((load_font(size).getlength(text) + unit / 2 for text in rows), default=0))
    top, body = round(3.6 * unit), sum(heads) + len(lines) * (height + gap)
    right = left + columns * (width + gap)
    canvas = np.full((top + body + unit // 2, max(right + (7 * unit if bar else unit), 36 * unit), 3), 255, np.uint8)
    caption(canvas[:top, unit:-unit], title, subtitle, unit)
    for number, (line, head) in enumerate(zip(lines, heads, strict=True)):
        place = canvas[top : top + head + height, left:right]
        for index, tile in enumerate(line):
            _draw_tile(place[:, index * (width + gap) :][:, :width], tile, head, size)
        if rows:
            with drawing(canvas[top + head : top + head + height, unit:left]) as pen:
                pen.text((left - 1.5 * unit, height / 2), rows[number], FAINT, load_font(size), anchor="rm")
        top += head + height + gap
    if bar:
        place = canvas[top - body + heads[0] : top - gap, right + unit // 2 :]
        color_bar(place, bar.low, bar.high, bar.label, bar.colormap, unit)
    return canvas


def _draw_tile(place: NDArray[np.uint8], tile: Tile, head: int, size: int) -> None:
    """Draw one tile with its text into its place (head + h, w, 3)."""
    place[head:] = tile.picture
    if not head:
        return
    font, width = load_font(size), place.shape[1]
    with drawing(place[:head]) as pen:
        pen.text((0, head - 3), tile.label, INK if tile.value else FAINT, font, anchor="ls")
        room = width - round(font.getlength(tile.label)) - size // 2
        pen.text((width, head - 3), ellipsize(tile.value, font, room), FAINT, font, anchor="rs")


def draw_matrix(
    values: NDArray[np.floating], scale: float, y_label: str, x_label: str, numbers: Sequence[int]
) -> Photo:
    """Return a matrix (rows, columns) as an image with numbered axes, its longer side horizontal.

    ``scale`` is the value of the strongest colour; ``numbers`` are those of the rows, columns count from 0.
    """
    if tall := len(values) > values.shape[1]:
        values, y_label, x_label = values.T, x_label, y_label
    rows, places = (range(len(values)), numbers) if tall else (numbers, range(values.shape[1]))
    factor = max(1, min(math.ceil(0.9 * ROW_WIDTH / values.shape[1]), 60, ROW_WIDTH // len(values)))
    picture = colorize(values, -scale, scale).repeat(factor, 0).repeat(factor, 1)
    font, size = load_font(FONT_SIZES[1]), FONT_SIZES[1]
    left, top = math.ceil(2.2 * size + max(font.getlength(str(number)) for number in rows)), 3 * size
    canvas = np.full((top + len(picture), left + picture.shape[1] + size, 3), 255, np.uint8)
    canvas[top:, left:-size] = picture
    with drawing(canvas) as pen:
        pen.text((left, 0), x_label, FAINT, font)
        for index in range(0, len(places), tick_step(3 * size / factor)):
            pen.text((left + (index + 0.5) * factor, top - 5), str(places[index]), FAINT, font, anchor="ms")
        for index in range(0, len(rows), tick_step(1.5 * size / factor)):
            pen.text((left - 6, top + (index + 0.5) * factor), str(rows[index]), FAINT, font, anchor="rm")
    length, width = len(canvas) - top, round(1.5 * size)
    canvas[top:, :width] = upright_text(ellipsize(y_label, font, length), font, length, width, "end")
    return canvas


def tick_step(least: float) -> int:
    """Return the first of 1, 2, 5, 10, 20, ... that is not below ``least``."""
    steps = [factor * power for power in (1, 10, 100, 1000) for factor in (1, 2, 5)]
    return next(step for step in steps if step >= least)
