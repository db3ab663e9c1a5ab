"""An attack in a photograph's own pixels: whole levels of 8 bits in, margins out, and slopes back onto the pixels.

What the network is shown is made by the real pipeline, rounding included, so that what fools here fools as a file. The
way back is the pipeline's transpose, through rounding as if it were not there (Bengio, Leonard & Courville 2013,
"Estimating or Propagating Gradients Through Stochastic Neurons", section 4, the straight-through estimator).
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import Tensor

from cnnviz.errors import MethodError
from cnnviz.models.features import LOGITS

STRIP = 1 << 17  # values at a time
SURE = 0.01  # logits by which an attack must succeed, so that another order of additions does not undo it
SHARE, UNITS = 1e-3, 8  # of the range of a photograph's logits; and of the last place of the largest, if that is more


@dataclass(frozen=True)
class InputPipeline:
    """How stored pixels reach the network.

    ``see``: values (H, W, C), uint8 on the CPU, to views (V, 3, h, w), RGB in [0, 1]: the photograph as the network
    is shown it, and as it is after whatever else it must survive. ``back``: slopes (V, 3, h, w) in the views to the
    slope (H, W, C) in the values, the sum over views, per level.
    """

    see: Callable[[Tensor], Tensor]
    back: Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Criterion:
    """What fooling is: the class ``target`` no longer first, or with ``goal`` that class first.

    ``margin``: by how many logits, in every view, and ``sure``: by how many more, for the search alone.
    """

    target: int
    goal: int | None = None
    margin: float = 0.0
    sure: float = SURE

    def margins(self, logits: Tensor) -> Tensor:
        """Return for each row of logits (V, classes) how far it is from fooled: below 0 it is. (V,)."""
        own = self.target if self.goal is None else self.goal
        rest = logits.clone()
        rest[:, own] = -torch.inf
        gap = logits[:, own] - rest.amax(1)
        return (gap if self.goal is None else -gap) + self.margin + self.sure


def numeric_tolerance(logits: Tensor, dtype: torch.dtype) -> float:
    """Return by how many logits an attack must succeed on a photograph of these (classes,), by passes in ``dtype``."""
    rounding = UNITS * torch.finfo(dtype).eps * float(logits.abs().max())
    return max(min(SURE, SHARE * float(logits.max() - logits.min())), rounding)


@dataclass
class QueryCount:
    """How often the networks were run: ``forward``, and back from there; ``flat`` of those slopes were 0 everywhere."""

    forward: int = 0
    backward: int = 0
    flat: int = 0


Trunks = tuple[tuple[InputPipeline, Callable[[Tensor], dict[str, Tensor]]], ...]


@dataclass
class TargetModel:
    """The networks that are attacked, each through its pipeline, and the passes that it took.

    Several networks are attacked at once: each adds its views.
    """

    trunks: Trunks
    passes: QueryCount = field(default_factory=QueryCount)

    def logits(self, values: Tensor) -> Tensor:
        """Return the logits (V, classes) of all views of all networks for values (H, W, C), uint8."""
        with torch.no_grad():
            return self._run([pipeline.see(values) for pipeline, _ in self.trunks])

    def fooled(self, values: Tensor, aim: Criterion) -> bool:
        """Return whether all views of all networks are fooled."""
        return bool((aim.margins(self.logits(values)) < 0).all())

    def look(self, values: Tensor) -> "Evaluation":
        """Return the logits, and what carries slopes in them back onto the values (H, W, C), uint8."""
        seen = [pipeline.see(values).requires_grad_() for pipeline, _ in self.trunks]
        with torch.enable_grad():
            logits = self._run(seen)
        return Evaluation(logits.detach(), logits, seen, self)

    def _run(self, seen: list[Tensor]) -> Tensor:
        self.passes.forward += 1
        pairs = zip(seen, self.trunks, strict=True)
        logits = torch.cat([trunk(views)[LOGITS].float().cpu() for views, (_, trunk) in pairs])
        if not torch.isfinite(logits).all():
            raise MethodError("the network gave logits that are not finite numbers: are these its weights?")
        return logits


@dataclass(frozen=True)
class Evaluation:
    """What the networks said of some values: ``logits`` (V, classes)."""

    logits: Tensor
    _graph: Tensor
    _seen: list[Tensor]
    _attacked: TargetModel

    def slope(self, loss: Callable[[Tensor], Tensor]) -> Tensor:
        """Return the slope (H, W, C) in the values of a loss of the logits, per level. Once for each look."""
        self._attacked.passes.backward += 1
        with torch.enable_grad():
            slopes = torch.autograd.grad(loss(self._graph), self._seen)
        first, *rest = [
            pipeline.back(slope) for slope, (pipeline, _) in zip(slopes, self._attacked.trunks, strict=True)
        ]
        total = sum(rest, first)
        self._attacked.passes.flat += not total.any()
        return total


def soft_margin_loss(aim: Criterion) -> Callable[[Tensor], Tensor]:
    """Return the loss that goes down to fool: a soft margin, the same slope whatever the confidence.

    The logit of a class minus the logarithm of the sum of the others' exponentials: the cross entropy's without its
    factor 1 - p, which vanishes in float32 where a network is sure. Views that are fooled already count less.
    """
    own, sign = (aim.target, 1.0) if aim.goal is None else (aim.goal, -1.0)

    def loss(logits: Tensor) -> Tensor:
        rest = torch.cat((logits[:, :own], logits[:, own + 1 :]), 1)
        gaps = sign * (logits[:, own] - rest.logsumexp(1)) + aim.margin
        weights = torch.sigmoid(gaps.detach() + 2).clamp(min=1e-3) if len(gaps) > 1 else torch.ones(1)
        return (weights * gaps).sum()

    return loss


def logit_difference_loss(target: int, other: int) -> Callable[[Tensor], Tensor]:
    """Return the loss that goes down where class ``other`` overtakes ``target``: the difference of their logits."""
    return lambda logits: (logits[:, target] - logits[:, other]).sum()


def add_levels(values: Tensor, change: Tensor) -> Tensor:
    """Return values (H, W, C), uint8, with a whole number of levels added to each; what leaves 0 to 255 is cut."""
    return _in_strips(values, change, lambda few, more: few.add_(more.to(torch.int16)))


def sign_step(values: Tensor, slope: Tensor, level: int) -> Tensor:
    """Return values (H, W, C), uint8, each moved down a slope by a whole ``level``; what leaves 0 to 255 is cut."""
    return _in_strips(values, slope, lambda few, more: few.sub_(more.sign().to(torch.int16), alpha=level))


def _in_strips(values: Tensor, by: Tensor, move: Callable[[Tensor, Tensor], Tensor]) -> Tensor:
    """Return values moved, some rows at a time, so that what is between stays in the processor's cache."""
    moved = torch.empty(values.shape, dtype=torch.uint8)
    rows = max(1, STRIP // max(1, values[:1].numel()))
    for before, more, after in zip(*(torch.split(part, rows) for part in (values, by, moved)), strict=True):
        after.copy_(move(before.to(torch.int16), more).clamp_(0, 255))
    return moved
