"""The attribution methods: functions of a ClassScore and the MethodSettings that return maps (targets, h, w).

gradient: Simonyan et al., "Deep Inside Convolutional Networks", 2013 (arXiv:1312.6034), section 3.
gradient-x-input: Shrikumar et al., "Not Just a Black Box", 2016 (arXiv:1605.01713); DeepLIFT's paper, section 2.2.
integrated-gradients: Sundararajan et al., "Axiomatic Attribution for Deep Networks", 2017 (arXiv:1703.01365),
section 3.
smoothgrad: Smilkov et al., "SmoothGrad: removing noise by adding noise", 2017 (arXiv:1706.03825), section 2.
grad-cam, guided-grad-cam: Selvaraju et al., "Grad-CAM", 2017 (arXiv:1610.02391), section 3.
guided: Springenberg et al., "Striving for Simplicity", 2014 (arXiv:1412.6806), section 3.4.
deconvnet: Zeiler & Fergus, "Visualizing and Understanding Convolutional Networks", 2013 (arXiv:1311.2901), section 2.1.
deeplift: Shrikumar et al., "Learning Important Features Through Propagating Activation Differences", 2017
(arXiv:1704.02685), section 3.5, the rescale rule.

The colour channels of a pixel are summed; of gradient and smoothgrad the largest magnitude is taken, as in the first
paper. We depart in two things: guided and deconvnet start from the score of a class, not from one unit; DeepLIFT gives
a max pool's difference to one position, since the paper has no rule for it.

captum computes the plain gradients. It implements the last three by hooks on modules, which miss what runs inside a
module or as a function; here the recorded operators are replayed.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
import torch.nn.functional as F
from torch import Tensor

from cnnviz.attribution.class_score import ClassScore, MethodSettings, logit_gradient
from cnnviz.errors import InvalidRequest, MethodError
from cnnviz.graph.backward_rules import Method, UndefinedError, deeplift_rules, replay
from cnnviz.graph.tape import Tape, UntraceableError, record
from cnnviz.models.memory import batch_size
from cnnviz.models.network import Network

PIXELS = 5 * 224 * 224  # of one batch: about 1 GB of VGG16's activations
MAX_GAP = 0.01  # largest accepted error of DeepLIFT's sum, relative to the score's difference


def gradient(score: ClassScore, settings: MethodSettings) -> Tensor:
    """Return the gradient's largest magnitude over the colours."""
    from captum.attr import Saliency

    method = Saliency(score)
    found = [method.attribute(score.leaf(), target=target, abs=False) for target in score.targets]
    return torch.cat(found).abs().amax(1)


def gradient_x_input(score: ClassScore, settings: MethodSettings) -> Tensor:
    """Return the gradient times the input, RGB in [0, 1]."""
    from captum.attr import InputXGradient

    method = InputXGradient(score)
    return torch.cat([method.attribute(score.leaf(), target=target) for target in score.targets]).sum(1)


def integrated_gradients(score: ClassScore, settings: MethodSettings) -> Tensor:
    """Return the mean gradient on the straight line from black to the input, times the input.

    The mean is computed by Gauss-Legendre quadrature with ``settings.steps`` points.
    """
    from captum.attr import IntegratedGradients

    method, black = IntegratedGradients(score.counted(settings.steps)), torch.zeros_like(score.x)
    options = {"n_steps": settings.steps, "internal_batch_size": batch_size(score.x, PIXELS)}
    found = [method.attribute(score.leaf(), black, target=target, **options) for target in score.targets]
    return torch.cat(found).to(score.x.dtype).sum(1)


def smoothgrad(score: ClassScore, settings: MethodSettings) -> Tensor:
    """Return the mean gradient of noisy inputs, its largest magnitude over the colours.

    Every target has the same noise. torch's global random state is left as it was.
    """
    from captum.attr import NoiseTunnel, Saliency

    x, samples, found = score.x, settings.samples, []
    method = NoiseTunnel(Saliency(score.counted(samples)))
    at_once = min(batch_size(x, PIXELS), samples)
    options = {"nt_type": "smoothgrad", "nt_samples": samples, "nt_samples_batch_size": at_once,
               "stdevs": settings.noise * float(x.max() - x.min()), "abs": False}  # fmt: skip
    for target in score.targets:
        with torch.random.fork_rng([x.device] if x.is_cuda else []):
            torch.manual_seed(settings.seed)
            found.append(method.attribute(score.leaf(), target=target, **options))
    return torch.cat(found).abs().amax(1)


def grad_cam(score: ClassScore, settings: MethodSettings) -> Tensor:
    """Return the positive part of the layer's maps, weighted by their mean gradients, enlarged bilinearly.

    captum uses the layer's output before anything changes it in place.
    """
    from captum.attr import LayerGradCam

    x, method = score.x, LayerGradCam(score, score.network.layers()[str(score.layer)])
    maps = [method.attribute(x.clone(), target=target, relu_attributions=True) for target in score.targets]
    return F.interpolate(torch.cat(maps).detach().to(x.dtype), x.shape[-2:], mode="bilinear")[:, 0]


def guided_grad_cam(score: ClassScore, settings: MethodSettings) -> Tensor:
    """Return Grad-CAM times guided backpropagation."""
    return (grad_cam(score, settings)[:, None] * _replayed_gradients(score, "guided")).sum(1)


def guided(score: ClassScore, settings: MethodSettings) -> Tensor:
    """Return guided backpropagation of the scores."""
    return _replayed_gradients(score, "guided").sum(1)


def deconvnet(score: ClassScore, settings: MethodSettings) -> Tensor:
    """Return the deconvnet's projection of the scores."""
    return _replayed_gradients(score, "deconvnet").sum(1)


def deeplift(score: ClassScore, settings: MethodSettings) -> Tensor:
    """Return DeepLIFT's multipliers times the difference from black.

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


def _replayed_gradients(score: ClassScore, method: Method) -> Tensor:
    """Return the scores sent back to the input by a method's rules, (targets, 3, h, w)."""
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
