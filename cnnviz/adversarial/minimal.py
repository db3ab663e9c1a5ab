"""The smallest change of a photo's stored 8-bit values that fools a network.

Szegedy et al. 2014, "Intriguing properties of neural networks", section 4; the step along the sign of the gradient is
Goodfellow, Shlens & Szegedy 2015, "Explaining and Harnessing Adversarial Examples", section 3, its momentum Dong et
al. 2018, "Boosting Adversarial Attacks with Momentum", section 3.1. Departures: the change is a whole number of levels
from the first step to the last, so nothing is lost when it is stored; gradients are summed without decay; the first
step has full length, and the first change that fools ends the search.

In L2, L1 and L0 the search goes on from there. Where the margin is linear, the k-th level on a value costs 2 k - 1 in
the squared L2 norm and gains as much as the first, so the best change of a given norm is the gradient times a factor,
rounded. The gradient is the mean of those at the boundary points found so far, later ones with more weight (DeepFool,
Moosavi-Dezfooli et al. 2016, section 3, uses the last alone), towards the nearest class. A thorough search continues
with the minimisers of ``minimizers``, towards several classes, and longest with the cheapest of them. In L1 a linear
margin would ask for few values at their limit; no network's margin is linear so far out, and a value moves by the
square of its gradient.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from cnnviz.adversarial.boundary import BoundarySearch, mean_magnitude, unit, weighted_mean
from cnnviz.adversarial.catalog import SearchSettings
from cnnviz.adversarial.criterion import Criterion, soft_margin_loss
from cnnviz.adversarial.levels import largest_change, sign_step
from cnnviz.adversarial.minimizers import DdnDescent, ProximalDescent
from cnnviz.adversarial.target import TargetModel
from cnnviz.control import Control

CLOSE = 1.05  # relative precision, in the norm, of the boundary points whose gradients are used
CLOSEST = 1.004  # and of the last one
INSIDE = 0.6  # share of the first boundary point's places at which the gradient is evaluated
GRADIENTS, LEAST = 5, 3  # in all; and at boundary points, at least
START = 2000.0  # places changed where the first line search begins
MORE = 95  # gradients of a thorough search
AFAR = 20  # of these: of the DDN descent
RACE = ((6, 5), (3, 8), (1, MORE))  # the rest: so many minimisers, by so many steps each while there are some left


@dataclass(frozen=True)
class AdversarialResult:
    """The ``values`` (H, W, C), uint8, that were found, whether they ``fooled``, and their largest change ``level``.

    Where nothing fooled, the values of the largest margin. ``gradient`` (H, W, C): the sum of the gradients so far.
    """

    values: Tensor
    fooled: bool
    level: int
    gradient: Tensor


def minimal_level(
    model: TargetModel,
    values: Tensor,
    criterion: Criterion,
    *,
    eps: int,
    least: int = 1,
    steps: int = 40,
    control: Control = Control(),
) -> AdversarialResult:
    """Search the smallest level, from ``least`` up to ``eps``, at which sign steps of that size fool.

    ``values`` (H, W, C), uint8; ``steps`` gradients for each level.
    """
    total = torch.zeros(values.shape)
    best, nearest = values, -torch.inf
    before, levels = least - 1, _levels(least, eps)
    for turn, level in enumerate(levels):
        for number in range(steps + 1):  # the photo, or the level before, and one evaluation after each gradient
            changed = sign_step(values, total, level)
            logits, gradient_of = model.evaluate(changed)
            margin = float(criterion.margins(logits).min())
            control.report(turn * steps + number, len(levels) * steps, f"margin {margin:.3g}")
            if margin > nearest:
                best, nearest = changed, margin
            if margin > 0:
                lower = (sign_step(values, total, less) for less in range(before + 1, level))
                changed = next((values for values in lower if model.fooled(values, criterion)), changed)
                return AdversarialResult(changed, True, largest_change(values, changed), total)
            if number == steps:
                break
            gradient = gradient_of(soft_margin_loss(criterion))
            total.add_(gradient, alpha=1 / mean_magnitude(gradient))
            if not total.any():  # no direction to follow
                return AdversarialResult(best, False, largest_change(values, best), total)
        before = level
    return AdversarialResult(best, False, largest_change(values, best), total)


def _levels(least: int, eps: int) -> list[int]:
    """Return the levels tried: each up to 8, then each a quarter more."""
    levels = [min(least, eps)]
    while levels[-1] < eps:
        levels.append(min(eps, max(levels[-1] + 1, levels[-1] * 5 // 4)))
    return levels


def minimal_perturbation(
    model: TargetModel, values: Tensor, criterion: Criterion, settings: SearchSettings, control: Control = Control()
) -> AdversarialResult:
    """Search the smallest change of stored ``values`` (H, W, C), uint8, that meets a criterion.

    The norm of the ``settings`` is what is minimised: "linf" the largest level, "l2" the sum of squares, "l1" the sum
    of levels, "l0" the count of values changed; ``eps`` is the largest level in any of them, ``steps`` are gradients
    for each level; ``thorough`` takes MORE, but for "linf". ``control`` is given the margin in logits.
    """
    taken, norm, eps = -model.queries.backward, settings.norm, settings.eps
    first = minimal_level(model, values, criterion, eps=eps, steps=settings.steps, control=control)
    taken += model.queries.backward
    if norm == "linf" or not first.fooled or first.level == 0:
        return first
    search = BoundarySearch(model, values, criterion, norm, eps)
    best = _follow_gradients(search, first, max(GRADIENTS - taken, LEAST), control)
    if settings.thorough:
        best = _race_minimizers(search, best, control)
    return AdversarialResult(best, True, largest_change(values, best), first.gradient)


def _follow_gradients(search: BoundarySearch, first: AdversarialResult, count: int, control: Control) -> Tensor:
    """Return the smallest change on the line searches along the means of ``count`` gradients at boundary points."""
    gradients, weights = [unit(first.gradient)], [0.5]
    best, places = first.values, START
    for step in range(count + 1):
        gradient = weighted_mean(gradients, weights)
        found = search.line_search(gradient, places, CLOSEST if step == count else CLOSE)
        changed, places = found or (best, places)  # where nothing on the line fools, what is known to
        if search.size(changed) < search.size(best):
            best = changed
        if step == count:
            break
        place = changed if step else search.quantized_step(gradient, places * INSIDE)
        logits, gradient_of = search.model.evaluate(place)
        if not step:
            logits = search.model.logits(changed)
        margin = float(search.criterion.margins(logits).min())
        control.report(step, count, f"margin {margin:.3g}")
        gradients.append(unit(gradient_of(search.losses(logits)[0])))
        weights = search.reweight(gradients, [*weights, step + 1.0], places)
    return best


def _race_minimizers(search: BoundarySearch, best: Tensor, control: Control) -> Tensor:
    """Return a smaller change by MORE gradients: minimisers from ``best`` to several classes, and one from afar."""
    queries = search.model.queries
    begun = queries.backward

    def report(margin: float) -> None:
        control.report(queries.backward - begun, MORE, f"margin {margin:.3g}")

    afar = DdnDescent(search, soft_margin_loss(search.criterion), best)
    afar.go(AFAR, report)
    logits = search.model.logits(search.values), search.model.logits(best)
    racers = [ProximalDescent(search, loss, best) for loss in search.losses(*logits, count=RACE[0][0] - 1)]
    racers.append(ProximalDescent(search, search.losses(search.model.logits(afar.changed))[0], afar.changed))
    candidates = [(search.size(best), best), (afar.size, afar.best)]
    for many, steps in RACE:
        racers = sorted(racers, key=lambda racer: racer.cost)[:many]
        for racer in racers:
            racer.go(min(steps, begun + MORE - queries.backward), report)
        candidates += [(racer.size, racer.best) for racer in racers]
    racers[0].settle()
    return min((*candidates, (racers[0].size, racers[0].best)), key=lambda one: one[0])[1]
