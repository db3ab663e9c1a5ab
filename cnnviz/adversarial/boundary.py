"""Decision-boundary search along gradient directions, in whole levels and by forward passes alone."""

from dataclasses import dataclass

import torch
from torch import Tensor

from cnnviz.adversarial.catalog import Norm
from cnnviz.adversarial.criterion import Criterion, Loss, logit_difference_loss, soft_margin_loss
from cnnviz.adversarial.levels import add_levels, sign_step
from cnnviz.adversarial.target import TargetModel

GROWTH = 1.6  # factor on the number of changed values until the boundary is bracketed
SAMPLE = 1 << 20  # values of a large photo that stand for all in a ranking


def mean_magnitude(gradient: Tensor) -> float:
    """Return the mean of a gradient's absolute values, above 0."""
    return max(float(torch.linalg.vector_norm(gradient, 1)) / max(gradient.numel(), 1), 1e-30)


def unit(gradient: Tensor) -> Tensor:
    """Return a gradient divided by the mean of its absolute values."""
    return gradient / mean_magnitude(gradient)


def headroom(sign: Tensor, values: Tensor, eps: int) -> Tensor:
    """Return how many levels ``values`` (any shape, 0 to 255) can move towards a sign: 0 to ``eps``."""
    return torch.where(sign < 0, values.float(), 255.0 - values).clamp_(max=eps)


def weighted_mean(gradients: list[Tensor], weights: list[float]) -> Tensor:
    """Return the weighted mean of gradients (H, W, C)."""
    total = torch.zeros_like(gradients[0])
    for gradient, weight in zip(gradients, weights, strict=True):
        total.add_(gradient, alpha=weight / sum(weights))
    return total


@dataclass(frozen=True)
class BoundarySearch:
    """Line searches from clean ``values`` (H, W, C), uint8, for the smallest change in a ``norm`` that fools."""

    model: TargetModel
    values: Tensor
    criterion: Criterion
    norm: Norm
    eps: int

    def losses(self, *logits: Tensor, count: int = 1) -> list[Loss]:
        """Return the losses towards the ``count`` nearest classes, or towards the goal.

        Nearest by each of the given ``logits`` (V, classes), in turn. For several views the soft margin alone.
        """
        criterion = self.criterion
        if len(logits[0]) > 1:
            return [soft_margin_loss(criterion)]
        own = criterion.target if criterion.goal is None else criterion.goal
        orders = [[c for c in one[0].argsort(descending=True).tolist() if c != own][:count] for one in logits]
        nearest = list(dict.fromkeys(other for turn in zip(*orders, strict=True) for other in turn))[:count]
        return [
            logit_difference_loss(own, other) if criterion.goal is None else logit_difference_loss(other, own)
            for other in nearest
        ]

    def size(self, changed: Tensor) -> float:
        """Return the size of a change: the sum of squares (l2), the sum (l1) of levels, or the count of values (l0)."""
        change = changed.to(torch.int16) - self.values.to(torch.int16)
        return float({"l2": change.float().square(), "l1": change.abs(), "l0": change.ne(0)}[self.norm].sum())

    def quantized_step(self, gradient: Tensor, places: float) -> Tensor:
        """Return the values moved down a gradient by changing ``places`` of them: optimal for a linear margin.

        In L1, where the optimum would be few values at their limit, each moves by the square of the gradient.
        """
        strength = gradient.abs()
        if self.norm == "l0":  # each value moves to its limit
            strength.mul_(headroom(-gradient, self.values, self.eps))
        least = _kth(strength, places)
        if self.norm == "l0":
            return sign_step(self.values, gradient * (strength >= least), self.eps)
        change = gradient * (-0.5 / least)
        if self.norm == "l1":
            change.mul_(strength.div_(least))
        return add_levels(self.values, change.round_().clamp_(-self.eps, self.eps))

    def margin(self, changed: Tensor) -> float:
        """Return the smallest margin over views, positive where all are fooled."""
        return float(self.criterion.margins(self.model.logits(changed)).min())

    def line_search(self, gradient: Tensor, places: float, close: float) -> tuple[Tensor, float] | None:
        """Return the smallest change along a gradient that fools, and its places; None where none does.

        ``places`` is where the search begins; it ends when two that differ by the factor ``close`` enclose the
        boundary.
        """
        low = high = below = above = 0.0
        best = None
        while not (low and high and high / low < close):
            changed = self.quantized_step(gradient, places)
            margin = self.margin(changed)
            if margin > 0:
                best, high, above = changed, places, margin
                if high <= 1:
                    break
            else:
                low, below = places, margin
                if low >= gradient.numel():
                    break
            if low and high:  # where a line between the two crosses 0, away from the ends
                places = low * (high / low) ** min(max(below / (below - above), 0.2), 0.8)
            else:
                places = max(1.0, high / GROWTH) if high else min(low * GROWTH, gradient.numel())
        return (best, high) if best is not None else None

    def reweight(self, gradients: list[Tensor], weights: list[float], places: float) -> list[float]:
        """Return the weights of gradients, each doubled or halved where the mean's step then has a larger margin."""
        best = self.margin(self.quantized_step(weighted_mean(gradients, weights), places))
        for index in reversed(range(len(weights))):
            for factor in (2.0, 0.5):
                changed = [w * factor if i == index else w for i, w in enumerate(weights)]
                margin = self.margin(self.quantized_step(weighted_mean(gradients, changed), places))
                if margin > best:
                    best, weights = margin, changed
                    break
        return weights


def _kth(strength: Tensor, places: float) -> float:
    """Return the threshold that the strongest ``places`` values reach, interpolated where that is no whole number.

    Of many values, by a sample.
    """
    flat = strength.flatten()
    flat = flat[:: max(1, flat.numel() // SAMPLE)]
    count = min(max(places * flat.numel() / strength.numel(), 1.0), float(flat.numel()))
    below = int(count)
    near = flat.topk(min(below + 1, flat.numel())).values[-2:].clamp(min=1e-30).log()
    return float(near[0].lerp(near[-1], count - below).exp())
