"""An endless zoom: each frame is the one before, enlarged about its centre, with a few steps of a dream; and fades.

Mordvintsev, Olah & Tyka 2015, "Inceptionism: going deeper into neural networks", section "Iterations".
Resampling is by polynomials of degree 5 through 6 x 6 pixels at exact places, so that the centre stays where it is:
after 30 frames of 1.02 a smooth picture is off by 0.03 levels of 255 (Lanczos windows of 6 and 8 pixels, which ripple:
1.8 and 1.2), a sharp one by 4.8 (5.1 and 3.0).
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from cnnviz.video.coherence import FrameStylizer

REACH = 3  # pixels on either side of a place that its value is made of
ROWS = 64  # resampled at once, so that memory stays small
Affine = tuple[tuple[float, float, float], tuple[float, float, float]]


@dataclass(frozen=True)
class ZoomFrame:
    """One frame: RGB (1, 3, H, W) in [0, 1], and where it lies on the first picture.

    ``transform``: rows (a, b, c) for x and for y: what is at (x, y) of this frame was at a x + b y + c of the first,
    in pixels whose centres are whole numbers.
    """

    picture: Tensor
    transform: Affine


def zoom(
    picture: Tensor, dream: FrameStylizer, frames: int, *, per_frame: float = 1.02, angle: float = 0.0, steps: int = 2,
    start: int = 0,
) -> Iterator[ZoomFrame]:  # fmt: skip
    """Yield ``frames`` frames: ``picture``, RGB (1, 3, H, W) in [0, 1], then each the last one enlarged and dreamed on.

    ``per_frame``: the factor; ``angle``: degrees, counter-clockwise, by which the picture turns in each frame.
    ``start``: the number of the frame that ``picture`` is, itself not given again unless 0: a zoom goes on from its
    last frame, kept as float32 for the same bytes.
    """
    height, width = picture.shape[-2:]
    once = about_centre(height, width, per_frame, angle, 1)
    if not start and frames:
        yield ZoomFrame(picture, about_centre(height, width, per_frame, angle, 0))
    for number in range(start + 1, frames):
        enlarged = resample(picture, once).clamp(0, 1)
        picture = dream(enlarged, enlarged, steps, number).detach()
        yield ZoomFrame(picture, about_centre(height, width, per_frame, angle, number))


def about_centre(height: int, width: int, per_frame: float, angle: float, count: int) -> Affine:
    """Return the transform of ``count`` frames of a zoom at once: from places of the last to places of the first."""
    turn, scale = math.radians(angle) * count, per_frame**-count
    a, b = scale * math.cos(turn), scale * math.sin(turn)
    x, y = (width - 1) / 2, (height - 1) / 2
    return (a, -b, x - a * x + b * y), (b, a, y - b * x - a * y)


def resample(picture: Tensor, transform: Affine) -> Tensor:
    """Return what lies at the places of ``transform``, (N, C, H, W), outside as its nearest pixel.

    Exact for polynomials up to degree 5. For enlarging; a picture made smaller by it would alias.
    """
    height, width = picture.shape[-2:]
    (a, b, c), (d, e, f) = transform
    across = torch.arange(width, dtype=torch.float64, device=picture.device)
    parts = []
    for top in range(0, height, ROWS):
        down = torch.arange(top, min(top + ROWS, height), dtype=torch.float64, device=picture.device)[:, None]
        parts.append(_gathered(picture, a * across + b * down + c, d * across + e * down + f))
    return torch.cat(parts, -2)


def _gathered(picture: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """Return the weighted neighbours of places x, y (h, w) in ``picture`` (N, C, H, W): (N, C, h, w)."""
    columns, across = _window(x, picture.shape[-1], picture.dtype)
    rows, down = _window(y, picture.shape[-2], picture.dtype)
    flat, wide = picture.flatten(2), picture.shape[-1]
    total = torch.zeros((*picture.shape[:2], *x.shape), dtype=picture.dtype, device=picture.device)
    for row, weight in zip(rows, down, strict=True):
        for column, share in zip(columns, across, strict=True):
            total += flat[..., row * wide + column] * (share * weight)
    return total


def _window(places: Tensor, side: int, dtype: torch.dtype) -> tuple[list[Tensor], list[Tensor]]:
    """Return the pixels about each place along one side, and their weights: Lagrange's polynomials through them."""
    below = places.floor()
    part, offsets = places - below, range(1 - REACH, REACH + 1)
    indices = [(below.long() + offset).clamp(0, side - 1) for offset in offsets]
    weights = [
        torch.stack([(part - other) / (offset - other) for other in offsets if other != offset]).prod(0)
        for offset in offsets
    ]
    return indices, [weight.to(dtype) for weight in weights]


def match_color_statistics(dream: FrameStylizer, picture: Tensor) -> FrameStylizer:
    """Return a dream whose pictures have the mean colour of ``picture``, (1, 3, H, W), and its covariance of colours.

    Without it a zoom, which dreams on its own dreams, drifts to full contrast and garish colours. The map of colours is
    the linear one that moves them least: Pitie & Kokaram 2007, "The linear Monge-Kantorovitch linear colour mapping for
    example-based colour transfer", section 3.
    """
    wanted_mean, wanted = _colours(picture)
    root = _power(wanted, 0.5)

    def steady(start: Tensor, frame: Tensor, steps: int, number: int) -> Tensor:
        result = dream(start, frame, steps, number)
        mean, covariance = _colours(result)
        turn = root @ _power(root @ covariance @ root, -0.5) @ root
        held = torch.einsum("ij,njhw->nihw", turn, result - mean) + wanted_mean
        held = held.clamp(0, 1)
        return (held + wanted_mean - held.mean((-2, -1), keepdim=True)).clamp(0, 1)  # what the clamp has moved

    return steady


def _colours(picture: Tensor) -> tuple[Tensor, Tensor]:
    """Return the mean (1, 3, 1, 1) and the covariance (3, 3) of a picture's colours (1, 3, H, W)."""
    return picture.mean((-2, -1), keepdim=True), picture[0].flatten(1).cov()


def _power(matrix: Tensor, exponent: float) -> Tensor:
    """Return a power of a symmetric matrix; directions without extent, as in a grey picture, count as very little."""
    values, vectors = torch.linalg.eigh(matrix.double())
    powered: Tensor = (vectors * values.clamp_min(1e-8) ** exponent) @ vectors.T
    return powered.to(matrix.dtype)


def crossfade(count: int, at: float) -> Sequence[float]:
    """Return the weights of ``count`` things that follow each other, at a place 0 to 1 along the way; they sum to 1.

    Each has its peak at an equal step, the first at 0 and the last at 1, and gives way to the next in a straight line.
    """
    place = min(max(at, 0.0), 1.0) * (count - 1)
    return [max(0.0, 1 - abs(place - number)) for number in range(count)]
