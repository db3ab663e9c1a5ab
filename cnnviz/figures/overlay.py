"""Numbers into colours: maps over a photograph, a colour bar, captions. A picture is uint8 RGB (H, W, 3)."""

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from cnnviz.errors import InvalidRequest
from cnnviz.io.color import Photo
from cnnviz.models.preprocess import Geometry

STRIP = 256
LARGE = 0.998  # the share of a projection's values that its scale takes in
SMALL = 480  # a figure's panel is enlarged to this, so that its caption can be read
INK, PAPER, FAINT, BAR = (24, 24, 27), (255, 255, 255), (110, 110, 118), (236, 236, 238)
# The ends of ColorBrewer's RdBu (Harrower & Brewer 2003). Its light middle is left out: opacity says how near to zero.
BLUES, REDS = ("#053061", "#2166ac", "#4393c3"), ("#d6604d", "#b2182b", "#67001f")
COLORMAPS = ("signed", "viridis", "inferno", "magma", "plasma", "cividis", "turbo", "jet")


@dataclass(frozen=True)
class Marks:
    """What is drawn over a map: ``peak`` (y, x) in shares 0 to 1 of the photograph's height and width, as a cross;
    ``outline`` (H, W) booleans at any size, whose border is drawn.
    """

    peak: tuple[float, float] | None = None
    outline: NDArray[np.bool_] | None = None


@dataclass(frozen=True)
class MapPanel:
    """One map of a figure: ``values`` (h, w) on the network's input, a title and a line below it.

    ``veil``, 0 to 1: how pale the photograph is beneath, so that single pixels of a map can be seen.
    """

    values: NDArray[np.float32]
    title: str
    subtitle: str = ""
    marks: Marks = Marks()
    veil: float = 0.0


@cache
def colour_table(name: str) -> NDArray[np.uint8]:
    """Return 256 colours (256, 3) from the most negative value to the most positive."""
    if name == "signed":
        return np.concatenate([_ramp(BLUES), _ramp(REDS)])
    if name not in COLORMAPS:
        raise InvalidRequest(f"no colour map is named {name!r}; take one of {', '.join(COLORMAPS)}")
    try:
        import cv2
    except ImportError as error:  # a bare server lacks libraries of the system that OpenCV needs
        raise InvalidRequest(f"--colormap {name} needs OpenCV, which does not load here ({error})") from error
    ramp = np.arange(256, dtype=np.uint8)[:, None]
    table = cv2.applyColorMap(ramp, getattr(cv2, f"COLORMAP_{name.upper()}"))[:, 0, ::-1]
    return np.ascontiguousarray(table, dtype=np.uint8)


def _ramp(colours: Sequence[str]) -> NDArray[np.uint8]:
    """Return 128 colours (128, 3) that pass through those given as #rrggbb."""
    stops = np.array([[int(colour[i : i + 2], 16) for i in (1, 3, 5)] for colour in colours], float)
    places = np.linspace(0, len(stops) - 1, 128)
    return np.stack([np.interp(places, range(len(stops)), channel) for channel in stops.T], 1).astype(np.uint8)


def _opacity(part: NDArray[Any], colormap: str) -> NDArray[Any]:
    """Return how much of the photograph a value (..., 1), -1 to 1 of the scale, hides."""
    return 0.85 * np.abs(part) ** 0.8 if colormap == "signed" else np.full_like(part, 0.7)


def draw_overlay(
    photo: Photo, values: NDArray[np.float32], scale: float, colormap: str = "signed", low: int = -1, veil: float = 0.0
) -> Photo:
    """Lay a signed map (H, W) over a photograph (H, W, 3); ``scale`` is the value of the strongest colour, and
    ``low`` of it, -1 or 0, that of the first colour of a map that is not "signed"; ``veil`` how pale
    the photograph is.

    The photograph is grey beneath, so that colour means the map alone; near zero it shows through, where the map is
    NaN it is dimmed.
    """
    light = grey(photo)
    with np.errstate(invalid="ignore"):
        part = np.nan_to_num(np.clip(values / scale, -1, 1))
    colours = _colours(part, colormap, low)
    opacity = _opacity(part[..., None], colormap)
    ground = (0.85 * light + 38) * (1 - veil) + 255 * veil
    mixed = ground * (1 - opacity) + colours * opacity
    return np.where(np.isnan(values)[..., None], light * 0.35 + 20, mixed).clip(0, 255).astype(np.uint8)


def _colours(part: NDArray[Any], colormap: str, low: int) -> NDArray[np.uint8]:
    """Return the colours (..., 3) of values (...), -1 to 1 of the scale."""
    place = (part + 1) / 2 if low or colormap == "signed" else part.clip(0)
    return colour_table(colormap)[np.rint(place * 255).astype(np.uint8)]


