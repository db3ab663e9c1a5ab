"""Statistics of features that describe a style: means and second moments, and three distances between them.

Gatys, Ecker & Bethge 2016, "Image Style Transfer Using Convolutional Neural Networks", section 2.2, compare Gram
matrices; the other distances compare means and covariances as well. All are functions of raw moments, which add up over
parts of an image and over images. Moments are float64 on the CPU; features are maps (1, C, h, w).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor

Statistics = Literal["covariance", "gram", "mean-std"]
# Mean (C,) and second moment (C, C) of features -> their distance from a style's, differentiable.
Distance = Callable[[Tensor, Tensor], Tensor]

RIDGE = 1e-3  # share of the mean variance that is added to all variances, as a small map's covariance is singular
EVEN = 0.1  # share of a layer's mean deviation that is added to each channel's, so that quiet ones are not amplified
FLOOR = 1e-5  # smallest variance that anything is divided by, as a share of the mean square
TINY = 1e-12


@dataclass(frozen=True)
class Moments:
    """Raw moments of features: their total weight, the weighted ``sums`` (C,) and sums of ``products`` (C, C)."""

    count: float
    sums: Tensor
    products: Tensor

    def __add__(self, other: "Moments") -> "Moments":
        """Return the moments of both parts together."""
        return Moments(self.count + other.count, self.sums + other.sums, self.products + other.products)

    @property
    def mean(self) -> Tensor:
        """The mean of each channel, (C,)."""
        return self.sums / self.count

    @property
    def second(self) -> Tensor:
        """The mean products of channels, (C, C): the Gram matrix divided by the number of cells."""
        return self.products / self.count

    @property
    def covariance(self) -> Tensor:
        """The covariance of channels, (C, C)."""
        return self.second - torch.outer(self.mean, self.mean)

    @property
    def variances(self) -> Tensor:
        """The variance of each channel, (C,), at least FLOOR of the mean square."""
        return self.covariance.diagonal().clamp(min=float(FLOOR * self.second.diagonal().mean()) + TINY)


def moments(features: Tensor, weights: Tensor | None = None) -> Moments:
    """Return the moments of maps (1, C, h, w), each cell weighted by ``weights`` (1, 1, h, w), by default 1."""
    cells = as_cells(features)
    weighted = cells if weights is None else cells * weights.reshape(-1, 1).to(cells)
    count = float(len(cells)) if weights is None else float(weights.double().sum())
    return Moments(count, weighted.sum(0).double().cpu(), (weighted.T @ cells).double().cpu())


def as_cells(features: Tensor) -> Tensor:
    """Return maps (1, C, h, w) as a matrix (h w, C), without a copy if they are channels last."""
    cells = features.permute(0, 2, 3, 1).reshape(-1, features.shape[1])
    return cells if cells.dtype == torch.float64 else cells.float()


def mixture(parts: Sequence[Moments], weights: Sequence[float]) -> Moments:
    """Return the moments of several styles together, in shares proportional to ``weights``."""
    shares = [weight / sum(weights) / part.count for part, weight in zip(parts, weights, strict=True)]
    pairs = list(zip(shares, parts, strict=True))
    sums = torch.stack([share * part.sums for share, part in pairs]).sum(0)
    return Moments(1.0, sums, torch.stack([share * part.products for share, part in pairs]).sum(0))


def cell_gradient(features: Tensor, mean_grad: Tensor, second_grad: Tensor) -> Tensor:
    """Return each cell's gradient, (1, C, h, w), of a function of the sums of cells and of their products."""
    cells = as_cells(features)
    matrix = (second_grad + second_grad.T).to(cells)
    grad = torch.addmm(mean_grad.to(cells), cells, matrix)
    return grad.reshape(1, *features.shape[2:], -1).permute(0, 3, 1, 2)


def distance_from(target: Moments, statistics: Statistics) -> Distance:
    """Return the distance from a style's moments, 0 for the same, about 1 for features without any structure."""
    makers = {"covariance": wasserstein_distance, "gram": gram_distance, "mean-std": mean_std_distance}
    return makers[statistics](target)


