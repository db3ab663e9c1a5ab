"""Maps over a photo, with captions and a colour bar. Images are uint8 RGB (H, W, 3)."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from cnnviz.figures.colormap import color_bar, map_colours, opacity
from cnnviz.figures.palette import INK, PAPER
from cnnviz.figures.text import caption, drawing, font_size
from cnnviz.io.color import Photo
from cnnviz.models.preprocess import Geometry

STRIP = 256  # rows of an overlay computed at a time
SMALL = 480  # shorter side in pixels to which a figure's panel is enlarged, so that its caption can be read


@dataclass(frozen=True)
class Marks:
    """Marks over a map: ``peak`` (y, x) as shares 0 to 1 of the photo's height and width, drawn as a cross; ``outline``
    (H, W), booleans at any size, of which the border is drawn.
    """

    peak: tuple[float, float] | None = None
    outline: NDArray[np.bool_] | None = None


@dataclass(frozen=True)
class MapPanel:
    """One map of a figure: ``values`` (h, w) on the network's input, a title and a line below it.

    ``veil``, 0 to 1: how much the photo below is lightened, so that single pixels of a map can be seen.
    """

    values: NDArray[np.float32]
    title: str
    subtitle: str = ""
    marks: Marks = Marks()
    veil: float = 0.0


def draw_overlay(
    photo: Photo, values: NDArray[np.float32], scale: float, colormap: str = "signed", low: int = -1, veil: float = 0.0
) -> Photo:
    """Return a map (H, W) over a photo (H, W, 3).

    ``scale`` is the value of the strongest colour; for colour maps other than "signed" the first colour is that of
    -``scale`` (``low`` -1) or of 0 (``low`` 0). ``veil`` as in ``MapPanel``.

    The photo is grey, so that colours mean the map only; it is visible where the map is near 0, and darker where the
    map is NaN.
    """
    light = grey(photo)
    with np.errstate(invalid="ignore"):
        part = np.nan_to_num(np.clip(values / scale, -1, 1))
    colours = map_colours(part, colormap, low)
    share = opacity(part[..., None], colormap)
    ground = (0.85 * light + 38) * (1 - veil) + 255 * veil
    mixed = ground * (1 - share) + colours * share
    return np.where(np.isnan(values)[..., None], light * 0.35 + 20, mixed).clip(0, 255).astype(np.uint8)


def grey(photo: Photo) -> NDArray[np.float32]:
    """Return the luma (ITU-R BT.601) of a photo (H, W, 3): (H, W, 1), 0 to 255."""
    light = np.asarray(photo @ np.array([0.299, 0.587, 0.114], np.float32), np.float32)
    return light[..., None]


def at_figure_size(photo: Photo, geometry: Geometry, side: int = SMALL) -> tuple[Photo, Geometry]:
    """Return the photo resized to a shorter side of ``side`` pixels, and the geometry for it."""
    height, width = (max(1, round(length * side / min(photo.shape[:2]))) for length in photo.shape[:2])
    return _resize(photo, geometry, height, width)


def enlarge(photo: Photo, geometry: Geometry) -> tuple[Photo, Geometry]:
    """Return a small photo enlarged by an integer factor to at least SMALL, and the geometry for it."""
    factor = -(-SMALL // min(photo.shape[:2]))
    if factor <= 1:
        return photo, geometry
    return _resize(photo, geometry, photo.shape[0] * factor, photo.shape[1] * factor)


def _resize(photo: Photo, geometry: Geometry, height: int, width: int) -> tuple[Photo, Geometry]:
    resized = np.asarray(Image.fromarray(photo).resize((width, height), Image.Resampling.BICUBIC))
    return resized, replace(geometry, photo=(height, width))


def stack(images: Sequence[Photo]) -> Photo:
    """Return images one below the other, white right of narrower ones."""
    width = max(image.shape[1] for image in images)
    canvas = np.full((sum(map(len, images)), width, 3), 255, np.uint8)
    top = 0
    for image in images:
        canvas[top : top + len(image), : image.shape[1]] = image
        top += len(image)
    return canvas


def common_scale(panels: Sequence[MapPanel]) -> float:
    """Return the largest magnitude in all maps; a very small number if all are 0."""
    largest = [float(np.nanmax(np.abs(p.values))) for p in panels if np.isfinite(p.values).any()]
    return max([*largest, 1e-12])


def draw_figure(
    photo: Photo, geometry: Geometry, panels: Sequence[MapPanel], *, label: str, colormap: str, bare: bool,
    scale: float | None = None, signed: bool = True,
) -> Photo:  # fmt: skip
    """Return the panels side by side over a photo, on one scale, with captions and a colour bar.

    ``label`` says what the colour bar measures. ``bare`` gives the overlays only, at the photo's own size. ``scale`` is
    the value of the strongest colour, by default the largest magnitude in all maps; unless ``signed`` it starts at 0.
    """
    scale = scale or common_scale(panels)
    low = -1 if signed else 0
    if not bare:
        photo, geometry = enlarge(photo, geometry)
    height, width = photo.shape[:2]
    unit = 0 if bare else font_size(height, width)
    gap, head, tail = unit, round(3.4 * unit), round(1.2 * unit)
    side = 0 if bare else round(7.2 * unit)
    total = len(panels) * width + (len(panels) - 1) * gap
    canvas = np.full((height + head + tail, total + side + (2 * gap if not bare else 0), 3), 255, np.uint8)
    for index, panel in enumerate(panels):
        left = gap + index * (width + gap) if not bare else index * width
        place = canvas[head : head + height, left : left + width]
        _paint(place, photo, geometry, panel, (scale, colormap, low))
        if not bare:
            caption(canvas[:head, left : left + width], panel.title, panel.subtitle, unit)
    if not bare:
        color_bar(canvas[head : head + height, gap + total + gap :], low * scale, scale, label, colormap, unit)
    return canvas


def _paint(
    target: NDArray[np.uint8], photo: Photo, geometry: Geometry, panel: MapPanel, scale: tuple[float, str, int]
) -> None:
    """Draw one panel's overlay and marks into ``target`` (H, W, 3); by strips, to save memory on large photos."""
    for top in range(0, len(photo), STRIP):
        rows = slice(top, min(top + STRIP, len(photo)))
        target[rows] = draw_overlay(photo[rows], geometry.to_photo(panel.values, rows), *scale, panel.veil)
    _mark(target, panel.marks)