def grey(photo: Photo) -> NDArray[Any]:
    """Return how light a photograph (H, W, 3) is, (H, W, 1), 0 to 255: the luma of ITU-R BT.601."""
    light: NDArray[Any] = photo @ np.array([0.299, 0.587, 0.114], np.float32)
    return light[..., None]


def percentile_scale(values: NDArray[np.floating], share: float = 0.99) -> float:
    """Return the magnitude below which a share of all values (...) lie: an end of the scale that no lone pixel sets."""
    known = np.abs(values[np.isfinite(values)])
    return float(np.quantile(known, share) or known.max() or 1.0) if known.size else 1.0


def at_figure_size(photo: Photo, geometry: Geometry, side: int = SMALL) -> tuple[Photo, Geometry]:
    """Return the photograph with a shorter side of ``side`` pixels, whatever its own, and the geometry to match."""
    height, width = (max(1, round(length * side / min(photo.shape[:2]))) for length in photo.shape[:2])
    scaled = np.asarray(Image.fromarray(photo).resize((width, height), Image.Resampling.BICUBIC))
    return scaled, replace(geometry, photo=(height, width))


def stack(pictures: Sequence[Photo]) -> Photo:
    """Return pictures one below the other, white where one is narrower."""
    width = max(picture.shape[1] for picture in pictures)
    canvas = np.full((sum(map(len, pictures)), width, 3), 255, np.uint8)
    top = 0
    for picture in pictures:
        canvas[top : top + len(picture), : picture.shape[1]] = picture
        top += len(picture)
    return canvas


def common_scale(panels: Sequence[MapPanel]) -> float:
    """Return the largest magnitude in all maps; a very small number where all are zero."""
    largest = [float(np.nanmax(np.abs(p.values))) for p in panels if np.isfinite(p.values).any()]
    return max([*largest, 1e-12])


def draw_figure(
    photo: Photo, geometry: Geometry, panels: Sequence[MapPanel], *, label: str, colormap: str, bare: bool,
    scale: float | None = None, signed: bool = True,
) -> Photo:  # fmt: skip
    """Return the panels side by side over a photograph, on one scale, with captions and a colour bar.

    ``label`` says what the colour bar measures. ``bare`` gives the overlays alone, at the photograph's own size.
    ``scale`` is the value of the strongest colour, by default the largest magnitude in all maps; where
    the maps are not ``signed`` the scale starts at zero.
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
        paint(place, photo, geometry, panel, scale, colormap, low)
        _mark(place, panel.marks)
        if not bare:
            caption(canvas[:head, left : left + width], panel.title, panel.subtitle, unit)
    if not bare:
        colour_bar(canvas[head : head + height, gap + total + gap :], low * scale, scale, label, colormap, unit)
    return canvas


def font_size(height: int, width: int) -> int:
    """Return the size of letters in pixels: in proportion, and less than that on very large pictures."""
    size = max(11.0, min(height, width * 1.3) / 26)
    return round(min(size, 40 * math.pow(size / 40, 0.7)))


def enlarge(photo: Photo, geometry: Geometry) -> tuple[Photo, Geometry]:
    """Return a small photograph enlarged by a whole factor for a figure, and the geometry to match."""
    factor = -(-SMALL // min(photo.shape[:2]))
    if factor <= 1:
        return photo, geometry
    height, width = (side * factor for side in photo.shape[:2])
    large = np.asarray(Image.fromarray(photo).resize((width, height), Image.Resampling.BICUBIC))
    return large, replace(geometry, photo=(height, width))


def paint(
    target: NDArray[np.uint8], photo: Photo, geometry: Geometry, panel: MapPanel, scale: float, colormap: str, low: int
) -> None:
    """Paint one overlay into ``target`` (H, W, 3) by strips: a large photograph costs one strip of floats."""
    for top in range(0, len(photo), STRIP):
        rows = slice(top, min(top + STRIP, len(photo)))
        values = geometry.to_photo(panel.values, rows)
        target[rows] = draw_overlay(photo[rows], values, scale, colormap, low, panel.veil)


def _mark(canvas: NDArray[np.uint8], marks: Marks) -> None:
    """Draw a mask's border in white and dark, and a cross in a ring at the peak, over one overlay (H, W, 3)."""
    height, width = canvas.shape[:2]
    thick = max(2, round(min(height, width) / 200))
    if marks.outline is not None:
        mask = Image.fromarray(marks.outline).resize((width, height), Image.Resampling.NEAREST)
        for reach, colour in ((2 * thick, INK), (thick, PAPER)):
            canvas[_border(np.asarray(mask), reach)] = colour
    if marks.peak is None:
        return
    y, x, arm = marks.peak[0] * height, marks.peak[1] * width, 5 * thick

    with drawing(canvas) as pen:
        for wide, colour in ((3 * thick, INK), (thick, PAPER)):
            pen.line((x - arm, y, x + arm, y), colour, wide)
            pen.line((x, y - arm, x, y + arm), colour, wide)


