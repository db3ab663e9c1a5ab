"""Panels of a photo and of maps over its crop, with their contours and colour bars."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from matplotlib import patheffects
from matplotlib.axes import Axes
from matplotlib.contour import ContourSet
from matplotlib.patches import Rectangle
from numpy.typing import NDArray
from PIL import Image

from cnnviz.figures import text
from cnnviz.figures.page import Align, Page, Rect
from cnnviz.figures.sampling import interpolate, nearest
from cnnviz.figures.scale import MIDDLE, Scale, map_ground, rgb
from cnnviz.figures.style import BLACK, LINE, NOTE, WHITE
from cnnviz.io.color import Photo
from cnnviz.models.preprocess import Geometry

SIDE = 900  # pixels of the longer side of a crop at which maps are drawn
FADED = 0.55  # share of the paper's colour where the network does not see the photo
PIECES = 8  # of the contours of a map, at most: more say nothing
BAR = 0.12  # thickness of a colour bar
BESIDE = 1.75  # room of a colour bar beside a panel, with its words


@dataclass(frozen=True)
class Crop:
    """The part of a photo that is in the network's input, at a size to draw: ``image`` (H, W, 3).

    ``ys``, ``xs``: the position of its rows and columns on the network's input, pixel centres at integers.
    """

    image: Photo
    ys: NDArray[np.float64]
    xs: NDArray[np.float64]

    @classmethod
    def of(cls, photo: Photo, geometry: Geometry) -> "Crop":
        """Return the crop of a photo (H, W, 3)."""
        left, top, right, bottom = geometry.box()
        zoom = SIDE / max(right - left, bottom - top)
        height, width = max(1, round((bottom - top) * zoom)), max(1, round((right - left) * zoom))
        image = Image.fromarray(photo[top:bottom, left:right]).resize((width, height), Image.Resampling.BICUBIC)
        rows, columns = np.linspace(top, bottom, 2 * height + 1)[1::2], np.linspace(left, right, 2 * width + 1)[1::2]
        ys, xs = (
            middles * resized / side - offset - 0.5
            for middles, resized, side, offset in zip(
                (rows, columns), geometry.resized, photo.shape[:2], geometry.offset, strict=True
            )
        )
        return cls(np.asarray(image), ys, xs)

    def at_most(self, side: int) -> "Crop":
        """Return the crop with a longer side of at most ``side`` pixels."""
        size = [max(1, round(full * min(1, side / max(self.image.shape)))) for full in self.image.shape[:2]]
        small = np.asarray(Image.fromarray(self.image).resize(size[::-1], Image.Resampling.LANCZOS))
        ys, xs = (
            np.interp((np.arange(count) + 0.5) * len(places) / count - 0.5, np.arange(len(places)), places)
            for count, places in zip(size, (self.ys, self.xs), strict=True)
        )
        return Crop(small, ys, xs)

    @property
    def aspect(self) -> float:
        """Width divided by height."""
        height, width = self.image.shape[:2]
        return float(width / height)

    def sample(self, values: NDArray[np.floating]) -> NDArray[np.float32]:
        """Return a map (h, w) on the network's input at the crop's pixels, (H, W), bilinear."""
        rows, columns = (np.arange(side, dtype=float) for side in values.shape)
        return interpolate(values, rows, columns, self.ys, self.xs)

    def nearest(self, values: NDArray[np.generic]) -> NDArray[np.generic]:
        """Return a map (h, w) on the network's input at the crop's pixels, (H, W), without interpolation."""
        return nearest(values, self.ys, self.xs)


def draw_photo(page: Page, box: Rect, photo: Photo, geometry: Geometry) -> Axes:
    """Draw the photo in colour, with a frame around the network's crop and the rest faded towards the paper."""
    height, width = page.pixels(box)
    photo = np.asarray(Image.fromarray(photo).resize((width, height), Image.Resampling.LANCZOS))
    left, top, right, bottom = replace(geometry, photo=(height, width)).box()
    faded = photo * np.float32(1 - FADED) + np.array(rgb(page.theme.paper), np.float32) * FADED
    faded = np.rint(faded).astype(np.uint8)
    faded[top:bottom, left:right] = photo[top:bottom, left:right]
    axes = page.picture(box, faded)
    if (right - left, bottom - top) != (photo.shape[1], photo.shape[0]):
        frame(axes, (top, left, bottom, right), page.theme.ink)
    return axes


