"""An endless zoom: each frame is the last one enlarged about its centre and stylized again with a few steps.

Mordvintsev, Olah & Tyka 2015, "Inceptionism: going deeper into neural networks", section "Iterations".
Resampling is by polynomials of degree 5 through 6 x 6 pixels at exact positions, so that the centre does not move:
after 30 frames of 1.02 a smooth image is off by 0.03 levels of 255 (Lanczos windows of 6 and 8 pixels, which ripple:
1.8 and 1.2), a sharp one by 4.8 (5.1 and 3.0).

A zoom, which stylizes its own results again and again, would drift to full contrast and garish colours, so each frame
gets the colours of the first by linear transfer: Pitié & Kokaram 2007, "The linear Monge-Kantorovitch linear colour
mapping for example-based colour transfer", section 3: of the linear maps that do so, the one that changes them least.
"""

import torch
from torch import Tensor

from cnnviz.video.coherence import FrameStylizer, renewal_steps

PER_FRAME = 1.02  # factor by which each frame is enlarged
RADIUS = 3  # pixels on either side of a position that its value is interpolated from


class Zoom:
    """A zoom into ``first``, RGB (1, 3, H, W) in [0, 1]; ``steps``: those of a frame that is stylized from nothing."""

    def __init__(self, first: Tensor, stylizer: FrameStylizer, steps: int) -> None:
        self.first = first
        self._stylizer, self._steps = stylizer, renewal_steps(steps)
        self._mean, self._covariance = color_statistics(first)

    def next_frame(self, image: Tensor, number: int) -> Tensor:
        """Return frame ``number``, counted from 0, after the frame ``image``."""
        enlarged = enlarge(image, PER_FRAME).clamp(0, 1)
        stylized = self._stylizer(enlarged, enlarged, self._steps, number).detach()
        return match_colors(stylized, self._mean, self._covariance)


def enlarge(image: Tensor, factor: float) -> Tensor:
    """Return an image (N, C, H, W) enlarged about its centre, at the same size; the nearest pixel outside.

    Exact for polynomials up to degree 5. Does not antialias.
    """
    rows, y_weights = _axis_weights(image.shape[-2], factor, image)
    columns, x_weights = _axis_weights(image.shape[-1], factor, image)
    total = torch.zeros_like(image)
    for row, y_weight in zip(rows, y_weights, strict=True):
        for column, x_weight in zip(columns, x_weights, strict=True):
            total += image[..., row[:, None], column] * (x_weight * y_weight[:, None])
    return total


def _axis_weights(side: int, factor: float, image: Tensor) -> tuple[list[Tensor], list[Tensor]]:
    """Return the pixels around each position along one axis, and their weights: Lagrange polynomials."""
    scale, centre = 1 / factor, (side - 1) / 2
    positions = scale * torch.arange(side, dtype=torch.float64, device=image.device) + (centre - scale * centre)
    below = positions.floor()
    fraction, offsets = positions - below, range(1 - RADIUS, RADIUS + 1)
    indices = [(below.long() + offset).clamp(0, side - 1) for offset in offsets]
    weights = [
        torch.stack([(fraction - other) / (offset - other) for other in offsets if other != offset]).prod(0)
        for offset in offsets
    ]
    return indices, [weight.to(image.dtype) for weight in weights]


def match_colors(image: Tensor, mean: Tensor, covariance: Tensor) -> Tensor:
    """Return an image (1, 3, H, W) in [0, 1] with mean colour ``mean`` (1, 3, 1, 1) and ``covariance`` (3, 3)."""
    root = _matrix_power(covariance, 0.5)
    own_mean, own = color_statistics(image)
    transfer = root @ _matrix_power(root @ own @ root, -0.5) @ root
    matched = torch.einsum("ij,njhw->nihw", transfer, image - own_mean) + mean
    matched = matched.clamp(0, 1)
    return (matched + mean - matched.mean((-2, -1), keepdim=True)).clamp(0, 1)  # undoes the shift by the first clamp


def color_statistics(image: Tensor) -> tuple[Tensor, Tensor]:
    """Return the mean (1, 3, 1, 1) and the covariance (3, 3) of an image's colours (1, 3, H, W)."""
    return image.mean((-2, -1), keepdim=True), image[0].flatten(1).cov()


def _matrix_power(matrix: Tensor, exponent: float) -> Tensor:
    """Return a power of a symmetric matrix; eigenvalues near 0, as of a grey image, are raised to 1e-8."""
    values, vectors = torch.linalg.eigh(matrix.double())
    powered: Tensor = (vectors * values.clamp_min(1e-8) ** exponent) @ vectors.T
    return powered.to(matrix.dtype)
