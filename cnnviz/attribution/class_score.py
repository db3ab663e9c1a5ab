"""The class score that an attribution method explains, and the settings of the methods."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import inf
from typing import Literal, get_args

import torch
from torch import Tensor

from cnnviz.control import Control
from cnnviz.errors import InvalidRequest
from cnnviz.models.network import Network

Score = Literal["logit", "probability"]
SCORES: tuple[str, ...] = get_args(Score)


@dataclass(frozen=True)
class MethodSettings:
    """Settings of single attribution methods. Raises InvalidRequest.

    ``steps`` of integrated gradients from black to the input; ``samples`` of SmoothGrad, whose Gaussian ``noise`` has
    a standard deviation of this share of the input's range, drawn from ``seed``.
    """

    steps: int = 50
    samples: int = 25
    noise: float = 0.15
    seed: int = 0

    def __post_init__(self) -> None:
        if not 0 <= self.noise < inf:
            raise InvalidRequest(f"noise must be a number of at least 0, not {self.noise}")
        for name in ("steps", "samples"):
            if getattr(self, name) < 1:
                raise InvalidRequest(f"{name} must be at least 1, not {getattr(self, name)}")


@dataclass(frozen=True, eq=False)
class ClassScore:
    """The scores of ``targets`` at an input ``x`` (1, 3, h, w), for methods that use one with the ``layer``.

    ``difference`` (targets,), float64, of each score from that of a black input.
    """

    network: Network
    x: Tensor
    targets: Sequence[int]
    score: Score
    difference: Tensor
    layer: str | None = None
    control: Control = Control()

    def __call__(self, x: Tensor) -> Tensor:
        """Return scores (N, classes) for inputs (N, 3, h, w)."""
        return class_scores(self.network(x), self.score)

    def counted(self, passes: int) -> Callable[[Tensor], Tensor]:
        """Return the same function, which reports how many of ``passes`` for each target are done."""
        done, total = 0, passes * len(self.targets)

        def score(x: Tensor) -> Tensor:
            nonlocal done
            done += len(x)
            self.control.report(min(done, total), total)
            return self(x)

        return score

    def leaf(self) -> Tensor:
        """Return a copy of the input that requires a gradient."""
        return self.x.clone().requires_grad_()

    def completeness_gaps(self, maps: Tensor) -> tuple[float, ...]:
        """Return, for each map (targets, h, w), the relative error of its sum against the score's difference."""
        off = (maps.double().sum((1, 2)) - self.difference).abs() / self.difference.abs().clamp(min=1e-12)
        return tuple(round(value, 6) for value in off.tolist())


def resolve_targets(network: Network, logits: Tensor, targets: Sequence[int] | None) -> tuple[int, ...]:
    """Return the classes, by default that of the largest of the logits (classes,). Raises InvalidRequest."""
    chosen = tuple(targets) if targets is not None else (int(logits.argmax()),)
    if any(not 0 <= index < len(logits) for index in chosen):
        raise InvalidRequest(f"classes {chosen}: {network.name} has {len(logits)}, counted from 0")
    return chosen


def class_scores(logits: Tensor, score: Score) -> Tensor:
    """Return the scores (N, classes) of logits (N, classes): themselves, or softmax probabilities."""
    return logits.softmax(1) if score == "probability" else logits


def logit_gradient(logits: Tensor, target: int, score: Score) -> Tensor:
    """Return the gradient (1, classes) of a class's score with respect to the logits (1, classes)."""
    values = logits.detach().requires_grad_()
    return torch.autograd.grad(class_scores(values, score)[0, target], values)[0]
