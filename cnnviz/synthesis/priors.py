"""What keeps an ascent's picture natural: even steps at all scales, the colours of photographs, smoothness."""

import math
from functools import cache

import torch
from torch import Tensor
from torch.nn import functional as F

# A root of the covariance of ImageNet's colours, RGB in [0, 1], as lucid publishes it (lucid/optvis/param/color.py,
# "color_correlation_svd_sqrt"; Olah et al. 2017, "Feature Visualization", Distill).
COLOUR_ROOT = ((0.26, 0.09, 0.02), (0.27, 0.00, -0.05), (0.27, -0.09, 0.03))
COPIED = 3 << 20  # values of a picture that may be copied; larger ones are changed in place, and resampled by torch
ROWS = 256  # of a large picture worked on at a time


def bands(values: Tensor, count: int) -> list[Tensor]:
    """Return a Laplacian pyramid of (N, 3, h, w): ``count`` bands from fine to coarse, and the residual.

    Each level has half the sides of the one before, rounded up; where a side comes to 1 there are fewer. ``collapse``
    gives the values back.
    """
    found = []
    for _ in range(count):
        if min(values.shape[-2:]) < 2:
            break
        low = _halved(values)
        found.append(values - _enlarged(low, values))
        values = low
    return [*found, values]


def collapse(pyramid: list[Tensor]) -> Tensor:
    """Return the values (N, 3, h, w) that a pyramid of ``bands`` is made of."""
    values = pyramid[-1]
    for band in reversed(pyramid[:-1]):
        values = _enlarged(values, band).add_(band)
    return values


def _halved(values: Tensor) -> Tensor:
    """Return means over 2 x 2 pixels. For even sides by sums, which take a fifth of the pooling's time, and copies."""
    if values.shape[-2] % 2 or values.shape[-1] % 2 or values.numel() > COPIED:
        return F.avg_pool2d(values, 2, ceil_mode=True, count_include_pad=False)
    rows = values[..., ::2, :] + values[..., 1::2, :]
    return (rows[..., ::2] + rows[..., 1::2]).mul_(0.25)


