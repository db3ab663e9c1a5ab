"""Guided backpropagation, deconvnet and DeepLIFT: backward passes with other rules than the derivative.

guided: Springenberg et al., "Striving for Simplicity", 2014 (arXiv:1412.6806), section 3.4.
deconvnet: Zeiler & Fergus, "Visualizing and Understanding Convolutional Networks", 2013 (arXiv:1311.2901), section 2.1.
deeplift: Shrikumar et al., "Learning Important Features Through Propagating Activation Differences", 2017
(arXiv:1704.02685), section 3.5, the rescale rule.

We depart in two things: guided and deconvnet start from the score of a class, not from one unit; DeepLIFT gives a max
pool's difference to one position, since the paper has no rule for it. captum implements all three by hooks on modules,
which miss what runs inside a module or as a function; here the recorded operators are replayed.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

from cnnviz.attribution.class_score import ClassScore, MethodSettings, logit_gradient
from cnnviz.errors import InvalidRequest, MethodError
from cnnviz.graph.backward_rules import Method, UndefinedError, replay
from cnnviz.graph.deeplift import deeplift_rules
from cnnviz.graph.tape import Tape, UntraceableError, record
from cnnviz.models.network import Network

MAX_GAP = 0.01  # largest accepted error of DeepLIFT's sum, relative to the score's difference


def guided(score: ClassScore, settings: MethodSettings) -> Tensor:
    """Return guided backpropagation of the scores, summed over the colours: (targets, h, w)."""
    return replayed_gradients(score, "guided").sum(1)


def deconvnet(score: ClassScore, settings: MethodSettings) -> Tensor:
    """Return the deconvnet's projection of the scores, summed over the colours: (targets, h, w)."""
    return replayed_gradients(score, "deconvnet").sum(1)


def deeplift(score: ClassScore, settings: MethodSettings) -> Tensor:
    """Return DeepLIFT's multipliers times the difference from black, summed over the colours: (targets, h, w).

    Raises InvalidRequest for the probability and where a layer has no rule, MethodError where a map's sum misses the
    score's difference by more than 1 %.
    """
    if score.score == "probability":
        raise InvalidRequest("deeplift explains the logit alone, not the probability")
    network, x = score.network, score.x
    with _rule_errors(network, "deeplift"):
        tape = _recorded(network, x)
        back = deeplift_rules(tape, _recorded(network, torch.zeros_like(x)), tape.output)
    maps = (_backward(score, tape, back) * x).sum(1)
    if max(gaps := score.completeness_gaps(maps.detach())) > MAX_GAP:
        raise MethodError(
            f"deeplift is not right on {network.name} here: its map misses the score's difference from a black input "
            f"by {max(gaps):.0%}; integrated-gradients takes any network"
        )
    return maps


def replayed_gradients(score: ClassScore, method: Method) -> Tensor:
    """Return the scores sent back to the input by a method's rules, (targets, 3, h, w).

    Raises InvalidRequest where a layer has no rule, MethodError where the network cannot be recorded.
    """
    with _rule_errors(score.network, method):
        tape = _recorded(score.network, score.x)
        back = replay(tape, tape.output, method).back
    return _backward(score, tape, back)


def _recorded(network: Network, x: Tensor) -> Tape:
    return record(network, x, network.module, whole=True)


def _backward(score: ClassScore, tape: Tape, back: Callable[[Tensor], Tensor]) -> Tensor:
    logits = tape.clean[tape.output.index]
    return torch.cat([back(logit_gradient(logits, target, score.score)) for target in score.targets])


@contextmanager
def _rule_errors(network: Network, method: str) -> Iterator[None]:
    try:
        yield
    except UndefinedError as error:
        raise InvalidRequest(f"{method} has no rule for these layers of {network.name}: {error}") from error
    except UntraceableError as error:
        raise MethodError(f"{network.name} cannot be recorded operator by operator: {error}") from error
