"""Priors that turn a gradient into the step of a natural image: equal bands, correlated colours, smoothness.

Olah, Mordvintsev & Schubert 2017, "Feature Visualization" (Distill), section "The enemy of feature visualization".
"""

import math
from functools import cache

import torch
from torch import Tensor
from torch.nn import functional as F

# A square root of the covariance of ImageNet's colours, RGB in [0, 1], as published in lucid
# (lucid/optvis/param/color.py, "color_correlation_svd_sqrt").
COLOR_ROOT = ((0.26, 0.09, 0.02), (0.27, 0.00, -0.05), (0.27, -0.09, 0.03))
MAX_COPIED = 3 << 20  # values of an image that may be copied; larger ones are changed in place, and resampled by torch
BANDS = 4  # of a gradient, without the residual
ROWS = 256  # rows of a large image processed at a time


def bands(values: Tensor, count: int) -> list[Tensor]:
    """Return a Laplacian pyramid of (N, 3, h, w): ``count`` bands from fine to coarse, and the residual.

    Each level has half the sides of the one before, rounded up; fewer levels if a side reaches 1. ``collapse`` is the
    inverse.
    """
    levels = []
    for _ in range(count):
        if min(values.shape[-2:]) < 2:
            break
        low = _halve(values)
        levels.append(values - _enlarge(low, values))
        values = low
    return [*levels, values]


def collapse(pyramid: list[Tensor]) -> Tensor:
    """Return the values (N, 3, h, w) of a pyramid of ``bands``."""
    values = pyramid[-1]
    for band in reversed(pyramid[:-1]):
        values = _enlarge(values, band).add_(band)
    return values


def _halve(values: Tensor) -> Tensor:
    """Return means over 2 x 2 pixels. Even sides by sums, in a fifth of the pooling's time but with copies."""
    if values.shape[-2] % 2 or values.shape[-1] % 2 or values.numel() > MAX_COPIED:
        return F.avg_pool2d(values, 2, ceil_mode=True, count_include_pad=False)
    rows = values[..., ::2, :] + values[..., 1::2, :]
    return (rows[..., ::2] + rows[..., 1::2]).mul_(0.25)


