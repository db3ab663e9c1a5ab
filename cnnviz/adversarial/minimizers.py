"""Two ways to smaller changes that fool, one gradient a step, each showing the network whole levels alone."""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from cnnviz.adversarial.boundary import SAMPLE, BoundarySearch, Norm, headroom, unit
from cnnviz.adversarial.target import add_levels

FAR = 36.0  # times the places of the change that is known: where a descent from afar begins
FIRST, LAST, DECAY = 0.33, 0.02, 0.95  # by which share of the places it grows or shrinks
FRESH = 0.2  # share of the newest gradient in a relaxed change's mean
REACH, SHRINKS, LEAST = 4.0, 0.885, 0.1  # in levels, how far it goes in a step, and how much less each time
LATELY = 3  # steps whose costs are averaged
CLOSE, TRIES = 1.02, 60  # how near the price of a logit is sought, and how often at most
STRIP = 1 << 18  # values at a time, so that what is between stays in the processor's cache
HALVINGS = 8  # of the share of a level from which a value is rounded up


class Minimizer:
    """What ways share: ``best`` is the smallest change met that fools, of ``size``."""

    def __init__(self, border: BoundarySearch, loss: Callable[[Tensor], Tensor]) -> None:
        self.best, self.size, self.steps = border.values, math.inf, 0
        self.border, self.loss, self.slope = border, loss, torch.zeros(border.values.shape)

    def look(self, tried: Tensor, tell: Callable[[float], None]) -> tuple[float, Tensor, Tensor]:
        """Return and tell the margin of ``tried`` (H, W, C), uint8, and keep it where it fools.

        Returned too: its logits (V, classes), and the slope (H, W, C) there.
        """
        look = self.border.attacked.look(tried)
        margin = float(self.border.aim.margins(look.logits).max())
        tell(margin)
        self.keep(tried, margin)
        self.steps += 1
        return margin, look.logits, look.slope(self.loss)

    def keep(self, tried: Tensor, margin: float) -> None:
        """Keep what fools and is smaller."""
        if margin < 0 and self.border.size(tried) < self.size:
            self.best, self.size = tried, self.border.size(tried)


class DdnDescent(Minimizer):
    """A way down a loss from far beyond the border: it may end near smaller changes than are near ``start``.

    The change shrinks where it fools and grows where it does not, by less and less (as in DDN, Rony et al. 2019,
    "Decoupling Direction and Norm", section 3); it goes down the mean of all gradients met, later ones weighing more.
    """

    def __init__(self, border: BoundarySearch, loss: Callable[[Tensor], Tensor], start: Tensor) -> None:
        super().__init__(border, loss)
        self.tried = start
        self._places = min(FAR * float(start.ne(border.values).sum()), float(start.numel()))

    def go(self, steps: int, tell: Callable[[float], None]) -> None:
        """Go on; ``tell`` is told each margin."""
        for _ in range(steps):
            margin, _, slope = self.look(self.tried, tell)
            self.slope.lerp_(unit(slope), self.steps**2 / sum(step**2 for step in range(1, self.steps + 1)))
            by = max(LAST, FIRST * DECAY**self.steps)
            if self.steps > 1:
                self._places *= 1 - by if margin < 0 else 1 + by
            self.tried = self.border.along(self.slope, self._places)
        self.keep(self.tried, self.border.margin(self.tried))