def _enlarged(low: Tensor, like: Tensor) -> Tensor:
    """Return values at the size of others, bilinear; whole multiples in a quarter of torch's time."""
    (high, wide), (rows, columns) = like.shape[-2:], low.shape[-2:]
    if high % rows or wide % columns or min(rows, columns) < 2 or like.numel() > COPIED:
        return F.interpolate(low, (high, wide), mode="bilinear", align_corners=False)
    return _stretched(_stretched(low, 3, wide // columns), 2, high // rows)


def _stretched(low: Tensor, dim: int, by: int) -> Tensor:
    """Return values with ``by`` times as many along a dimension, each on the line between its two nearest."""
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
    """Return the root of each picture's mean square, (N, 1, 1, 1)."""
    norms: Tensor = torch.linalg.vector_norm(values, dim=(1, 2, 3), keepdim=True)
    return norms / math.sqrt(max(values[0].numel(), 1))


def laplacian_normalize(gradient: Tensor, count: int = 4, coarser: float = 1.0, residual: float = 1.0) -> Tensor:
    """Return a gradient (N, 3, h, w) whose bands all have one strength: each divided by its root mean square.

    ``count`` bands and the residual, each weighted ``coarser`` times the one before, the residual ``residual`` times
    that: at 0 the brightness of large areas stays. All together is scaled to a root mean square of 1. From Google's
    notebook "deepdream" (Mordvintsev 2016, TensorFlow's, section "Laplacian Pyramid Gradient Normalization").
    """
    pyramid = bands(gradient, count)
    weights = [coarser**level for level in range(len(pyramid))]
    weights[-1] *= residual if len(pyramid) > 1 else 1
    parts = zip(weights, pyramid, strict=True)
    return unit(collapse([band * (weight / rms(band).clamp(min=1e-30)) for weight, band in parts]))


def spectral_precondition(gradient: Tensor) -> Tensor:
    """Return a gradient (N, 3, h, w) whose spectrum is divided by the square of the frequency, the mean left out.

    Steepest ascent in Fourier coefficients that are scaled by 1 / frequency, as in lucid (Olah et al. 2017, section
    "Preconditioning and Parameterization"), moves the pixels so.
    """
    high, wide = gradient.shape[-2:]
    down, across = torch.fft.fftfreq(high), torch.fft.rfftfreq(wide)
    square = (down[:, None].square() + across.square()).to(gradient)
    square[0, 0] = torch.inf
    smoothed: Tensor = torch.fft.irfft2(torch.fft.rfft2(gradient) / square, (high, wide))
    return smoothed


def even_(gradient: Tensor, count: int = 4, coarser: float = 1.0, residual: float = 1.0) -> Tensor:
    """Do what ``even`` does in place, one colour after the other: for large pictures, whose copies fill the memory."""
    planes = torch.split(gradient, 1, 1)
    squares = [torch.stack([rms(band).square() for band in bands(plane, count)]) for plane in planes]
    strengths = torch.stack(squares).mean(0).sqrt().clamp(min=1e-30)
    weights = [coarser**level for level in range(len(strengths))]
    weights[-1] *= residual if len(weights) > 1 else 1
    for plane in planes:
        parts = zip(weights, strengths, bands(plane, count), strict=True)
        plane.copy_(collapse([band.mul_(weight / strength) for weight, strength, band in parts]))
    return unit_(gradient)


def unit_(values: Tensor) -> Tensor:
    """Do what ``unit`` does in place."""
    squares = torch.stack([rms(plane).square() for plane in torch.split(values, 1, 1)]).mean(0)
    return values.div_(squares.sqrt().clamp(min=1e-30))


def natural_colours_(gradient: Tensor, power: float = 1.0) -> Tensor:
    """Do what ``natural_colours`` does in place, some rows at a time."""
    for rows in torch.split(gradient, ROWS, 2):
        rows.copy_(correlate_colors(rows, power))
    return gradient


def unit(values: Tensor) -> Tensor:
    """Return values (N, 3, h, w) divided by their root mean square; zeros where that is zero."""
    return values / rms(values).clamp(min=1e-30)


@cache
def color_correlation_root(power: float = 1.0) -> Tensor:
    """Return the symmetric root (3, 3) of the covariance of ImageNet's colours, to ``power``; its largest value is 1.

    A gradient multiplied by it moves the colours as they go together in photographs: brightness most, then blue
    against yellow, green against purple least. A ``power`` of 0 changes nothing.
    """
    root = torch.tensor(COLOUR_ROOT, dtype=torch.float64)
    values, vectors = torch.linalg.eigh(root @ root.T)
    scale = (values / values.max()) ** (power / 2)
    powered: Tensor = (vectors * scale) @ vectors.T
    return powered.float()


def correlate_colors(gradient: Tensor, power: float = 1.0) -> Tensor:
    """Return a gradient (N, 3, h, w) with each pixel multiplied by ``colour_root(power)``."""
    root: Tensor = color_correlation_root(power).to(gradient)
    return torch.einsum("ij,njhw->nihw", root, gradient)


def correlate_chroma(gradient: Tensor, power: float = 1.0, by: int = 4) -> Tensor:
    """Return ``natural_colours`` of a gradient (N, 3, h, w), colours as means over ``by`` x ``by`` pixels.

    The brightness stays as it is: as in photographs, and in JPEG's halved colour planes, colours change more slowly.
    """
    low = correlate_colors(F.avg_pool2d(gradient, by, ceil_mode=True, count_include_pad=False), power)
    colours = _enlarged(low - low.mean(1, keepdim=True), gradient)
    shares = color_correlation_root(power).mean(0).to(gradient)
    return colours.add_(torch.einsum("j,njhw->nhw", shares, gradient)[:, None])


def total_variation(picture: Tensor) -> Tensor:
    """Return the mean absolute difference of neighbours, down plus across, of each picture (N, 3, h, w): (N,).

    Rudin, Osher & Fatemi 1992, in its anisotropic form. ``variation_gradient`` is its gradient, times a count.
    """
    down = (picture[..., 1:, :] - picture[..., :-1, :]).abs().sum((1, 2, 3))
    across = (picture[..., :, 1:] - picture[..., :, :-1]).abs().sum((1, 2, 3))
    return (down + across) / picture[0].numel()


def variation_gradient(picture: Tensor) -> Tensor:
    """Return the gradient of the total variation of each picture (N, 3, h, w): the sum of |differences| of neighbours.

    Down plus across (Rudin, Osher & Fatemi 1992, in its anisotropic form).
    """
    gradient = torch.zeros_like(picture)
    for dim in (2, 3):
        for plane, slope in zip(torch.split(picture, 1, 1), torch.split(gradient, 1, 1), strict=True):
            sign = plane.diff(dim=dim).sign_()
            slope.narrow(dim, 1, sign.shape[dim]).add_(sign)
            slope.narrow(dim, 0, sign.shape[dim]).sub_(sign)
    return gradient