def scaled(distance: Callable[[Moments], Distance], target: Moments) -> Distance:
    """Return a distance between features whose channels are divided by the style's deviations.

    EVEN of the layer's mean deviation is added to each.
    """
    deviations = target.variances.sqrt()
    scale = deviations + EVEN * deviations.mean()
    outer = torch.outer(scale, scale)
    own = distance(Moments(1.0, target.mean / scale, target.second / outer))
    return lambda mean, second: own(mean / scale, second / outer)


def wasserstein_distance(target: Moments) -> Distance:
    """Return the squared 2-Wasserstein distance of the Gaussians of these moments, divided by the style's variance.

    (|m - m'|^2 + tr C + tr C' - 2 tr (R C R)^(1/2)) / tr C', with R the symmetric root of C' (Olkin & Pukelsheim 1982);
    as a style loss it is that of https://github.com/crowsonkb/style-transfer-pytorch.
    """
    ridge = RIDGE * float(target.variances.mean()) * torch.eye(len(target.sums), dtype=torch.float64)
    center, covariance = target.mean, target.covariance + ridge
    root, total = symmetric_root(covariance), target.variances.sum()

    def distance(mean: Tensor, second: Tensor) -> Tensor:
        own = second - torch.outer(mean, mean) + ridge
        traces = own.diagonal().sum() + covariance.diagonal().sum() - 2 * root_trace(own, root)
        return ((mean - center).square().sum() + traces) / total

    return distance


def gram_distance(target: Moments) -> Distance:
    """Return the squared difference of Gram matrices, divided by the square of the style's.

    Gatys et al. 2016, eq. 3 and 4, with G divided by the number of cells, as content and style differ in size; the
    constant factor of eq. 4 is part of the layer's weight, w_l in eq. 5.
    """
    total = target.second.square().sum() + TINY
    return lambda _mean, second: (second - target.second).square().sum() / total


def mean_std_distance(target: Moments) -> Distance:
    """Return the squared difference of means and of standard deviations, divided by the style's variance.

    Li, Wang, Liu & Hou 2017, "Demystifying Neural Style Transfer", section 4.2 (batch normalisation statistics).
    """
    center, variances = target.mean, target.variances
    floor = float(RIDGE * variances.mean())

    def distance(mean: Tensor, second: Tensor) -> Tensor:
        own = (second.diagonal() - mean.square()).clamp(min=0) + floor
        differences = own.sqrt() - (target.covariance.diagonal().clamp(min=0) + floor).sqrt()
        return ((mean - center).square().sum() + differences.square().sum()) / variances.sum()

    return distance


def symmetric_root(matrix: Tensor) -> Tensor:
    """Return the symmetric square root of a positive semidefinite matrix."""
    values, vectors = torch.linalg.eigh(matrix)
    root: Tensor = (vectors * values.clamp(min=0).sqrt()) @ vectors.T
    return root


class _RootTrace(torch.autograd.Function):
    """The trace of (R C R)^(1/2) for a covariance C; its gradient is R (R C R)^(-1/2) R / 2."""

    @staticmethod
    def forward(ctx: Any, covariance: Tensor, root: Tensor) -> Tensor:
        """Return the trace."""
        product = root @ covariance @ root
        values, vectors = torch.linalg.eigh((product + product.T) / 2)
        values = values.clamp(min=TINY * float(values[-1].clamp(min=0)) + 1e-30)
        ctx.save_for_backward(values, vectors, root)
        total: Tensor = values.sqrt().sum()
        return total

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None]:
        """Return the gradient in the covariance."""
        values, vectors, root = ctx.saved_tensors
        turned = root @ vectors
        return grads[0] * 0.5 * (turned / values.sqrt()) @ turned.T, None


def root_trace(covariance: Tensor, root: Tensor) -> Tensor:
    """Return tr (R C R)^(1/2) of a covariance C and a symmetric ``root`` R, both float64; differentiable in C."""
    trace: Tensor = _RootTrace.apply(covariance, root)
    return trace
