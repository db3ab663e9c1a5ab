"""Attribution by signals sent back through a network: how much each pixel has to do with the score of a class.

gradient: Simonyan et al., "Deep Inside Convolutional Networks", 2013 (arXiv:1312.6034), section 3.
gradient-x-input: Shrikumar et al., "Not Just a Black Box", 2016 (arXiv:1605.01713); section 2.2 of deeplift's.
integrated-gradients: Sundararajan et al., "Axiomatic Attribution for Deep Networks", 2017
(arXiv:1703.01365), section 3.
smoothgrad: Smilkov et al., "SmoothGrad: removing noise by adding noise", 2017 (arXiv:1706.03825), section 2.
grad-cam, guided-grad-cam: Selvaraju et al., "Grad-CAM", 2017 (arXiv:1610.02391), section 3.
guided: Springenberg et al., "Striving for Simplicity", 2014 (arXiv:1412.6806), section 3.4.
deconvnet: Zeiler & Fergus, "Visualizing and Understanding Convolutional Networks", 2013 (arXiv:1311.2901), section 2.1.
deeplift: Shrikumar et al., "Learning Important Features Through Propagating Activation Differences", 2017
(arXiv:1704.02685), section 3.5, the rescale rule.

We depart in these: the colour channels of a pixel are summed, but for gradient and smoothgrad, which take the largest
magnitude, as the first paper does; guided and deconvnet start from the score of a class, not from one unit; DeepLIFT
gives a max pool's difference to one place, since the paper has no rule for it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import inf

import torch
from torch import Tensor

from cnnviz.attribution import grad_cam, gradients, modified_backprop
from cnnviz.attribution.gradients import SCORES, ClassScore, Score
from cnnviz.errors import InvalidRequest, MethodError
from cnnviz.models.catalog import ATTRIBUTIONS, CAMS, did_you_mean
from cnnviz.models.network import Network, memory_errors

LARGEST = ("gradient", "smoothgrad")  # the largest magnitude of the colours; of the others the sum
UNSIGNED = ("grad-cam", *LARGEST)
COMPLETE = ("integrated-gradients", "deeplift")  # whose maps add up to the difference from a black input
EXACT = 0.01  # what DeepLIFT's sum may be off by, in parts of the difference


@dataclass(frozen=True)
class Attribution:
    """How much each pixel has to do with the score of each class.

    ``maps`` (targets, h, w) on the network's input, float32; ``signed`` whether they have negative values; ``targets``
    class indices; ``clean_logits`` (classes,); ``layer`` that a CAM was made of; ``gaps`` (targets,) by what part of
    the score's difference from a black input the map's sum misses it, of the methods that promise it.
    """

    maps: Tensor
    signed: bool
    targets: tuple[int, ...]
    clean_logits: Tensor
    layer: str | None = None
    gaps: tuple[float, ...] | None = None


def attribute(
    network: Network,
    inputs: Tensor,
    *,
    method: str,
    targets: Sequence[int] | None = None,
    layer: str | None = None,
    steps: int = 50,
    samples: int = 25,
    noise: float = 0.15,
    score: Score = "logit",
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> Attribution:
    """Attribute the score of classes to the pixels of an input (1, 3, h, w), RGB in [0, 1].

    ``method`` is a name of ``cnnviz.catalog.ATTRIBUTIONS``. ``targets`` are class indices, by default the network's own
    first; their ``score`` is the logit or the softmax probability. ``layer`` is that of the CAMs, by default the last
    with maps. ``steps`` of integrated gradients, from black to the input; ``samples`` of smoothgrad, whose Gaussian
    ``noise`` has a deviation of this part of the input's range, drawn from ``seed``. ``progress`` is told
    (done, passes) by the two that take many.

    Raises UsageMistake for names that are not there and for networks that a method has no rule for, MethodError where
    DeepLIFT's sum is off by more than 1 %.
    """
    _check(inputs, method, score, noise, steps=steps, samples=samples)
    with torch.inference_mode(False), torch.enable_grad(), memory_errors():
        wide = network.dtype == torch.float64
        x = inputs.detach().to(network.device, torch.float64 if wide else torch.float32, copy=True)
        clean, black = _logits(network, x), _logits(network, torch.zeros_like(x))
        chosen = tuple(targets) if targets is not None else (int(clean.argmax()),)
        if any(not 0 <= index < len(clean) for index in chosen):
            raise InvalidRequest(f"classes {chosen}: {network.name} has {len(clean)}, counted from 0")
        seen = grad_cam.layer_of(network, x, layer) if method in CAMS else None
        question = ClassScore(network, x, chosen, score, progress or _silent)
        values = _values(question, method, seen, steps, samples, noise, seed).detach()
    if not values.isfinite().all():
        kind = str(network.dtype).removeprefix("torch.")
        raise MethodError(f"{network.name} gave gradients in {kind} that are not finite numbers")
    maps = values.abs().amax(1) if method in LARGEST else values.sum(1)
    gaps = _gaps(maps, clean, black, chosen, score) if method in COMPLETE else None
    if method == "deeplift" and gaps and max(gaps) > EXACT:
        raise MethodError(
            f"deeplift is not right on {network.name} here: its map misses the score's difference from a black input "
            f"by {max(gaps):.0%}; integrated-gradients takes any network"
        )
    return Attribution(maps.float().cpu(), method not in UNSIGNED, chosen, clean.cpu(), seen, gaps)


def _values(
    question: ClassScore, method: str, layer: str | None, steps: int, samples: int, noise: float, seed: int
) -> Tensor:
    """Return the values of a method by colour, (targets, 3, h, w); of Grad-CAM (targets, 1, h, w)."""
    if method == "grad-cam":
        return grad_cam.grad_cam(question, str(layer))
    if method == "guided-grad-cam":
        return grad_cam.grad_cam(question, str(layer)) * modified_backprop.modified_backprop(question, "guided")
    if method == "integrated-gradients":
        return gradients.integrated_gradients(question, steps)
    if method == "smoothgrad":
        return gradients.smoothgrad(question, samples, noise, seed)
    if method == "gradient":
        return gradients.gradient(question)
    if method == "gradient-x-input":
        return gradients.gradient_x_input(question)
    return modified_backprop.modified_backprop(question, method)


def _silent(_done: int, _total: int) -> None: ...


def _check(inputs: Tensor, method: str, score: str, noise: float, **counts: int) -> None:
    if inputs.dim() != 4 or len(inputs) != 1:
        raise InvalidRequest(f"attribution takes one input (1, 3, h, w), not {tuple(inputs.shape)}")
    if method not in ATTRIBUTIONS:
        near = did_you_mean(method, list(ATTRIBUTIONS), f"; take one of {', '.join(ATTRIBUTIONS)}")
        raise InvalidRequest(f"no method is named {method!r}{near}")
    if score not in SCORES:
        raise InvalidRequest(f"score {score!r}: take one of {', '.join(SCORES)}")
    if method == "deeplift" and score == "probability":
        raise InvalidRequest("deeplift follows the logit alone, not the probability")
    if not 0 <= noise < inf:
        raise InvalidRequest(f"noise is a number from 0 on, not {noise}")
    for name, count in counts.items():
        if count < 1:
            raise InvalidRequest(f"at least 1 of {name} is needed, not {count}")


def _logits(network: Network, x: Tensor) -> Tensor:
    """Return logits (classes,). Raises MethodError where they are not finite."""
    with torch.no_grad():
        logits = network(x)[0]
    if not torch.isfinite(logits).all():
        raise MethodError(f"{network.name} gave logits that are not finite numbers: are these its weights?")
    return logits


def _gaps(maps: Tensor, clean: Tensor, black: Tensor, targets: Sequence[int], score: Score) -> tuple[float, ...]:
    """Return by what part of the score's difference from black each map's sum misses it."""
    values = [logits.double().softmax(0) if score == "probability" else logits.double() for logits in (clean, black)]
    wanted = (values[0] - values[1])[list(targets)]
    off = (maps.double().sum((1, 2)) - wanted).abs() / wanted.abs().clamp(min=1e-12)
    return tuple(round(value, 6) for value in off.tolist())
