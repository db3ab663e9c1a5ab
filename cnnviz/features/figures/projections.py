"""Projections beside the patches they belong to, as in Zeiler & Fergus' figure 2."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from cnnviz.features.projections import ProjectedUnit, resize_square
from cnnviz.figures.colormap import PROJECTION_SHARE, percentile_scale
from cnnviz.figures.palette import FAINT, INK, PAPER
from cnnviz.figures.text import caption as write_caption
from cnnviz.figures.text import drawing, ellipsize, font_size, load_font
from cnnviz.io.color import Photo

GREY = 128
TILE, GAP = 160, 4
Box = tuple[int, int, int, int]


@dataclass(frozen=True)
class Pair:
    """A part of an input and a unit's projection: ``patch`` (3, h, w) in [0, 1], ``projection`` (3, h, w), signed.

    ``title`` and ``note`` stand above them where there is room.
    """

    patch: NDArray[np.floating]
    projection: NDArray[np.floating]
    title: str = ""
    note: str = ""


def unit_pair(unit: ProjectedUnit) -> Pair:
    """Return patch and projection of a unit with its channel, activation and position."""
    found = unit.projection
    y, x = found.position
    return Pair(unit.patch, unit.part, f"map {found.channel}", f"{found.activation:.3g} at y {y}, x {x}")


def render_pair(pair: Pair, scale: float, side: int) -> tuple[Photo, Photo]:
    """Return projection and patch as tiles, (side, side, 3) each: zero is grey, ``scale`` the strongest colour."""
    projection = resize_square(pair.projection, side) / scale * 127.5 + GREY
    patch = resize_square(pair.patch, side) * 255
    first, second = (np.rint(tile).clip(0, 255).astype(np.uint8).transpose(1, 2, 0) for tile in (projection, patch))
    return first, second


def squares(pairs: Sequence[Pair], side: int = TILE) -> Photo:
    """Return projections in a square on the left, their patches on the right, all projections on one scale."""
    columns = max(1, math.ceil(math.sqrt(len(pairs))))
    rows = max(1, math.ceil(len(pairs) / columns))
    width, height, middle = columns * (side + GAP) - GAP, rows * (side + GAP) - GAP, 3 * GAP
    canvas = np.full((height, 2 * width + middle, 3), 255, np.uint8)
    scale = (
        percentile_scale(np.concatenate([pair.projection.ravel() for pair in pairs]), PROJECTION_SHARE)
        if pairs
        else 1.0
    )
    for number, pair in enumerate(pairs):
        row, column = divmod(number, columns)
        top, left = row * (side + GAP), column * (side + GAP)
        for tile, offset in zip(render_pair(pair, scale, side), (0, width + middle), strict=True):
            canvas[top : top + side, left + offset : left + offset + side] = tile
    return canvas


def panel(body: Photo, title: str, note: str) -> Photo:
    """Return a feature map's squares with a caption above and a rim around."""
    unit = min(font_size(*body.shape[:2]), 20)
    head, rim = round(3.4 * unit), round(0.5 * unit)
    canvas = np.full((head + len(body) + rim, body.shape[1] + 2 * rim, 3), 255, np.uint8)
    write_caption(canvas[:head, rim:-rim], title, note, unit)
    canvas[head : head + len(body), rim:-rim] = body
    return canvas


def sheet(small: Sequence[tuple[str, Photo]], columns: int = 6) -> Photo:
    """Return many small pictures of one width in a grid, each with its name above."""
    line, font, width = 18, load_font(13), small[0][1].shape[1]
    height = max(len(panel) for _, panel in small) + line + 3 * GAP
    columns = min(columns, len(small))
    canvas = np.full(
        (math.ceil(len(small) / columns) * height + 2 * GAP, columns * (width + 3 * GAP) + 3 * GAP, 3), 255, np.uint8
    )
    for number, (name, panel) in enumerate(small):
        row, column = divmod(number, columns)
        top, left = 2 * GAP + row * height, 3 * GAP + column * (width + 3 * GAP)
        canvas[top + line : top + line + len(panel), left : left + width] = panel
        with drawing(canvas[top : top + line, left : left + width]) as pen:
            pen.text((0, 0), ellipsize(name, font, width), INK, font)
    return canvas


