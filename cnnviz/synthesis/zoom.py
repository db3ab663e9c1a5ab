"""An endless zoom: each frame is the last one enlarged about its centre and stylized again with a few steps.

Mordvintsev, Olah & Tyka 2015, "Inceptionism: going deeper into neural networks", section "Iterations".
Resampling is by polynomials of degree 5 through 6 x 6 pixels at exact positions, so that the centre does not move:
after 30 frames of 1.02 a smooth image is off by 0.03 levels of 255 (Lanczos windows of 6 and 8 pixels, which ripple:
1.8 and 1.2), a sharp one by 4.8 (5.1 and 3.0).
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from cnnviz.video.coherence import FrameStylizer

RADIUS = 3  # pixels on either side of a position that its value is interpolated from
ROWS = 64  # rows resampled at a time, to bound the memory
Affine = tuple[tuple[float, float, float], tuple[float, float, float]]


@dataclass(frozen=True)
class ZoomFrame:
    """Frame ``number`` of a zoom: RGB (1, 3, H, W) in [0, 1], and its position on the first frame.

    ``transform``: rows (a, b, c) for x and for y: the pixel (x, y) of this frame shows a x + b y + c of the first;
    pixel centres are integers.
    """

    number: int
    tensor: Tensor
    transform: Affine


def zoom(
    image: Tensor,
    stylizer: FrameStylizer,
    frames: int,
    *,
    per_frame: float = 1.02,
    angle: float = 0.0,
    steps: int = 2,
    start: int = 0,
) -> Iterator[ZoomFrame]:
    """Yield ``frames`` frames: ``image``, RGB (1, 3, H, W) in [0, 1], then each the last one enlarged and stylized.

    ``per_frame``: factor of the enlargement; ``angle``: counter-clockwise rotation per frame in degrees; ``start``:
    the number of the frame that ``image`` is, which is yielded itself only if 0: a zoom continues from its last frame,
    kept as float32, with the same results.
    """
    height, width = image.shape[-2:]
    once = transform_about_centre(height, width, per_frame, angle, 1)
    if not start and frames:
        yield ZoomFrame(0, image, transform_about_centre(height, width, per_frame, angle, 0))
    for number in range(start + 1, frames):
        enlarged = resample(image, once).clamp(0, 1)
        image = stylizer(enlarged, enlarged, steps, number).detach()
        yield ZoomFrame(number, image, transform_about_centre(height, width, per_frame, angle, number))


def transform_about_centre(height: int, width: int, per_frame: float, angle: float, count: int) -> Affine:
    """Return the transform of ``count`` frames of a zoom: from positions in the last to positions in the first."""
    turn, scale = math.radians(angle) * count, per_frame**-count
    a, b = scale * math.cos(turn), scale * math.sin(turn)
    x, y = (width - 1) / 2, (height - 1) / 2
    return (a, -b, x - a * x + b * y), (b, a, y - b * x - a * y)


def resample(image: Tensor, transform: Affine) -> Tensor:
    """Return an image (N, C, H, W) at the positions of ``transform``; the nearest pixel outside.

    Exact for polynomials up to degree 5. For enlarging only: it does not antialias.
    """
    height, width = image.shape[-2:]
    (a, b, c), (d, e, f) = transform
    x = torch.arange(width, dtype=torch.float64, device=image.device)
    parts = []
    for top in range(0, height, ROWS):
        y = torch.arange(top, min(top + ROWS, height), dtype=torch.float64, device=image.device)[:, None]
        parts.append(_interpolate(image, a * x + b * y + c, d * x + e * y + f))
    return torch.cat(parts, -2)


def _interpolate(image: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """Return an image (N, C, H, W) interpolated at positions x, y (h, w): (N, C, h, w)."""
    columns, x_weights = _axis_weights(x, image.shape[-1], image.dtype)
    rows, y_weights = _axis_weights(y, image.shape[-2], image.dtype)
    flat, width = image.flatten(2), image.shape[-1]
    total = torch.zeros((*image.shape[:2], *x.shape), dtype=image.dtype, device=image.device)
    for row, y_weight in zip(rows, y_weights, strict=True):
        for column, x_weight in zip(columns, x_weights, strict=True):
            total += flat[..., row * width + column] * (x_weight * y_weight)
    return total


def _axis_weights(positions: Tensor, side: int, dtype: torch.dtype) -> tuple[list[Tensor], list[Tensor]]:
    """Return the pixels around each position along one axis, and their weights: Lagrange polynomials."""
    below = positions.floor()
    fraction, offsets = positions - below, range(1 - RADIUS, RADIUS + 1)
    indices = [(below.long() + offset).clamp(0, side - 1) for offset in offsets]
    weights = [
        torch.stack([(fraction - other) / (offset - other) for other in offsets if other != offset]).prod(0)
        for offset in offsets
    ]
    return indices, [weight.to(dtype) for weight in weights]


def crossfade(count: int, at: float) -> Sequence[float]:
    """Return the weights of ``count`` items that fade into one another, at a time from 0 to 1; they sum to 1.

    Item i has its maximum at i / (count - 1) and falls linearly to 0 at its neighbours' maxima.
    """
    position = min(max(at, 0.0), 1.0) * (count - 1)
    return [max(0.0, 1 - abs(position - number)) for number in range(count)]
