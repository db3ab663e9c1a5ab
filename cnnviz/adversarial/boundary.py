"""Where changes of a photograph's values begin to fool: sought on the grid of levels, along slopes."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from cnnviz.adversarial.target import (
    Criterion,
    TargetModel,
    add_levels,
    logit_difference_loss,
    sign_step,
    soft_margin_loss,
)

Norm = Literal["linf", "l2", "l1", "l0"]
Progress = Callable[[int, int, float], None]  # a step, their number, the margin left
GROWTH = 1.6  # of the places while the border has not been met
SAMPLE = 1 << 20  # of a large photograph's values, for their order


def largest_change(values: Tensor, other: Tensor) -> int:
    """Return the largest difference of two arrays of values, uint8."""
    return int((values.to(torch.int16) - other.to(torch.int16)).abs().max()) if values.numel() else 0


def steepness(slope: Tensor) -> float:
    """Return the mean of a slope's sizes, above 0."""
    return max(float(torch.linalg.vector_norm(slope, 1)) / max(slope.numel(), 1), 1e-30)


def unit(slope: Tensor) -> Tensor:
    """Return a slope divided by the mean of its sizes."""
    return slope / steepness(slope)


def headroom(sign: Tensor, values: Tensor, eps: int) -> Tensor:
    """Return how many levels ``values`` of any shape, 0 to 255, can go towards a sign: 0 to ``eps``."""
    return torch.where(sign < 0, values.float(), 255.0 - values).clamp_(max=eps)


def mixed(slopes: list[Tensor], weights: list[float]) -> Tensor:
    """Return the mean of slopes (H, W, C) with these weights."""
    total = torch.zeros_like(slopes[0])
    for slope, weight in zip(slopes, weights, strict=True):
        total.add_(slope, alpha=weight / sum(weights))
    return total


@dataclass(frozen=True)
class BoundarySearch:
    """Where changes along a slope begin to fool, sought on the grid by passes forward alone."""

    attacked: TargetModel
    values: Tensor
    aim: Criterion
    norm: Norm
    eps: int

    def losses(self, *logits: Tensor, count: int = 1) -> list[Callable[[Tensor], Tensor]]:
        """Return what to go down: to each of the ``count`` nearest classes, or the goal.

        Near in each of the ``logits`` (V, classes) given, in turn. For several views the soft margin alone.
        """
        if len(logits[0]) > 1:
            return [soft_margin_loss(self.aim)]
        own = self.aim.target if self.aim.goal is None else self.aim.goal
        orders = [[c for c in one[0].argsort(descending=True).tolist() if c != own][:count] for one in logits]
        nearest = list(dict.fromkeys(other for turn in zip(*orders, strict=True) for other in turn))[:count]
        return [
            logit_difference_loss(own, other) if self.aim.goal is None else logit_difference_loss(other, own)
            for other in nearest
        ]

    def size(self, tried: Tensor) -> float:
        """Return the size of a change in the norm: the squares of levels, levels, or values."""
        change = tried.to(torch.int16) - self.values.to(torch.int16)
        return float({"l2": change.float().square(), "l1": change.abs(), "l0": change.ne(0)}[self.norm].sum())

    def along(self, slope: Tensor, places: float) -> Tensor:
        """Return the values that go down a slope by changing so many places: the best where the margin is linear.

        But in L1, where that would be few places as far as they go, each goes as far as the square of the slope says.
        """
        strength = slope.abs()
        if self.norm == "l0":  # each place goes as far as it can
            strength.mul_(headroom(-slope, self.values, self.eps))
        least = _kth(strength, places)
        if self.norm == "l0":
            return sign_step(self.values, slope * (strength >= least), self.eps)
        change = slope * (-0.5 / least)
        if self.norm == "l1":
            change.mul_(strength.div_(least))
        return add_levels(self.values, change.round_().clamp_(-self.eps, self.eps))

    def margin(self, tried: Tensor) -> float:
        """Return the largest margin left, below 0 where all is fooled."""
        return float(self.aim.margins(self.attacked.logits(tried)).max())

    def seek(self, slope: Tensor, places: float, close: float) -> tuple[Tensor, float] | None:
        """Return the smallest change along a slope that fools, and its places; None where none does."""
        low = high = below = above = 0.0
        found = None
        while not (low and high and high / low < close):
            tried = self.along(slope, places)
            margin = self.margin(tried)
            if margin < 0:
                found, high, above = tried, places, margin
                if high <= 1:
                    break
            else:
                low, below = places, margin
                if low >= slope.numel():
                    break
            if low and high:  # where a line between the two crosses 0, away from the ends
                places = low * (high / low) ** min(max(below / (below - above), 0.2), 0.8)
            else:
                places = max(1.0, high / GROWTH) if high else min(low * GROWTH, slope.numel())
        return (found, high) if found is not None else None

    def weighed(self, slopes: list[Tensor], weights: list[float], places: float) -> list[float]:
        """Return the weights of slopes, each doubled or halved where their mean then goes further down."""
        best = self.margin(self.along(mixed(slopes, weights), places))
        for index in reversed(range(len(weights))):
            for factor in (2.0, 0.5):
                tried = [w * factor if i == index else w for i, w in enumerate(weights)]
                margin = self.margin(self.along(mixed(slopes, tried), places))
                if margin < best:
                    best, weights = margin, tried
                    break
        return weights


def _kth(strength: Tensor, places: float) -> float:
    """Return what the strongest ``places`` values reach at least, between two where that is no whole number.

    Of many values, by a sample.
    """
    flat = strength.flatten()
    flat = flat[:: max(1, flat.numel() // SAMPLE)]
    count = min(max(places * flat.numel() / strength.numel(), 1.0), float(flat.numel()))
    below = int(count)
    near = flat.topk(min(below + 1, flat.numel())).values[-2:].clamp(min=1e-30).log()
    return float(near[0].lerp(near[-1], count - below).exp())
