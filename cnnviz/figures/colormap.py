"""Colour maps, scales and colour bars."""

from collections.abc import Sequence
from functools import cache

import numpy as np
from numpy.typing import NDArray

from cnnviz.errors import InvalidRequest
from cnnviz.figures.palette import BAR, INK
from cnnviz.figures.text import drawing, ellipsize, load_font, upright_text
from cnnviz.io.color import Photo

# The ends of ColorBrewer's RdBu (Harrower & Brewer 2003), without its light middle: opacity shows the distance from 0.
BLUES, REDS = ("#053061", "#2166ac", "#4393c3"), ("#d6604d", "#b2182b", "#67001f")
PROJECTION_SHARE = 0.998  # share of a projection's values within the scale
COLORMAPS = ("signed", "viridis", "inferno", "magma", "plasma", "cividis", "turbo", "jet")


@cache
def color_table(name: str) -> NDArray[np.uint8]:
    """Return 256 colours (256, 3) from the most negative value to the most positive. Raises InvalidRequest."""
    if name == "signed":
        return np.concatenate([_interpolate(BLUES), _interpolate(REDS)])
    if name not in COLORMAPS:
        raise InvalidRequest(f"no colour map is named {name!r}; use one of {', '.join(COLORMAPS)}")
    try:
        import cv2
    except ImportError as error:  # system libraries that OpenCV needs are missing
        raise InvalidRequest(f"--colormap {name} needs OpenCV, which cannot be loaded here ({error})") from error
    ramp = np.arange(256, dtype=np.uint8)[:, None]
    table = cv2.applyColorMap(ramp, getattr(cv2, f"COLORMAP_{name.upper()}"))[:, 0, ::-1]
    return np.ascontiguousarray(table, dtype=np.uint8)


def _interpolate(colours: Sequence[str]) -> NDArray[np.uint8]:
    """Return 128 colours (128, 3) through those given as #rrggbb."""
    stops = np.array([[int(colour[i : i + 2], 16) for i in (1, 3, 5)] for colour in colours], float)
    places = np.linspace(0, len(stops) - 1, 128)
    return np.stack([np.interp(places, range(len(stops)), channel) for channel in stops.T], 1).astype(np.uint8)


def opacity(values: NDArray[np.floating], colormap: str) -> NDArray[np.floating]:
    """Return the opacity of the colours of values (..., 1), -1 to 1, over an image."""
    return 0.85 * np.abs(values) ** 0.8 if colormap == "signed" else np.full_like(values, 0.7)


def map_colours(values: NDArray[np.floating], colormap: str, low: int) -> NDArray[np.uint8]:
    """Return the colours (..., 3) of values (...), -1 to 1; unless "signed" the first is that of ``low``, -1 or 0."""
    place = (values + 1) / 2 if low or colormap == "signed" else values.clip(0)
    return color_table(colormap)[np.rint(place * 255).astype(np.uint8)]


def colorize(values: NDArray[np.number], low: float, high: float, colormap: str = "signed") -> Photo:
    """Return values (...) as colours (..., 3) of a colour bar from ``low`` to ``high``.

    With the colour map "signed" zero is in the middle of the table, whatever the ends.
    """
    values = np.asarray(values, np.float32)
    place = values / max(abs(low), abs(high)) if colormap == "signed" else (values - low) / (high - low) * 2 - 1
    part = np.clip(place, -1, 1)[..., None]
    colours = color_table(colormap)[np.rint((part[..., 0] + 1) * 127.5).astype(np.uint8)]
    share = opacity(part, colormap) / 0.85 if colormap == "signed" else 1.0
    mixed: Photo = (colours * share + np.array(BAR) * (1 - share)).astype(np.uint8)
    return mixed


def percentile_scale(values: NDArray[np.floating], share: float = 0.99) -> float:
    """Return the quantile ``share`` of the magnitudes of all finite values (...): a scale without outliers."""
    finite = np.abs(values[np.isfinite(values)])
    return float(np.quantile(finite, share) or finite.max() or 1.0) if finite.size else 1.0


def color_bar(canvas: NDArray[np.uint8], low: float, high: float, label: str, colormap: str, unit: int) -> None:
    """Draw a colour bar with the values of its ends and middle and a ``label``, at a font size of ``unit`` pixels."""
    height = len(canvas)
    canvas[:, : round(0.9 * unit)] = colorize(np.linspace(high, low, height), low, high, colormap)[:, None]
    font, left = load_font(round(0.8 * unit)), round(1.3 * unit)
    sign = "+" if low < 0 else ""
    with drawing(canvas) as pen:
        for place, value in ((0.0, high), (0.5, (low + high) / 2), (1.0, low)):
            y = min(max(place * height, 0.5 * unit), height - 0.5 * unit)
            pen.text((left, y), f"{value:{sign}.2g}" if value else "0", INK, font, anchor="lm")
    strip = np.asarray(upright_text(ellipsize(label, font, height), font, height, round(1.4 * unit)))
    target = canvas[:, round(4.4 * unit) :][:, : strip.shape[1]]
    target[:] = strip[:, : target.shape[1]]
