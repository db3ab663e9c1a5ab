"""What follows from the derivative alone: gradient, gradient times input, integrated gradients, SmoothGrad.

captum does the work, on the network as it is: autograd's derivative is right for whatever a network is made of.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import torch
from torch import Tensor

from cnnviz.models.network import Network

Score = Literal["logit", "probability"]
SCORES = get_args(Score)
Tick = Callable[[int, int], None]
PIXELS = 5 * 224 * 224  # in one batch: about 1 GB of VGG16's activations


@dataclass(frozen=True)
class ClassScore:
    """What a method is asked: the score of ``targets`` at an input ``x`` (1, 3, h, w); ``tick`` is told of passes."""

    network: Network
    x: Tensor
    targets: Sequence[int]
    score: Score
    tick: Tick

    def ask(self, x: Tensor) -> Tensor:
        """Return scores (N, classes) for inputs (N, 3, h, w)."""
        logits = self.network(x)
        return logits.softmax(1) if self.score == "probability" else logits

    def counted(self, passes: int) -> Callable[[Tensor], Tensor]:
        """Return the same, telling how many of the passes for all targets were made."""
        done, total = 0, passes * len(self.targets)

        def ask(x: Tensor) -> Tensor:
            nonlocal done
            done += len(x)
            self.tick(min(done, total), total)
            return self.ask(x)

        return ask

    def leaf(self) -> Tensor:
        """Return a copy of the input that derivatives are taken by."""
        return self.x.clone().requires_grad_()


def gradient(question: ClassScore) -> Tensor:
    """Return the derivatives of the scores, (targets, 3, h, w)."""
    from captum.attr import Saliency

    method = Saliency(question.ask)
    return torch.cat([method.attribute(question.leaf(), target=target, abs=False) for target in question.targets])


def gradient_x_input(question: ClassScore) -> Tensor:
    """Return the derivatives times the input, RGB in [0, 1]: (targets, 3, h, w)."""
    from captum.attr import InputXGradient

    method = InputXGradient(question.ask)
    return torch.cat([method.attribute(question.leaf(), target=target) for target in question.targets])


def integrated_gradients(question: ClassScore, steps: int) -> Tensor:
    """Return the mean derivative on the straight way from black to the input, times the input: (targets, 3, h, w).

    The mean is by Gauss and Legendre's rule of ``steps`` points.
    """
    from captum.attr import IntegratedGradients

    method, black = IntegratedGradients(question.counted(steps)), torch.zeros_like(question.x)
    settings = {"n_steps": steps, "internal_batch_size": batch_size(question.x)}
    found = [method.attribute(question.leaf(), black, target=target, **settings) for target in question.targets]
    return torch.cat(found).to(question.x.dtype)


def smoothgrad(question: ClassScore, samples: int, noise: float, seed: int) -> Tensor:
    """Return the mean derivative at inputs with Gaussian noise, the same noise for each class: (targets, 3, h, w)."""
    from captum.attr import NoiseTunnel, Saliency

    x, found = question.x, []
    method = NoiseTunnel(Saliency(question.counted(samples)))
    settings = {"nt_type": "smoothgrad", "nt_samples": samples, "nt_samples_batch_size": min(batch_size(x), samples),
                "stdevs": noise * float(x.max() - x.min()), "abs": False}  # fmt: skip
    for target in question.targets:
        with torch.random.fork_rng([x.device] if x.is_cuda else []):
            torch.manual_seed(seed)
            found.append(method.attribute(question.leaf(), target=target, **settings))
    return torch.cat(found)


def batch_size(x: Tensor) -> int:
    """Return how many inputs to differentiate at a time: by their size alone, so that the bytes are the same."""
    return max(1, PIXELS // (x.shape[-2] * x.shape[-1]))