def _mark(canvas: NDArray[np.uint8], marks: Marks) -> None:
    """Draw the outline and the peak, in white and dark."""
    height, width = canvas.shape[:2]
    thickness = max(2, round(min(height, width) / 200))
    if marks.outline is not None:
        mask = Image.fromarray(marks.outline).resize((width, height), Image.Resampling.NEAREST)
        for reach, colour in ((2 * thickness, INK), (thickness, PAPER)):
            canvas[_border(np.asarray(mask), reach)] = colour
    if marks.peak is None:
        return
    y, x, arm = marks.peak[0] * height, marks.peak[1] * width, 5 * thickness
    with drawing(canvas) as pen:
        for line, colour in ((3 * thickness, INK), (thickness, PAPER)):
            pen.line((x - arm, y, x + arm, y), colour, line)
            pen.line((x, y - arm, x, y + arm), colour, line)


def _border(mask: NDArray[np.bool_], reach: int) -> NDArray[np.bool_]:
    """Return the pixels (H, W) of a mask within ``reach`` of its outside or of the image's edge."""
    inner = np.pad(mask, reach)
    for axis in (0, 1):
        inner = np.logical_and.reduce([np.roll(inner, step, axis) for step in range(-reach, reach + 1)])
    return mask & ~inner[reach:-reach, reach:-reach]
