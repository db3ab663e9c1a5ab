"""Colours of values: ramps, scales with round ends, and values over a photo. numpy alone, without matplotlib."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from cnnviz.errors import InvalidRequest
from cnnviz.figures.style import COLORMAPS
from cnnviz.io.color import Photo

# The ends of ColorBrewer's RdBu (Harrower & Brewer 2003) without its light middle, and of its oranges, darkened:
# opacity shows the distance from 0.
BLUES, REDS = ("#053061", "#2166ac", "#4393c3"), ("#d6604d", "#b2182b", "#67001f")
ORANGES = ("#fdae6b", "#f0813a", "#c94a0a", "#7f2704", "#3b1204")
STRENGTH, POWER, FLAT = 0.88, 0.75, 0.72  # opacity of the strongest value, its exponent, opacity of other colour maps
GROUND = (0.30, 0.97)  # darkest and lightest grey of the photo under a map
MIDDLE = 0.80  # grey under a colour bar
ROUND_ENDS, ROUND_STEPS = (1, 1.5, 2, 3, 4, 5, 6, 8, 10), (1, 2, 5, 10)  # times powers of ten
LUMA = np.array([0.299, 0.587, 0.114], np.float32)  # ITU-R BT.601
PROJECTION_SHARE = 0.998  # share of a projection's values within its scale


@dataclass(frozen=True)
class Scale:
    """Colours of the values from ``low`` to ``high``.

    With ``colormap`` "auto" red and blue around 0 where ``low`` is negative, otherwise orange to brown, more opaque
    for larger values; any other at one ``opacity``.
    """

    low: float
    high: float
    colormap: str = "auto"
    opacity: float = FLAT

    def rgba(self, values: NDArray[np.floating]) -> NDArray[np.float32]:
        """Return colours and opacity (..., 4), 0 to 1, of values (...); opacity 0 where they are NaN."""
        known = np.nan_to_num(np.asarray(values, np.float32))
        part = ((known - self.low) / (self.high - self.low)).clip(0, 1)
        if self.colormap != "auto":
            name, opacity = self.colormap, np.full(part.shape, self.opacity, np.float32)
        else:
            name = "signed" if self.low < 0 else "unsigned"
            opacity = STRENGTH * np.abs(2 * part - 1 if self.low < 0 else part) ** POWER
        colours = color_table(name)[np.rint(part * 255).astype(np.uint8)] / np.float32(255)
        opacity = np.where(np.isnan(values), 0, opacity)
        return np.concatenate([colours, opacity[..., None]], -1).astype(np.float32)

    def over(self, ground: NDArray[np.floating], values: NDArray[np.floating]) -> Photo:
        """Return the colours of values (H, W) over a ground (H, W, 3) or (H, W, 1), 0 to 1."""
        colours = self.rgba(values)
        mixed = ground * (1 - colours[..., 3:]) + colours[..., :3] * colours[..., 3:]
        image: Photo = np.rint(255 * mixed).clip(0, 255).astype(np.uint8)
        return image

    def bar(self, length: int = 256, ground: float = MIDDLE) -> Photo:
        """Return the colours from ``low`` to ``high`` over a grey ``ground``, (1, length, 3)."""
        return self.over(np.full((1, 1, 1), ground, np.float32), np.linspace(self.low, self.high, length)[None])


@cache
def color_table(name: str) -> NDArray[np.uint8]:
    """Return 256 colours (256, 3) from the lowest value to the highest. Raises InvalidRequest."""
    if name == "signed":
        return np.concatenate([_interpolate(BLUES, 128), _interpolate(REDS, 128)])
    if name == "unsigned":
        return _interpolate(ORANGES, 256)
    if name not in COLORMAPS:
        raise InvalidRequest(f"no colour map is named {name!r}; use one of {', '.join(COLORMAPS)}")
    try:
        import cv2
    except ImportError as error:  # system libraries that OpenCV needs are missing
        raise InvalidRequest(f"--colormap {name} needs OpenCV, which cannot be loaded here ({error})") from error
    ramp = np.arange(256, dtype=np.uint8)[:, None]
    table = cv2.applyColorMap(ramp, getattr(cv2, f"COLORMAP_{name.upper()}"))[:, 0, ::-1]
    return np.ascontiguousarray(table, dtype=np.uint8)


def _interpolate(colours: Sequence[str], length: int) -> NDArray[np.uint8]:
    """Return ``length`` colours through those given as #rrggbb."""
    stops = np.array([rgb(colour) for colour in colours], float)
    places = np.linspace(0, len(stops) - 1, length)
    return np.stack([np.interp(places, range(len(stops)), channel) for channel in stops.T], 1).astype(np.uint8)


def rgb(colour: str) -> tuple[int, int, int]:
    """Return a colour #rrggbb as RGB of 0 to 255."""
    red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return red, green, blue


def round_end(largest: float, leading: Sequence[float] = ROUND_ENDS) -> float:
    """Return the end of a scale: the first of ``leading`` times a power of ten that is not below."""
    if not largest > 0:
        return 1.0
    power = 10.0 ** np.floor(np.log10(largest))
    return float(next((f * power for f in leading if f * power >= largest * (1 - 1e-9)), 10 * power))


def percentile_scale(values: NDArray[np.floating], share: float = PROJECTION_SHARE) -> float:
    """Return the quantile ``share`` of the magnitudes of all finite values (...): a scale without outliers."""
    finite = np.abs(values[np.isfinite(values)])
    return float(np.quantile(finite, share) or finite.max() or 1.0) if finite.size else 1.0


def summed_scale(values: NDArray[np.floating], share: float = 0.98) -> float:
    """Return the magnitude up to which the magnitudes add up to ``share`` of the sum of all finite ones."""
    finite = np.sort(np.abs(values[np.isfinite(values)]).ravel()).astype(np.float64)
    if not finite.size or not finite[-1]:
        return 1.0
    return float(finite[np.searchsorted(finite.cumsum(), share * finite.sum()).clip(max=len(finite) - 1)])


def luma(photo: Photo) -> NDArray[np.float32]:
    """Return the luma of a photo (H, W, 3): (H, W, 1), 0 to 1."""
    return np.asarray(photo @ LUMA / 255, np.float32)[..., None]


def map_ground(photo: Photo) -> NDArray[np.float32]:
    """Return the grey (H, W, 1), 0 to 1, that is drawn under a map: neither black nor white."""
    low, high = GROUND
    return np.asarray(low + (high - low) * luma(photo), np.float32)


def signed_tile(values: NDArray[np.floating], scale: float | None = None) -> Photo:
    """Return signed values (c, h, w) as colours, or one channel as grey: 0 is mid-grey, ``scale`` black or white."""
    scale = scale or percentile_scale(values)
    pixels = np.rint(values / scale * 127.5 + 127.5).clip(0, 255).astype(np.uint8).transpose(1, 2, 0)
    return np.ascontiguousarray(pixels if pixels.shape[2] == 3 else pixels.repeat(3, 2))