def shrink(picture: Photo, width: int = 288) -> Photo:
    """Return a picture at a width in pixels."""
    height = round(picture.shape[0] * width / picture.shape[1])
    return np.asarray(Image.fromarray(picture).resize((width, height), Image.Resampling.LANCZOS))


def draw_bare(projections: Sequence[NDArray[np.floating]]) -> Photo:
    """Return projections (3, h, w) alone, side by side, each on its own scale."""
    pictures = [values / percentile_scale(values, PROJECTION_SHARE) * 127.5 + GREY for values in projections]
    whole = np.concatenate(pictures, axis=2).transpose(1, 2, 0)
    return np.ascontiguousarray(np.rint(whole).clip(0, 255).astype(np.uint8))


def draw_projections(
    photo: NDArray[np.floating], boxes: Sequence[Box], pairs: Sequence[Pair], words: str, per_row: int = 6
) -> Photo:
    """Return the input (3, h, w) with numbered boxes, and for each its patch above its projection.

    Every projection has a scale of its own: the maps of a layer differ too much for one. ``words`` stand above
    the input.
    """
    side, head = TILE, 44
    block = 2 * side + GAP + head
    rows, columns = math.ceil(len(pairs) / per_row), min(per_row, len(pairs))
    whole = 2 * side + GAP
    width = round(whole * photo.shape[2] / photo.shape[1])
    canvas = np.full(
        (rows * (block + 3 * GAP) + 3 * GAP, width + 9 * GAP + columns * (side + 3 * GAP), 3), 255, np.uint8
    )
    canvas[3 * GAP + head : 3 * GAP + head + whole, 3 * GAP : 3 * GAP + width] = _boxed(photo, boxes, (whole, width))
    method, _, rest = words.partition(" of ")
    with drawing(canvas[3 * GAP : 3 * GAP + head, 3 * GAP : 3 * GAP + width]) as pen:
        _two_lines(pen, method[:1].upper() + method[1:], f"of {rest}", width)
    for number, pair in enumerate(pairs):
        row, column = divmod(number, per_row)
        top, left = 3 * GAP + row * (block + 3 * GAP), width + 9 * GAP + column * (side + 3 * GAP)
        projection, patch = render_pair(pair, percentile_scale(pair.projection, PROJECTION_SHARE), side)
        below = top + head
        canvas[below : below + side, left : left + side] = patch
        canvas[below + side + GAP : below + 2 * side + GAP, left : left + side] = projection
        with drawing(canvas[top:below, left : left + side]) as pen:
            _two_lines(pen, f"{number + 1}  {pair.title}", pair.note, side)
    return canvas


def _two_lines(pen: ImageDraw.ImageDraw, title: str, note: str, width: int) -> None:
    bold, small = load_font(16), load_font(12)
    pen.text((0, 4), ellipsize(title, bold, width), INK, bold)
    pen.text((0, 25), ellipsize(note, small, width), FAINT, small)


def _boxed(photo: NDArray[np.floating], boxes: Sequence[Box], size: tuple[int, int]) -> Photo:
    """Return the input at ``size`` (h, w) pixels with its boxes drawn and numbered."""
    image = Image.fromarray(np.rint(photo * 255).clip(0, 255).astype(np.uint8).transpose(1, 2, 0))
    canvas = np.array(image.resize((size[1], size[0]), Image.Resampling.BICUBIC))
    zoom, font = size[0] / photo.shape[1], load_font(14)
    with drawing(canvas) as pen:
        for number, box in enumerate(boxes, 1):
            top, left, bottom, right = (round(edge * zoom) for edge in box)
            for line, colour in ((3, INK), (1, PAPER)):
                pen.rectangle((left, top, max(right - 1, left), max(bottom - 1, top)), outline=colour, width=line)
            # boxes often share a corner: their numbers alternate between the four
            low, right_hand = divmod((number - 1) % 4, 2)
            x = min(right, size[1]) - 5 if right_hand else max(left, 0) + 5
            y = min(bottom, size[0]) - 4 if low else max(top, 0) + 3
            anchor = ("r" if right_hand else "l") + ("d" if low else "a")
            pen.text((x, y), str(number), PAPER, font, anchor=anchor, stroke_width=2, stroke_fill=INK)
    return canvas
