"""The smallest change of a photograph's own 8-bit pixels that a network takes for something else.

Szegedy et al. 2014, "Intriguing properties of neural networks", section 4; the step along the sign of the gradient is
Goodfellow, Shlens & Szegedy 2015, "Explaining and Harnessing Adversarial Examples", section 3, its momentum Dong et
al. 2018, "Boosting Adversarial Attacks with Momentum", section 3.1. Departures: the change is a whole number of levels
from the first step to the last, so nothing is lost when it is stored; gradients are summed and not faded; the first
step is a full one, and the first change that fools ends it.

The smallest change in the norm L2 is sought on the same grid. Where the margin is linear, the k-th level on a pixel
costs 2 k - 1 in the squared norm and gains what the first gained, so the best change of a given norm is the gradient
times a factor, rounded. The gradient is the mean of those at the borders found so far, later ones weighing more
(DeepFool, Moosavi-Dezfooli et al. 2016, section 3, would take the last alone), towards the class that is nearest there.
A thorough search goes on from there and from afar, on changes between whole levels that are charged as whole ones are
(``cnnviz.ways``), towards several classes, and furthest towards the cheapest. In L1 a linear margin would ask for few
places changed as far as they go; no network's margin is linear so far, and a place goes by the square of the gradient.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from cnnviz.adversarial.boundary import BoundarySearch, Norm, Progress, largest_change, mixed, steepness, unit
from cnnviz.adversarial.minimizers import DdnDescent, ProximalDescent
from cnnviz.adversarial.target import Criterion, TargetModel, sign_step, soft_margin_loss

CLOSE = 1.05  # how near, in the norm, the border is sought before the gradient is taken there
CLOSEST = 1.004  # and at the end
INSIDE = 0.6  # share of the places of the first change at the border whose gradient is looked at
GRADIENTS, LEAST = 5, 3  # in all; and at least, at borders
START = 2000.0  # places changed in the first search
MORE = 95  # gradients of a thorough search
AFAR = 20  # of these: from afar
RACE = ((6, 5), (3, 8), (1, MORE))  # and the rest: so many ways, by so many each while there are some left


@dataclass(frozen=True)
class AdversarialResult:
    """The ``values`` (H, W, C), uint8, that were found, whether they ``fooled``, and the ``level`` they keep to.

    ``level`` is the largest change of one value. Where nothing fooled, ``values`` came nearest to it. ``slope``
    (H, W, C): the sum of the gradients on the way, which the change goes down.
    """

    values: Tensor
    fooled: bool
    level: int
    slope: Tensor


def adversarial(
    attacked: TargetModel,
    values: Tensor,
    aim: Criterion,
    *,
    norm: Norm = "linf",
    eps: int = 16,
    steps: int = 40,
    thorough: bool = False,
    progress: Progress = lambda _step, _of, _margin: None,
) -> AdversarialResult:
    """Seek the smallest change of stored ``values`` (H, W, C), uint8, that fools as ``aim`` says.

    ``norm`` says what is smallest: "linf" the largest level, "l2" the sum of squares, "l1" the sum of levels, "l0" the
    count of values changed; ``eps`` the largest level in any; ``steps`` gradients for each level; ``thorough``: 95 more
    for a smaller change, which has no meaning for "linf". ``progress`` is told a step, their number, and the margin
    left in logits.
    """
    if norm == "linf":
        return grid(attacked, values, aim, eps=eps, steps=steps, progress=progress)
    return smallest(attacked, values, aim, norm=norm, eps=eps, steps=steps, thorough=thorough, progress=progress)


def grid(
    attacked: TargetModel,
    values: Tensor,
    aim: Criterion,
    *,
    eps: int = 255,
    least: int = 1,
    steps: int = 40,
    progress: Progress = lambda _step, _of, _margin: None,
) -> AdversarialResult:
    """Seek the smallest whole level, from ``least`` up to ``eps``, at which changes of one size fool.

    ``values`` (H, W, C), uint8; ``steps`` gradients for each level. ``progress`` is told the step, the most that
    there can be, and the largest margin left, in logits.
    """
    total = torch.zeros(values.shape)
    best, nearest = values, torch.inf
    before, levels = least - 1, _levels(least, eps)
    for turn, level in enumerate(levels):
        for number in range(steps + 1):  # a look at the photograph, or at the level before, and one after each
            tried = sign_step(values, total, level)
            look = attacked.look(tried)
            margin = float(aim.margins(look.logits).max())
            progress(turn * steps + number, len(levels) * steps, margin)
            if margin < nearest:
                best, nearest = tried, margin
            if margin < 0:
                lower = (sign_step(values, total, less) for less in range(before + 1, level))
                tried = next((values for values in lower if attacked.fooled(values, aim)), tried)
                return AdversarialResult(tried, True, largest_change(values, tried), total)
            if number == steps:
                break
            slope = look.slope(soft_margin_loss(aim))
            total.add_(slope, alpha=1 / steepness(slope))
            if not total.any():  # there is nothing to follow
                return AdversarialResult(best, False, largest_change(values, best), total)
        before = level
    return AdversarialResult(best, False, largest_change(values, best), total)


def _levels(least: int, eps: int) -> list[int]:
    """Return the levels tried: each up to 8, then each a quarter more."""
    found = [min(least, eps)]
    while found[-1] < eps:
        found.append(min(eps, max(found[-1] + 1, found[-1] * 5 // 4)))
    return found


def smallest(
    attacked: TargetModel,
    values: Tensor,
    aim: Criterion,
    *,
    norm: Norm = "l2",
    eps: int = 255,
    steps: int = 40,
    thorough: bool = False,
    progress: Progress = lambda _step, _of, _margin: None,
) -> AdversarialResult:
    """Seek the smallest change in a norm; where ``grid`` finds one this does, and none that is larger.

    The options are those of ``adversarial``. GRADIENTS, those of ``grid`` among them, and MORE if ``thorough``.
    """
    taken = -attacked.passes.backward
    first = grid(attacked, values, aim, eps=eps, steps=steps, progress=progress)
    taken += attacked.passes.backward
    if not first.fooled or first.level == 0:
        return first
    border = BoundarySearch(attacked, values, aim, norm, eps)
    slopes, weights = [unit(first.slope)], [0.5]
    best, places, borders = first.values, START, max(GRADIENTS - taken, LEAST)
    for step in range(borders + 1):
        slope = mixed(slopes, weights)
        found = border.seek(slope, places, CLOSEST if step == borders else CLOSE)
        tried, places = found or (best, places)  # where nothing on the way fools, what is known to
        if border.size(tried) < border.size(best):
            best = tried
        if step == borders:
            break
        look = attacked.look(tried if step else border.along(slope, places * INSIDE))
        logits = look.logits if step else attacked.logits(tried)
        progress(step, borders, float(aim.margins(logits).max()))
        slopes.append(unit(look.slope(border.losses(logits)[0])))
        weights = border.weighed(slopes, [*weights, step + 1.0], places)
    if thorough:
        best = _polished(border, best, progress)
    return AdversarialResult(best, True, largest_change(values, best), first.slope)


def _polished(border: BoundarySearch, best: Tensor, progress: Progress) -> Tensor:
    """Return a smaller change by MORE gradients: a race of ways, from ``best`` to the classes near, and from afar."""
    passes = border.attacked.passes
    begun = passes.backward

    def tell(margin: float) -> None:
        progress(passes.backward - begun, MORE, margin)

    afar = DdnDescent(border, soft_margin_loss(border.aim), best)
    afar.go(AFAR, tell)
    logits = border.attacked.logits(border.values), border.attacked.logits(best)
    ways = [ProximalDescent(border, loss, best) for loss in border.losses(*logits, count=RACE[0][0] - 1)]
    ways.append(ProximalDescent(border, border.losses(border.attacked.logits(afar.tried))[0], afar.tried))
    found = [(border.size(best), best), (afar.size, afar.best)]
    for many, steps in RACE:
        ways = sorted(ways, key=lambda way: way.cost)[:many]
        for way in ways:
            way.go(min(steps, begun + MORE - passes.backward), tell)
        found += [(way.size, way.best) for way in ways]
    ways[0].settle()
    return min((*found, (ways[0].size, ways[0].best)), key=lambda one: one[0])[1]
