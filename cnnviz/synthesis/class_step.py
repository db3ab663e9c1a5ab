"""The step of a class image: brightness and colours of the gradient apart, in the axes of photographs' colours.

Olah, Mordvintsev & Schubert 2017, "Feature Visualization" (Distill), section "Preconditioning and Parameterization", on
correlated colours; He, Sun & Tang 2013, "Guided Image Filtering" (PAMI), section 3, for colours that end at edges.
Images and gradients are RGB (N, 3, h, w).
"""

from functools import cache

import torch
from torch import Tensor
from torch.nn import functional as F

from cnnviz.synthesis import ascent, priors
from cnnviz.synthesis.transforms import gaussian_blur

COARSER = 1.9  # weight of each band of the gradient relative to the next finer one
CHROMA = 0.8  # strength of each of the two colours relative to brightness
CHROMA_BLUR = 0.5  # standard deviation in pixels of the colours, which have half the size
COOLING, COOLEST = 0.12, 0.1  # last share of the steps, in which they fall further, to a share of their length
CENTRE, RADIUS, SOFTNESS = 0.35, 1.15, 0.15  # how much less the border changes, and where it begins, in half sides
FILTER_EVERY, FILTER_RADIUS, FILTER_EPS = 20, 6, 0.0006  # steps, pixels, and variance of brightness that is an edge


def class_step(gradient: Tensor, preconditioner: str, correlation: float) -> Tensor:
    """Return the step of a gradient, of a root mean square of 1 before the border is held back.

    ``preconditioner`` "laplacian", "fourier" or "pixels", of brightness and of colours apart; ``correlation``: power
    of the ratio by which green against purple varies less in photos than blue against yellow.
    """
    along = to_axes(gradient)
    light, chroma = along[:, :1], F.avg_pool2d(along[:, 1:], 2, ceil_mode=True, count_include_pad=False)
    chroma = chroma * (color_deviations()[1:] / color_deviations()[1]).pow(correlation).view(1, 2, 1, 1).to(chroma)
    light, chroma = _precondition(light, preconditioner), _precondition(chroma, preconditioner)
    chroma = gaussian_blur(chroma, CHROMA_BLUR)
    chroma = F.interpolate(chroma, light.shape[-2:], mode="bilinear", align_corners=False)
    step = torch.cat([priors.unit(light), CHROMA * priors.unit(chroma)], 1)
    return priors.unit(to_rgb(step)) * border_weights(light.shape[-2], light.shape[-1]).to(step)


def _precondition(values: Tensor, preconditioner: str) -> Tensor:
    if preconditioner == "fourier":
        return priors.spectral_precondition(values)
    return priors.laplacian_normalize(values, COARSER) if preconditioner == "laplacian" else values


def step_length(step_size: float, share: float, last: float) -> float:
    """Return the length of a step after a ``share`` of them: it falls linearly to ``last`` of the first, then cools."""
    return ascent.shrinking_step_size(step_size, share, last) * min(1.0, max(COOLEST, (1 - share) / COOLING))


@cache
def color_axes() -> Tensor:
    """Return the axes (3, 3) along which colours of photos vary independently, a row each, the strongest first.

    Brightness, blue against yellow, green against purple: the eigenvectors of the covariance of ImageNet's colours.
    """
    vectors = priors.color_variances()[1].T.flip(0)
    return (vectors * vectors.sum(1, keepdim=True)[0].sign()).float()


@cache
def color_deviations() -> Tensor:
    """Return the standard deviations (3,) of photographs' colours along ``color_axes``, that of brightness 1."""
    values = priors.color_variances()[0].flip(0)
    return (values / values[0]).clamp(min=0).sqrt().float()


def to_axes(rgb: Tensor) -> Tensor:
    """Return RGB values along ``color_axes``, both (N, 3, h, w)."""
    along: Tensor = torch.einsum("ac,nchw->nahw", color_axes().to(rgb), rgb)
    return along


def to_rgb(along: Tensor) -> Tensor:
    """Return the RGB values of ones along ``color_axes``, both (N, 3, h, w)."""
    values: Tensor = torch.einsum("ac,nahw->nchw", color_axes().to(along), along)
    return values


@cache
def border_weights(height: int, width: int) -> Tensor:
    """Return how much a pixel (h, w) may change: 1 at the centre, less towards the border; objects then lie inside."""
    rows, columns = (torch.linspace(-1, 1, side) for side in (height, width))
    distance = torch.hypot(rows[:, None], columns)
    return 1 - CENTRE * (1 - torch.sigmoid((RADIUS - distance) / SOFTNESS))


def bound_colors(image: Tensor) -> Tensor:
    """Return an image whose colours are filtered with its brightness as the guide: they end at its edges."""
    along = to_axes(image)
    return to_rgb(torch.cat([along[:, :1], guided_filter(along[:, 1:], along[:, :1])], 1))


def guided_filter(values: Tensor, guide: Tensor, radius: int = FILTER_RADIUS, eps: float = FILTER_EPS) -> Tensor:
    """Return values (N, C, h, w) fitted by a linear function of the guide (N, 1, h, w) in each window.

    He, Sun & Tang 2013, equations 5, 6 and 8. Windows have 2 * ``radius`` + 1 pixels a side; where the variance of the
    guide is far below ``eps`` the result is the mean.
    """
    mean, guided = _box_mean(values, radius), _box_mean(guide, radius)
    variance = _box_mean(guide * guide, radius) - guided * guided
    slope = (_box_mean(values * guide, radius) - mean * guided) / (variance + eps)
    return _box_mean(slope, radius) * guide + _box_mean(mean - slope * guided, radius)


def _box_mean(values: Tensor, radius: int) -> Tensor:
    radius = min(radius, min(values.shape[-2:]) - 1)
    side = 2 * radius + 1
    padded = F.pad(values, (radius,) * 4, mode="reflect")
    return F.avg_pool2d(F.avg_pool2d(padded, (side, 1), 1), (1, side), 1)