def draw_map(
    page: Page, box: Rect, crop: Crop, values: NDArray[np.floating], scale: Scale, contour: bool = False
) -> Axes:
    """Draw values (H, W) at the crop's pixels over its grey, hatched where they are NaN; return the axes.

    ``contour``: a line at half of each end of the scale, unless it would be in more than PIECES pieces.
    """
    axes = page.picture(box, scale.over(map_ground(crop.image), values))
    unknown, middles = np.isnan(values), [np.arange(side) + 0.5 for side in values.shape[::-1]]
    if unknown.any():
        axes.contourf(*middles, unknown, [0.5, 1.5], colors="none", hatches=["////"])
    lines = []
    for end in (scale.low, scale.high) if contour and not unknown.any() else ():
        if end and float(values.min()) < end / 2 < float(values.max()):
            colour = tuple(scale.rgba(np.array(end))[:3])
            lines.append(axes.contour(*middles, values, [end / 2], colors=[colour], linewidths=1.1, linestyles="solid"))
            lines[-1].set_path_effects([patheffects.withStroke(linewidth=2.4, foreground=WHITE)])
    if sum(len(line.allsegs[0]) for line in lines) > PIECES:
        for line in lines:
            line.remove()
    return axes


def has_contour(axes: Axes) -> bool:
    """Return whether ``draw_map`` drew a line at half of the scale."""
    return any(isinstance(line, ContourSet) and not line.filled for line in axes.collections)


def photo_title(photo: Photo, geometry: Geometry) -> str:
    """Return the title of the photo's panel."""
    whole = geometry.box() == (0, 0, photo.shape[1], photo.shape[0])
    return "Photo" if whole else "Photo, input framed"


def frame(axes: Axes, edges: Sequence[float], colour: str, width: float = 1.2, around: str = "") -> None:
    """Draw a rectangle ``edges`` (top, left, bottom, right) in the axes' coordinates, with a line ``around`` it."""
    top, left, bottom, right = edges
    for thickness, line in ((width + 1.8, around), (width, colour)):
        if line:
            axes.add_patch(Rectangle((left, top), right - left, bottom - top, fill=False, lw=thickness, ec=line))


def draw_window(axes: Axes, crop: Crop, window: int) -> None:
    """Draw the occluding window to scale in the lower left corner of a map."""
    height, width = crop.image.shape[:2]
    high = window * (height - 1) / max(crop.ys[-1] - crop.ys[0], 1e-9)
    wide = window * (width - 1) / max(crop.xs[-1] - crop.xs[0], 1e-9)
    edge = 0.03 * min(height, width)
    frame(axes, (height - edge - high, edge, height - edge, edge + wide), WHITE, 1.2, BLACK)


@dataclass(frozen=True)
class Words:
    """Words of a colour bar: ``unit`` above it, ``high`` and ``low`` at its ends, ``ticks`` values and their texts."""

    ticks: Sequence[tuple[float, str]]
    unit: str = ""
    low: str = ""
    high: str = ""


def bar_beside(
    page: Page, box: Rect, scale: Scale, words: Words, contour: bool = False, ground: float = MIDDLE
) -> None:
    """Draw a vertical colour bar right of a panel, of its height, with ticks and the words at both ends."""
    place = Rect(box.right + 0.18, box.y, BAR, box.height).snapped()
    axes = page.picture(place, scale.bar(ground=ground).transpose(1, 0, 2)[::-1], (1.0, 1.0))
    line, x = LINE, place.right
    if words.unit:
        page.write(place.x, place.y - 0.27, words.unit, room=BESIDE - 0.2)
    for value, label in words.ticks:
        part = 1 - (value - scale.low) / (scale.high - scale.low)
        axes.plot([1, 1.4], [part, part], color=page.theme.faint, lw=0.6, clip_on=False)
        page.write(x + 0.1, place.y + part * place.height - line / 2, label, colour=page.theme.ink, room=0.6)
    x += max(0.62, 0.2 + max(text.width(label, NOTE) for _, label in words.ticks))
    room = box.right + BESIDE - x
    low, high = (page.theme.against, page.theme.support) if scale.colormap == "auto" else (page.theme.ink,) * 2
    page.write_lines(x, place.y - 0.02, words.high, colour=high, room=room, lines=3)
    if words.low:
        count = len(words.low.split())
        page.write_lines(x, place.bottom - min(count, 2) * line, words.low, colour=low, room=room, lines=2)
    if contour:
        page.write_lines(x, place.y + place.height * 0.25, "line: half of the scale", room=room, lines=2)


def bar_below(page: Page, box: Rect, top: float, scale: Scale, words: Words, ground: float = MIDDLE) -> float:
    """Draw a colour bar of a panel's width at ``top``, with its ticks below; return the top of what follows."""
    place = Rect(box.x, top, box.width, BAR).snapped()
    page.picture(place, scale.bar(ground=ground), (1.0, 1.0))
    y = place.bottom + 0.02
    for index, (value, label) in enumerate(words.ticks):
        part = (value - scale.low) / (scale.high - scale.low)
        align: Align = "left" if index == 0 else "right" if index == len(words.ticks) - 1 else "center"
        page.write(box.x + part * box.width, y, label, colour=page.theme.ink, align=align, room=box.width / 2)
    y += LINE
    return page.write(box.x, y, words.unit, room=box.width) if words.unit else y
