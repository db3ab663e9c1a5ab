"""Two minimisers of quantised perturbations, one gradient a step: DDN-style descent, and a proximal boundary walk.

Both evaluate the network on whole levels only.
"""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from cnnviz.adversarial.boundary import SAMPLE, BoundarySearch, headroom, unit
from cnnviz.adversarial.catalog import Norm
from cnnviz.adversarial.criterion import Loss
from cnnviz.adversarial.levels import add_levels

FAR = 36.0  # times the places of the known change: where a DDN descent begins
FIRST, LAST, DECAY = 0.33, 0.02, 0.95  # share of the places by which it grows or shrinks
FRESH = 0.2  # weight of the newest gradient in the proximal walk's mean
REACH, SHRINKS, LEAST = 4.0, 0.885, 0.1  # proximal step in levels, its decay, its minimum
LATELY = 3  # steps whose costs are averaged
CLOSE, TRIES = 1.02, 60  # relative precision of the price of a logit, and evaluations to find it, at most
STRIP = 1 << 18  # values processed at a time, so that temporaries stay in the processor's cache
HALVINGS = 8  # bisections of the rounding threshold
ReportMargin = Callable[[float], None]


class Minimizer:
    """State shared by both: ``best`` is the smallest change that fooled, (H, W, C), uint8, of ``size``."""

    def __init__(self, search: BoundarySearch, loss: Loss) -> None:
        self.best, self.size, self.steps = search.values, math.inf, 0
        self.search, self.loss, self.gradient = search, loss, torch.zeros(search.values.shape)

    def evaluate(self, changed: Tensor, report: ReportMargin) -> tuple[float, Tensor, Tensor]:
        """Return margin, logits (V, classes) and gradient (H, W, C) of ``changed``, and keep it where it fools."""
        logits, gradient_of = self.search.model.evaluate(changed)
        margin = float(self.search.criterion.margins(logits).min())
        report(margin)
        self.keep(changed, margin)
        self.steps += 1
        return margin, logits, gradient_of(self.loss)

    def keep(self, changed: Tensor, margin: float) -> None:
        """Keep a change that fools and is the smallest."""
        if margin > 0 and self.search.size(changed) < self.size:
            self.best, self.size = changed, self.search.size(changed)


class DdnDescent(Minimizer):
    """Descent from far beyond the boundary, so that it may end near smaller changes than those near ``start``.

    The change shrinks where it fools and grows where it does not, by less and less (as DDN, Rony et al. 2019,
    "Decoupling Direction and Norm", section 3). Departure: it follows the mean of all gradients so far, later ones
    with more weight.
    """

    def __init__(self, search: BoundarySearch, loss: Loss, start: Tensor) -> None:
        super().__init__(search, loss)
        self.changed = start
        self._places = min(FAR * float(start.ne(search.values).sum()), float(start.numel()))

    def go(self, steps: int, report: ReportMargin) -> None:
        """Take ``steps`` more; ``report`` receives each margin."""
        for _ in range(steps):
            margin, _, gradient = self.evaluate(self.changed, report)
            self.gradient.lerp_(unit(gradient), self.steps**2 / sum(step**2 for step in range(1, self.steps + 1)))
            by = max(LAST, FIRST * DECAY**self.steps)
            if self.steps > 1:
                self._places *= 1 - by if margin > 0 else 1 + by
            self.changed = self.search.quantized_step(self.gradient, self._places)
        self.keep(self.changed, self.search.margin(self.changed))