class ProximalDescent(Minimizer):
    """A way along the border by changes between whole levels, charged so that the cheapest is whole nearly everywhere.

    Each step goes to the cheapest change, and not far away, at which the gradient says that the margin is 0 (as FAB
    projects onto such planes, Croce & Hein 2020, "Minimally Distorted Adversarial Examples with a Fast Adaptive
    Boundary Attack", section 2; cheap and not far away: Parikh & Boyd 2014, "Proximal Algorithms", section 1.1). The
    network is shown whole levels: each value is rounded up as often as its share of a level says (stochastic rounding).
    """

    def __init__(self, border: BoundarySearch, loss: Callable[[Tensor], Tensor], start: Tensor) -> None:
        super().__init__(border, loss)
        self._change = (start.float() - border.values).contiguous()
        self._price = 1.0  # of a logit
        self._costs: list[float] = []
        self._chance = torch.Generator().manual_seed(0)

    @property
    def cost(self) -> float:
        """Return what changes were charged lately, in the mean."""
        lately = self._costs[-LATELY:]
        return sum(lately) / len(lately) if lately else math.inf

    def go(self, steps: int, tell: Callable[[float], None]) -> None:
        """Go on; ``tell`` is told each margin."""
        for _ in range(steps):
            margin, logits, slope = self.look(self._whole(), tell)
            self.slope.lerp_(slope, max(FRESH, 1 / self.steps))
            if len(logits) == 1:  # there the loss leads to one class, which may not be the nearest
                margin = max(margin, float(self.loss(logits)))
            self._costs.append(self._go_to_cheapest(margin))

    def settle(self) -> None:
        """Make the change whole: as few values rounded up as still fool."""
        low, high = 0.0, 1.0
        for _ in range(HALVINGS):
            up = (low + high) / 2
            tried = self._whole(up)
            margin = self.border.margin(tried)
            self.keep(tried, margin)
            low, high = (low, up) if margin < 0 else (up, high)

    def _whole(self, up: float | None = None) -> Tensor:
        """Return values with whole changes, rounded up from a share of 1 - ``up``, or by chance."""
        values = self.border.values
        tried = torch.empty(values.shape, dtype=torch.uint8)
        for few, old, change in zip(_strips(tried), _strips(values), _strips(self._change), strict=True):
            share = torch.rand(change.shape, generator=self._chance) if up is None else up
            few.copy_(add_levels(old, stochastic_levels(change, share, self._most(change, old))))
        return tried

    def _most(self, sign: Tensor, values: Tensor) -> Tensor:
        """Return 1, or in L0, where a value changes as far as it can or not at all, how far it can, at least 1."""
        border = self.border
        return headroom(sign, values, border.eps).clamp_(min=1) if border.norm == "l0" else torch.ones(())

    def _go_to_cheapest(self, margin: float) -> float:
        """Go to the cheapest change, not far away, at which a ``margin`` here is 0 by the slope; return its cost."""
        change, slope, values = self._change.flatten(), self.slope.flatten(), self.border.values.flatten()
        every = max(1, change.numel() // SAMPLE)
        price = self._price_for(margin, change[::every], slope[::every], values[::every], every)
        cost = 0.0
        for few, down, old in zip(_strips(change), _strips(slope), _strips(values), strict=True):
            few.copy_(self._at(price, few, down, old))
            cost += float(quantized_norm(few, self._most(few, old), self.border.norm).sum())
        return cost

    def _price_for(self, margin: float, change: Tensor, slope: Tensor, values: Tensor, every: int) -> float:
        """Return the price of a logit at which a margin is 0, by a sample of ``every`` so many values."""

        def left(price: float) -> float:
            return margin + every * float(((self._at(price, change, slope, values) - change) * slope).sum())

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

    def _at(self, price: float, change: Tensor, slope: Tensor, values: Tensor) -> Tensor:
        """Return the cheapest change where a logit of margin has this price."""
        norm, eps = self.border.norm, self.border.eps
        most = self._most(-slope, values)
        reach = max(LEAST, REACH * SHRINKS**self.steps) * most.square()
        moved = prox_quantized_norm(change - slope * reach * price, reach, most, norm).clamp_(-eps, eps)
        return torch.maximum(torch.minimum(moved, 255.0 - values), -values.float())


def _strips(part: Tensor) -> tuple[Tensor, ...]:
    return torch.split(part.flatten(), STRIP)


def stochastic_levels(change: Tensor, up: float | Tensor, most: Tensor) -> Tensor:
    """Return a change, of any shape, in whole steps of ``most`` levels; a share of 1 - ``up`` or more is rounded up."""
    return ((change.abs() / most + up).floor_() * most).copysign_(change)


def quantized_norm(change: Tensor, most: Tensor, norm: Norm) -> Tensor:
    """Return what each value of a change, in levels, costs: as the norm has it at whole levels, on a line between them.

    In L2 the k-th level costs 2 k - 1, in L1 each 1, in L0 each an equal share of ``most`` levels.
    """
    size = change.abs() / most
    below = size.floor()
    return below * below + (2 * below + 1) * (size - below) if norm == "l2" else size


def prox_quantized_norm(change: Tensor, reach: Tensor, most: Tensor, norm: Norm) -> Tensor:
    """Return for each value what costs least with its squared distance from ``change``, in levels, over 2 ``reach``.

    This is the proximal operator of what is ``charged`` (Parikh & Boyd 2014, section 1.1), in closed form.
    """
    size = change.abs()
    if norm == "l2":
        below = ((size - reach) / (1 + 2 * reach)).floor_().clamp_(min=0)
        size = torch.minimum(size - reach * (2 * below + 1), below + 1)
    else:
        size = size - reach / most
    return size.clamp_(min=0).copysign_(change)
