"""Guided backpropagation, deconvnet and DeepLIFT: signals back by other rules than the derivative.

captum has all three, by hooks on modules; what runs below a module or as a function escapes them. Here the recording
of the network is played again, operator by operator.
"""

import torch
from torch import Tensor

from cnnviz.attribution.gradients import ClassScore, Score
from cnnviz.errors import InvalidRequest, MethodError
from cnnviz.graph.backward_rules import UndefinedError, replay
from cnnviz.graph.deeplift import deeplift_rules
from cnnviz.graph.tape import UntraceableError, record


def modified_backprop(question: ClassScore, method: str) -> Tensor:
    """Return what the score of each class becomes at the input, (targets, 3, h, w).

    "deeplift" multiplies it with the input's difference from black. Raises UsageMistake where there is no rule.
    """
    network, x = question.network, question.x
    try:
        tape = record(network, x, network.module, whole=True)
        if method == "deeplift":
            reference = record(network, torch.zeros_like(x), network.module, whole=True)
            back = deeplift_rules(tape, reference, tape.output)
        else:
            back = replay(tape, tape.output, "guided" if method == "guided" else "deconvnet").back
    except UndefinedError as error:
        raise InvalidRequest(f"{method} has no rule for these layers of {network.name}: {error}") from error
    except UntraceableError as error:
        raise MethodError(f"{network.name} cannot be taken apart: {error}") from error
    logits = tape.clean[tape.output.index]
    values = torch.cat([back(_seed(logits, target, question.score)) for target in question.targets])
    return values * x if method == "deeplift" else values


def _seed(logits: Tensor, target: int, score: Score) -> Tensor:
    """Return the derivative (1, classes) of a class's score by the logits."""
    values = logits.detach().requires_grad_()
    scores = values.softmax(1) if score == "probability" else values
    return torch.autograd.grad(scores[0, target], values)[0]