class ProximalDescent(Minimizer):
    """Walk along the boundary by fractional changes, penalised by a piecewise-linear norm whose minima are integers.

    Each step goes to the change of least penalty, not far away, at which the linearised margin is 0 (FAB projects onto
    such planes: Croce & Hein 2020, "Minimally Distorted Adversarial Examples with a Fast Adaptive Boundary Attack",
    section 2; the proximal step: Parikh & Boyd 2014, "Proximal Algorithms", section 1.1). The network is evaluated on
    whole levels by stochastic rounding. ``change`` (H, W, C) holds the fractional levels.
    """

    def __init__(self, search: BoundarySearch, loss: Loss, start: Tensor) -> None:
        super().__init__(search, loss)
        self.change = (start.float() - search.values).contiguous()
        self._price = 1.0  # of a logit
        self._costs: list[float] = []
        self._random = torch.Generator().manual_seed(0)

    @property
    def cost(self) -> float:
        """The mean penalty of the last LATELY changes."""
        lately = self._costs[-LATELY:]
        return sum(lately) / len(lately) if lately else math.inf

    def go(self, steps: int, report: ReportMargin) -> None:
        """Take ``steps`` more; ``report`` receives each margin."""
        for _ in range(steps):
            margin, logits, gradient = self.evaluate(self.quantized(), report)
            self.gradient.lerp_(gradient, max(FRESH, 1 / self.steps))
            missing = -margin  # logits to the boundary
            if len(logits) == 1:  # the loss leads to one class, which may not be the nearest
                missing = max(missing, float(self.loss(logits)))
            self._costs.append(self._go_to_cheapest(missing))

    def settle(self) -> None:
        """Quantise the change for good: with as few values rounded up as still fool."""
        low, high = 0.0, 1.0
        for _ in range(HALVINGS):
            up = (low + high) / 2
            changed = self.quantized(up)
            margin = self.search.margin(changed)
            self.keep(changed, margin)
            low, high = (low, up) if margin > 0 else (up, high)

    def quantized(self, up: float | None = None) -> Tensor:
        """Return values, uint8, with the change in whole levels: fractions of 1 - ``up`` up, by chance without it."""
        values = self.search.values
        changed = torch.empty(values.shape, dtype=torch.uint8)
        for part, old, change in zip(_strips(changed), _strips(values), _strips(self.change), strict=True):
            share = torch.rand(change.shape, generator=self._random) if up is None else up
            part.copy_(add_levels(old, stochastic_levels(change, share, self._unit(change, old))))
        return changed

    def _unit(self, sign: Tensor, values: Tensor) -> Tensor:
        """Return the step of quantisation: 1, or in L0, where a value moves to its limit or not, that limit (>= 1)."""
        search = self.search
        return headroom(sign, values, search.eps).clamp_(min=1) if search.norm == "l0" else torch.ones(())

    def _go_to_cheapest(self, missing: float) -> float:
        """Move to the cheapest change nearby that gains ``missing`` logits by the gradient; return its penalty."""
        change, gradient, values = self.change.flatten(), self.gradient.flatten(), self.search.values.flatten()
        every = max(1, change.numel() // SAMPLE)
        price = self._price_for(missing, change[::every], gradient[::every], values[::every], every)
        cost = 0.0
        for part, slope, old in zip(_strips(change), _strips(gradient), _strips(values), strict=True):
            part.copy_(self._cheapest(price, part, slope, old))
            cost += float(quantized_norm(part, self._unit(part, old), self.search.norm).sum())
        return cost

    def _price_for(self, missing: float, change: Tensor, gradient: Tensor, values: Tensor, every: int) -> float:
        """Return the price of a logit at which ``missing`` are gained, by a sample of each ``every``-th value."""

        def left(price: float) -> float:
            step = self._cheapest(price, change, gradient, values) - change
            return missing + every * float((step * gradient).sum())

        if left(0.0) <= 0:
            return 0.0
        low = high = 0.0
        for _ in range(TRIES):
            if left(self._price) > 0:
                low = self._price
            else:
                high = self._price
            if low and high and high / low < CLOSE:
                break
            self._price = (low * high) ** 0.5 if low and high else 2 * low if low else high / 2
        return self._price

    def _cheapest(self, price: float, change: Tensor, gradient: Tensor, values: Tensor) -> Tensor:
        """Return the cheapest change where a logit of margin has this price."""
        norm, eps = self.search.norm, self.search.eps
        step = self._unit(-gradient, values)
        reach = max(LEAST, REACH * SHRINKS**self.steps) * step.square()
        moved = prox_quantized_norm(change - gradient * reach * price, reach, step, norm).clamp_(-eps, eps)
        return torch.maximum(torch.minimum(moved, 255.0 - values), -values.float())


def _strips(part: Tensor) -> tuple[Tensor, ...]:
    return torch.split(part.flatten(), STRIP)


def stochastic_levels(change: Tensor, up: float | Tensor, step: Tensor) -> Tensor:
    """Return a change, any shape, in whole multiples of ``step`` levels; fractions of at least 1 - ``up`` go up."""
    return ((change.abs() / step + up).floor_() * step).copysign_(change)


def quantized_norm(change: Tensor, step: Tensor, norm: Norm) -> Tensor:
    """Return the penalty of each value of a change, in levels: the norm at whole levels, linear in between.

    In L2 the k-th level costs 2 k - 1, in L1 each 1, in L0 each 1 / ``step``.
    """
    size = change.abs() / step
    below = size.floor()
    return below * below + (2 * below + 1) * (size - below) if norm == "l2" else size


def prox_quantized_norm(change: Tensor, reach: Tensor, step: Tensor, norm: Norm) -> Tensor:
    """Return the proximal operator of ``quantized_norm`` in closed form (Parikh & Boyd 2014, section 1.1).

    For each value, in levels, what minimises its penalty plus its squared distance from ``change`` over 2 ``reach``.
    """
    size = change.abs()
    if norm == "l2":
        below = ((size - reach) / (1 + 2 * reach)).floor_().clamp_(min=0)
        size = torch.minimum(size - reach * (2 * below + 1), below + 1)
    else:
        size = size - reach / step
    return size.clamp_(min=0).copysign_(change)