def _enlarge(low: Tensor, like: Tensor) -> Tensor:
    """Return values at the size of ``like``, bilinear; integer factors in a quarter of torch's time."""
    (height, width), (rows, columns) = like.shape[-2:], low.shape[-2:]
    if height % rows or width % columns or min(rows, columns) < 2 or like.numel() > MAX_COPIED:
        return F.interpolate(low, (height, width), mode="bilinear", align_corners=False)
    return _stretch(_stretch(low, 3, width // columns), 2, height // rows)


def _stretch(low: Tensor, dim: int, by: int) -> Tensor:
    """Return values interpolated linearly to ``by`` times as many along a dimension."""
    last = low.shape[dim] - 1
    out = low.new_empty([side * (by if number == dim else 1) for number, side in enumerate(low.shape)])
    here, after = low.narrow(dim, 0, last), low.narrow(dim, 1, last)
    for phase in range(by):
        share, places = (phase + 0.5) / by - 0.5, torch.unflatten(out, dim, (-1, by)).select(dim + 1, phase)
        if share < 0:
            places.select(dim, 0).copy_(low.select(dim, 0))
            torch.lerp(after, here, -share, out=places.narrow(dim, 1, last))
        else:
            places.select(dim, last).copy_(low.select(dim, last))
            torch.lerp(here, after, share, out=places.narrow(dim, 0, last))
    return out


def rms(values: Tensor) -> Tensor:
    """Return the root mean square of each image, (N, 1, 1, 1)."""
    norms: Tensor = torch.linalg.vector_norm(values, dim=(1, 2, 3), keepdim=True)
    return norms / math.sqrt(max(values[0].numel(), 1))


def laplacian_normalize(gradient: Tensor, coarser: float, residual: float = 1.0) -> Tensor:
    """Return a gradient (N, 3, h, w) with each band of its Laplacian pyramid divided by its root mean square.

    BANDS bands and the residual, each weighted ``coarser`` times the one before, the residual ``residual`` times
    that: at 0 the brightness of large areas does not change. The sum has a root mean square of 1. From Google's
    notebook "deepdream" (Mordvintsev 2016, TensorFlow's, section "Laplacian Pyramid Gradient Normalization").
    """
    pyramid = bands(gradient, BANDS)
    weights = [coarser**level for level in range(len(pyramid))]
    weights[-1] *= residual if len(pyramid) > 1 else 1
    parts = zip(weights, pyramid, strict=True)
    return unit(collapse([band * (weight / rms(band).clamp(min=1e-30)) for weight, band in parts]))


def spectral_precondition(gradient: Tensor) -> Tensor:
    """Return a gradient (N, 3, h, w) with its spectrum divided by the squared frequency, the mean left out.

    Equals the pixel step of steepest ascent in Fourier coefficients scaled by 1 / frequency, as in lucid (Olah et al.
    2017, section "Preconditioning and Parameterization").
    """
    height, width = gradient.shape[-2:]
    fy, fx = torch.fft.fftfreq(height), torch.fft.rfftfreq(width)
    square = (fy[:, None].square() + fx.square()).to(gradient)
    square[0, 0] = torch.inf
    smoothed: Tensor = torch.fft.irfft2(torch.fft.rfft2(gradient) / square, (height, width))
    return smoothed


def laplacian_normalize_(gradient: Tensor, coarser: float, residual: float = 1.0) -> Tensor:
    """Do ``laplacian_normalize`` in place, one colour channel at a time: for images too large to copy."""
    planes = torch.split(gradient, 1, 1)
    squares = [torch.stack([rms(band).square() for band in bands(plane, BANDS)]) for plane in planes]
    strengths = torch.stack(squares).mean(0).sqrt().clamp(min=1e-30)
    weights = [coarser**level for level in range(len(strengths))]
    weights[-1] *= residual if len(weights) > 1 else 1
    for plane in planes:
        parts = zip(weights, strengths, bands(plane, BANDS), strict=True)
        plane.copy_(collapse([band.mul_(weight / strength) for weight, strength, band in parts]))
    return unit_(gradient)


def unit_(values: Tensor) -> Tensor:
    """Do ``unit`` in place."""
    squares = torch.stack([rms(plane).square() for plane in torch.split(values, 1, 1)]).mean(0)
    return values.div_(squares.sqrt().clamp(min=1e-30))


def correlate_colors_(gradient: Tensor) -> Tensor:
    """Do ``correlate_colors`` in place, some rows at a time."""
    for rows in torch.split(gradient, ROWS, 2):
        rows.copy_(correlate_colors(rows))
    return gradient


def unit(values: Tensor) -> Tensor:
    """Return values (N, 3, h, w) divided by the root mean square of each image; zeros stay zeros."""
    return values / rms(values).clamp(min=1e-30)


def color_variances() -> tuple[Tensor, Tensor]:
    """Return the eigenvalues (3,), the smallest first, and eigenvectors (3, 3), a column each, of ImageNet's colours.

    Those of the covariance of red, green and blue, float64.
    """
    root = torch.tensor(COLOR_ROOT, dtype=torch.float64)
    values, vectors = torch.linalg.eigh(root @ root.T)
    return values, vectors


@cache
def color_correlation_root(power: float = 1.0) -> Tensor:
    """Return the symmetric square root (3, 3) of the covariance of ImageNet's colours, to ``power``, scaled to norm 1.

    A gradient multiplied by it changes colours as they vary in photos: brightness most, then blue against yellow,
    green against purple least. A ``power`` of 0 is the identity.
    """
    values, vectors = color_variances()
    scale = (values / values.max()) ** (power / 2)
    powered: Tensor = (vectors * scale) @ vectors.T
    return powered.float()


def correlate_colors(gradient: Tensor, power: float = 1.0) -> Tensor:
    """Return a gradient (N, 3, h, w) with each pixel multiplied by ``color_correlation_root(power)``."""
    root: Tensor = color_correlation_root(power).to(gradient)
    return torch.einsum("ij,njhw->nihw", root, gradient)


def correlate_chroma(gradient: Tensor, power: float, cell: int) -> Tensor:
    """Return ``correlate_colors`` of a gradient (N, 3, h, w) with its chroma averaged over ``cell`` x ``cell`` pixels.

    The brightness keeps its resolution: in photos, as in JPEG's subsampled planes, colours vary more slowly.
    """
    low = correlate_colors(F.avg_pool2d(gradient, cell, ceil_mode=True, count_include_pad=False), power)
    chroma = _enlarge(low - low.mean(1, keepdim=True), gradient)
    shares = color_correlation_root(power).mean(0).to(gradient)
    return chroma.add_(torch.einsum("j,njhw->nhw", shares, gradient)[:, None])


def total_variation(image: Tensor) -> Tensor:
    """Return the anisotropic total variation of each image (N, 3, h, w) divided by its number of values: (N,).

    The sum of absolute differences between neighbours (Rudin, Osher & Fatemi 1992).
    """
    dy = (image[..., 1:, :] - image[..., :-1, :]).abs().sum((1, 2, 3))
    dx = (image[..., :, 1:] - image[..., :, :-1]).abs().sum((1, 2, 3))
    return (dy + dx) / image[0].numel()


def variation_gradient(image: Tensor) -> Tensor:
    """Return the gradient of ``total_variation`` of each image (N, 3, h, w), times its number of values."""
    gradient = torch.zeros_like(image)
    for dim in (2, 3):
        for plane, grad in zip(torch.split(image, 1, 1), torch.split(gradient, 1, 1), strict=True):
            sign = plane.diff(dim=dim).sign_()
            grad.narrow(dim, 1, sign.shape[dim]).add_(sign)
            grad.narrow(dim, 0, sign.shape[dim]).sub_(sign)
    return gradient
