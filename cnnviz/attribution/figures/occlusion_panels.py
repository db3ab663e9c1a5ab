"""The panels of Zeiler & Fergus' figure 7: photograph, feature map, probability, most probable class."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cnnviz.figures.curves import COLOURS, Colour
from cnnviz.figures.overlay import (
    INK,
    LARGE,
    PAPER,
    caption,
    colour_table,
    drawing,
    ellipsize,
    enlarge,
    font_size,
    grey,
    load_font,
    percentile_scale,
)
from cnnviz.io.color import Photo
from cnnviz.models.preprocess import Geometry

REST = (150, 150, 150)  # classes for which no colour is left


@dataclass(frozen=True)
class Shades:
    """A panel of numbers: ``values`` (h, w) on the network's input, shown from their smallest to their largest."""

    values: NDArray[np.floating]
    title: str
    subtitle: str
    digits: str = ".3g"


@dataclass(frozen=True)
class Classes:
    """A panel of classes: ``indices`` (h, w) by index into ``legend``."""

    indices: NDArray[np.integer]
    legend: Sequence[str]
    title: str
    subtitle: str


@dataclass(frozen=True)
class Covered:
    """The photograph itself with a window: ``box`` top, left, bottom, right on the input, ``cover`` (3, h, w)."""

    box: tuple[int, int, int, int]
    cover: NDArray[np.floating]
    title: str
    subtitle: str


@dataclass(frozen=True)
class Projected:
    """Something signed on the network's input, ``values`` (3, h, w): zero is grey."""

    values: NDArray[np.floating]
    title: str
    subtitle: str


Tile = Shades | Classes | Covered | Projected


def draw(photo: Photo, geometry: Geometry, tiles: Sequence[Tile]) -> Photo:
    """Return the panels in a row, each with its title above and its scale or legend below."""
    photo, geometry = enlarge(photo, geometry)
    height, width = photo.shape[:2]
    unit = font_size(height, width)
    entries = max(len(_coloured(tile)[1]) for tile in tiles if isinstance(tile, Classes))
    head, foot, gap = round(3.4 * unit), round(max(2.9, 1.4 * ((entries + 1) // 2) + 0.9) * unit), round(1.5 * unit)
    canvas = np.full((height + head + foot, len(tiles) * (width + gap) + gap, 3), 255, np.uint8)
    for number, tile in enumerate(tiles):
        left = gap + number * (width + gap)
        column = canvas[:, left : left + width]
        caption(column[:head], tile.title, tile.subtitle, unit)
        body, below = column[head : head + height], column[head + height :]
        if isinstance(tile, Covered):
            body[:] = _covered(photo, geometry, tile)
        elif isinstance(tile, Projected):
            body[:] = _projected(photo, geometry, tile)
        elif isinstance(tile, Shades):
            body[:] = _shaded(photo, geometry, tile)
            _scale(below, tile, unit)
        else:
            colours, legend = _coloured(tile)
            body[:] = _blend(photo, geometry, tile.indices, colours)
            _legend(below, legend, unit)
    return canvas


def _covered(photo: Photo, geometry: Geometry, tile: Covered) -> Photo:
    inside = np.zeros(geometry.size, np.float32)
    top, left, bottom, right = tile.box
    inside[top:bottom, left:right] = 1
    share = geometry.to_photo(inside)[..., None]
    cover = geometry.to_photo(tile.cover).transpose(1, 2, 0) * 255
    shown = np.where(np.isnan(share), photo * 0.4, photo)
    return np.where(share > 0.5, cover, shown).clip(0, 255).astype(np.uint8)


def _projected(photo: Photo, geometry: Geometry, tile: Projected) -> Photo:
    seen = geometry.to_photo(tile.values.astype(np.float32)).transpose(1, 2, 0)
    shown = seen / percentile_scale(tile.values, LARGE) * 127.5 + 128
    return np.where(np.isnan(seen), grey(photo) * 0.34, shown).clip(0, 255).astype(np.uint8)


def _shaded(photo: Photo, geometry: Geometry, tile: Shades) -> Photo:
    low, high = float(np.nanmin(tile.values)), float(np.nanmax(tile.values))
    part = (geometry.to_photo(tile.values) - low) / max(high - low, 1e-12)
    seen = ~np.isnan(part)[..., None]
    colours = colour_table("viridis")[np.rint(np.nan_to_num(part).clip(0, 1) * 255).astype(np.uint8)]
    light = 0.85 * grey(photo) + 20
    return np.where(seen, 0.3 * light + 0.7 * colours, light * 0.4).clip(0, 255).astype(np.uint8)


def _coloured(tile: Classes) -> tuple[NDArray[np.uint8], list[tuple[str, Colour]]]:
    """Return a colour for each class of the legend, and what to write below: the commonest first, then the rest."""
    shares = Counter(tile.indices.ravel().tolist())
    colours = np.full((len(tile.legend), 3), REST, np.uint8)
    legend = []
    for (index, count), colour in zip(shares.most_common(), COLOURS, strict=False):
        colours[index] = colour
        legend.append((f"{tile.legend[index]}  {count / tile.indices.size:.0%}", colour))
    if len(shares) > len(COLOURS):
        rest = 1 - sum(count for _, count in shares.most_common(len(COLOURS))) / tile.indices.size
        legend.append((f"{len(shares) - len(COLOURS)} others  {rest:.0%}", REST))
    return colours, legend


def _blend(photo: Photo, geometry: Geometry, indices: NDArray[np.integer], colours: NDArray[np.uint8]) -> Photo:
    painted = geometry.to_photo(colours[indices].transpose(2, 0, 1).astype(np.float32)).transpose(1, 2, 0)
    light = 0.85 * grey(photo) + 20
    mixed = 0.35 * light + 0.65 * np.nan_to_num(painted)
    return np.where(np.isnan(painted), light * 0.4, mixed).clip(0, 255).astype(np.uint8)


def _scale(canvas: NDArray[np.uint8], tile: Shades, unit: int) -> None:
    width = canvas.shape[1]
    ramp = colour_table("viridis")[np.linspace(0, 255, width).astype(int)]
    canvas[round(0.5 * unit) : round(1.1 * unit)] = ramp
    with drawing(canvas) as pen:
        font = load_font(round(0.8 * unit))
        low, high = (format(float(v), tile.digits) for v in (np.nanmin(tile.values), np.nanmax(tile.values)))
        pen.text((0, 1.4 * unit), low, INK, font)
        pen.text((width, 1.4 * unit), high, INK, font, anchor="ra")


def _legend(canvas: NDArray[np.uint8], entries: Sequence[tuple[str, Colour]], unit: int) -> None:
    font, half = load_font(round(0.8 * unit)), canvas.shape[1] // 2
    with drawing(canvas) as pen:
        for number, (text, colour) in enumerate(entries):
            x, y = number % 2 * half, round((0.5 + 1.4 * (number // 2)) * unit)
            pen.rectangle((x, y, x + 0.8 * unit, y + 0.8 * unit), fill=colour, outline=PAPER)
            pen.text((x + 1.2 * unit, y + 0.4 * unit), ellipsize(text, font, half - 2 * unit), INK, font, anchor="lm")
