"""What keeps an ascent's picture natural: even steps at all scales, the colours of photographs, smoothness."""

from functools import cache

import torch
from torch import Tensor
from torch.nn import functional as F

# A root of the covariance of ImageNet's colours, RGB in [0, 1], as lucid publishes it (lucid/optvis/param/color.py,
# "color_correlation_svd_sqrt"; Olah et al. 2017, "Feature Visualization", Distill).
COLOUR_ROOT = ((0.26, 0.09, 0.02), (0.27, 0.00, -0.05), (0.27, -0.09, 0.03))


def bands(values: Tensor, count: int) -> list[Tensor]:
    """Return a Laplacian pyramid of (N, 3, h, w): ``count`` bands from fine to coarse, and the residual.

    Each level has half the sides of the one before, rounded up; where a side comes to 1 there are fewer. ``collapse``
    gives the values back.
    """
    found = []
    for _ in range(count):
        if min(values.shape[-2:]) < 2:
            break
        low = F.avg_pool2d(values, 2, ceil_mode=True, count_include_pad=False)
        found.append(values - _enlarged(low, values))
        values = low
    return [*found, values]


def collapse(pyramid: list[Tensor]) -> Tensor:
    """Return the values (N, 3, h, w) that a pyramid of ``bands`` is made of."""
    values = pyramid[-1]
    for band in reversed(pyramid[:-1]):
        values = band + _enlarged(values, band)
    return values


def _enlarged(low: Tensor, like: Tensor) -> Tensor:
    return F.interpolate(low, like.shape[-2:], mode="bilinear", align_corners=False)


def rms(values: Tensor) -> Tensor:
    """Return the root of each picture's mean square, (N, 1, 1, 1)."""
    return values.square().mean((1, 2, 3), keepdim=True).sqrt()


def even(gradient: Tensor, count: int = 4, coarser: float = 1.0, residual: float = 1.0) -> Tensor:
    """Return a gradient (N, 3, h, w) whose bands all have one strength: each divided by its root mean square.

    ``count`` bands and the residual, each weighted ``coarser`` times the one before, the residual ``residual`` times
    that: at 0 the brightness of large areas stays. All together is scaled to a root mean square of 1. From Google's
    notebook "deepdream" (Mordvintsev 2016, TensorFlow's, section "Laplacian Pyramid Gradient Normalization").
    """
    pyramid = bands(gradient, count)
    weights = [coarser**level for level in range(len(pyramid))]
    weights[-1] *= residual if len(pyramid) > 1 else 1
    return unit(collapse([weight * unit(band) for weight, band in zip(weights, pyramid, strict=True)]))


def unit(values: Tensor) -> Tensor:
    """Return values (N, 3, h, w) divided by their root mean square; zeros where that is zero."""
    return values / rms(values).clamp(min=1e-30)


@cache
def colour_root(power: float = 1.0) -> Tensor:
    """Return the symmetric root (3, 3) of the covariance of ImageNet's colours, to ``power``; its largest value is 1.

    A gradient multiplied by it moves the colours as they go together in photographs: brightness most, then blue
    against yellow, green against purple least. A ``power`` of 0 changes nothing.
    """
    root = torch.tensor(COLOUR_ROOT, dtype=torch.float64)
    values, vectors = torch.linalg.eigh(root @ root.T)
    scale = (values / values.max()) ** (power / 2)
    powered: Tensor = (vectors * scale) @ vectors.T
    return powered.float()


def natural_colours(gradient: Tensor, power: float = 1.0) -> Tensor:
    """Return a gradient (N, 3, h, w) with each pixel multiplied by ``colour_root(power)``."""
    root: Tensor = colour_root(power).to(gradient)
    return torch.einsum("ij,njhw->nihw", root, gradient)


def total_variation(picture: Tensor) -> Tensor:
    """Return the mean absolute difference of neighbours, down plus across, of each picture (N, 3, h, w): (N,).

    Rudin, Osher & Fatemi 1992, in its anisotropic form.
    """
    down = (picture[..., 1:, :] - picture[..., :-1, :]).abs().sum((1, 2, 3))
    across = (picture[..., :, 1:] - picture[..., :, :-1]).abs().sum((1, 2, 3))
    return (down + across) / picture[0].numel()


def variation_gradient(picture: Tensor) -> Tensor:
    """Return the gradient of ``total_variation`` for each picture (N, 3, h, w), times the count of its values."""
    with torch.enable_grad():
        x = picture.detach().requires_grad_()
        (gradient,) = torch.autograd.grad(total_variation(x).sum(), x)
    return gradient * picture[0].numel()