def _border(mask: NDArray[np.bool_], reach: int) -> NDArray[np.bool_]:
    """Return the pixels (H, W) of a mask that lie within ``reach`` of its outside, or of the picture's edge."""
    inner = np.pad(mask, reach)
    for axis in (0, 1):
        moved = [np.roll(inner, step, axis) for step in range(-reach, reach + 1)]
        inner = np.logical_and.reduce(moved)
    return mask & ~inner[reach:-reach, reach:-reach]


def caption(canvas: NDArray[np.uint8], title: str, subtitle: str, unit: int) -> None:
    """Write a title and a line below it, in letters of ``unit`` pixels."""
    width, bold, small = canvas.shape[1], load_font(round(1.15 * unit)), load_font(round(0.8 * unit))
    with drawing(canvas) as pen:
        pen.text((0, 0.55 * unit), ellipsize(title, bold, width), INK, bold)
        pen.text((0, 2.0 * unit), ellipsize(subtitle, small, width), FAINT, small)


def colorize(values: NDArray[Any], low: float, high: float, colormap: str = "signed") -> Photo:
    """Return values (...) as colours (..., 3), those of a colour bar from ``low`` to ``high``; signed ones have zero in
    the middle of the table, whatever the ends.
    """
    values = np.asarray(values, np.float32)
    place = values / max(abs(low), abs(high)) if colormap == "signed" else (values - low) / (high - low) * 2 - 1
    part = np.clip(place, -1, 1)[..., None]
    colours = colour_table(colormap)[np.rint((part[..., 0] + 1) * 127.5).astype(np.uint8)]
    opacity = _opacity(part, colormap) / 0.85 if colormap == "signed" else 1.0
    mixed: Photo = (colours * opacity + np.array(BAR) * (1 - opacity)).astype(np.uint8)
    return mixed


def colour_bar(canvas: NDArray[np.uint8], low: float, high: float, label: str, colormap: str, unit: int) -> None:
    """Draw a bar with its ends and its middle as numbers and ``label`` along it, in letters of ``unit`` pixels."""
    height = len(canvas)
    canvas[:, : round(0.9 * unit)] = colorize(np.linspace(high, low, height), low, high, colormap)[:, None]

    font, left = load_font(round(0.8 * unit)), round(1.3 * unit)
    sign = "+" if low < 0 else ""
    with drawing(canvas) as pen:
        for place, value in ((0.0, high), (0.5, (low + high) / 2), (1.0, low)):
            y = min(max(place * height, 0.5 * unit), height - 0.5 * unit)
            pen.text((left, y), f"{value:{sign}.2g}" if value else "0", INK, font, anchor="lm")
    _draw_upright(canvas, label, unit)


def _draw_upright(canvas: NDArray[np.uint8], label: str, unit: int) -> None:
    """Write the bar's label along it, from bottom to top, right of its numbers."""
    font = load_font(round(0.8 * unit))
    strip = Image.new("RGB", (len(canvas), round(1.4 * unit)), PAPER)
    text = ellipsize(label, font, len(canvas))
    ImageDraw.Draw(strip).text((len(canvas) / 2, 0), text, FAINT, font, anchor="ma")
    upright = np.asarray(strip.transpose(Image.Transpose.ROTATE_90))
    left = round(4.4 * unit)
    room = canvas[:, left : left + upright.shape[1]]
    room[:] = upright[:, : room.shape[1]]


@contextmanager
def drawing(canvas: NDArray[np.uint8]) -> Iterator[ImageDraw.ImageDraw]:
    """Yield Pillow's pen for a part of a picture; what it drew is there at the end."""
    image = Image.fromarray(canvas)
    yield ImageDraw.Draw(image)
    canvas[:] = np.asarray(image)


@cache
def load_font(size: int) -> Any:
    """Return Pillow's own typeface at a size in pixels, at least 8."""
    return ImageFont.load_default(max(size, 8))


def ellipsize(text: str, font: Any, width: int) -> str:
    """Return a text cut to a width in pixels, with dots where something is missing."""
    if font.getlength(text) <= width:
        return text
    while text and font.getlength(text + "...") > width:
        text = text[:-1]
    return text.rstrip() + "..."
