"""One change that fools a network on most photographs, whatever they show.

Moosavi-Dezfooli, Fawzi, Fawzi & Frossard 2017, "Universal adversarial perturbations", section 2 and algorithm 1: one
photograph after the other, the change is led over the nearest border of each that it does not fool yet, and cut to the
largest level again. The step to the border is that of DeepFool (Moosavi-Dezfooli, Fawzi & Frossard 2016, section 3).

Departures: what the network sees is rounded to whole levels at every step, as files are, and so is the change given
back; a step goes MARGIN logits beyond the border, OVERSHOOT times as far as that seems, for what rounding and cutting
take away; towards the class that comes second, one gradient a step and not ten; the change passes through each
photograph's own resize before the network sees it, so that what resizing takes away is not sought; rounds go on until
all photographs are fooled, and the best is kept.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from cnnviz.adversarial.target import Criterion, QueryCount

MARGIN = 3.0  # logits by which another class must lead
OVERSHOOT = 2.0  # DeepFool's own is 1.02
NEAREST = 10  # steps to a border, at most: DeepFool's
BATCH = 16  # photographs judged at a time

Way = tuple[Tensor, Tensor]


@dataclass(frozen=True)
class UniversalPerturbation:
    """The ``change`` (3, h, w), int16, in levels of 255, the ``share`` of the photographs that it fools, and passes.

    ``passes``: for each photograph, those that it took.
    """

    change: Tensor
    share: float
    passes: list[QueryCount]


def universal(
    network: Callable[[Tensor], Tensor],
    inputs: Tensor,
    *,
    aims: Sequence[Criterion],
    ways: Sequence[Way],
    eps: int,
    steps: int,
    seed: int,
    progress: Callable[[int, int, float], None] = lambda _step, _of, _share: None,
) -> UniversalPerturbation:
    """Seek one change of at most ``eps`` levels that fools on all photographs.

    ``network``: RGB (N, 3, h, w) in [0, 1] to logits (N, classes) on the CPU; ``inputs`` (N, 3, h, w) in [0, 1];
    ``aims``, what fooling is for each; ``ways``, for each the matrices (h, h) and (w, w) that lead a change, along both
    axes, through its file to the network; ``steps``, rounds through all of them, in an order of ``seed``. ``progress``
    is told the rounds done, their number, and the share fooled.
    """
    photographs = _Photographs(network, inputs, aims, ways, [QueryCount() for _ in aims])
    generator = torch.Generator().manual_seed(seed)
    change = best = torch.zeros(inputs.shape[1:])
    most = photographs.share(change)
    for number in range(steps):
        for index in torch.randperm(len(inputs), generator=generator).tolist():
            change = photographs.beyond(index, change, eps)
        share = photographs.share(change)
        progress(number + 1, steps, share)
        if share > most:
            best, most = change.round(), share
        if most == 1:
            break
    return UniversalPerturbation(best.to(torch.int16), most, photographs.passes)


@dataclass(frozen=True)
class _Photographs:
    """What the change is sought on: see ``universal``."""

    network: Callable[[Tensor], Tensor]
    inputs: Tensor
    aims: Sequence[Criterion]
    ways: Sequence[Way]
    passes: list[QueryCount]

    def beyond(self, index: int, change: Tensor, eps: int) -> Tensor:
        """Return a change (3, h, w) led over the nearest border of a photograph; as it is, if that is fooled."""
        for _ in range(NEAREST):
            step = self._step(index, change)
            if step is None:
                break
            change = (change + step).clamp(-eps, eps)
        return change

    def _step(self, index: int, change: Tensor) -> Tensor | None:
        """Return the shortest step that leads over the border, were it flat, and beyond; None if over."""
        aim, passes = self.aims[index], self.passes[index]
        x = self._seen(index, change)[None].requires_grad_()
        with torch.enable_grad():
            logits = self.network(x)
            gap = aim.margins(logits)[0] + MARGIN
        passes.forward += 1
        if gap < 0:
            return None
        (slope,) = torch.autograd.grad(gap, x)
        down, across = self.ways[index]
        slope = down.T @ slope[0] @ across / 255
        passes.backward += 1
        passes.flat += not slope.any()
        return -slope * (OVERSHOOT * gap.detach() / slope.square().sum().clamp(min=1e-30))

    def share(self, change: Tensor) -> float:
        """Return the share of the photographs that a change fools."""
        fooled = 0
        for first in range(0, len(self.inputs), BATCH):
            some = range(first, min(first + BATCH, len(self.inputs)))
            with torch.no_grad():
                answers = self.network(torch.stack([self._seen(index, change) for index in some]))
            for index, logits in zip(some, answers, strict=True):
                self.passes[index].forward += 1
                fooled += int(self.aims[index].margins(logits[None])[0] < 0)
        return fooled / len(self.inputs)

    def _seen(self, index: int, change: Tensor) -> Tensor:
        """Return what the network sees of a photograph with a change (3, h, w) in whole levels, in 8 bits."""
        down, across = self.ways[index]
        return ((self.inputs[index] * 255 + down @ change.round() @ across.T).round() / 255).clamp(0, 1)
