"""Attribution of a class score to the pixels of an input by gradients and other backward passes.

The methods are listed in ``cnnviz.attribution.catalog``; each module names the papers and where it departs from them.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from cnnviz.attribution.catalog import METHODS
from cnnviz.attribution.class_score import SCORES, ClassScore, MethodSettings, Score, class_scores
from cnnviz.attribution.grad_cam import resolve_layer
from cnnviz.control import Control
from cnnviz.errors import InvalidRequest, MethodError
from cnnviz.models.memory import memory_errors
from cnnviz.models.network import Network, require_finite
from cnnviz.text import did_you_mean


@dataclass(frozen=True)
class Attribution:
    """How much each pixel of an input contributes to the score of each class.

    ``maps`` (targets, h, w) on the network's input, float32; ``signed``: maps have negative values; ``targets``
    class indices; ``clean_logits`` (classes,) of the input; ``layer`` whose feature maps were used; ``gaps``
    (targets,), of complete methods, the relative error of a map's sum against the score's difference from a black
    input.
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
    method: str = "grad-cam",
    targets: Sequence[int] | None = None,
    layer: str | None = None,
    score: Score = "logit",
    settings: MethodSettings = MethodSettings(),
    control: Control = Control(),
) -> Attribution:
    """Attribute the score of classes to the pixels of an input.

    Parameters
    ----------
    network : Network
    inputs : Tensor, shape (1, 3, h, w)
        RGB in [0, 1].
    method : str, default "grad-cam"
        A name of ``cnnviz.attribution.catalog.METHODS``.
    targets : sequence of int, optional
        Class indices; by default the top class.
    layer : str, optional
        The layer of the CAMs; by default the last with feature maps.
    score : {"logit", "probability"}, default "logit"
        The logit or the softmax probability; DeepLIFT explains the logit alone.
    settings : MethodSettings, default MethodSettings()
        Steps of integrated gradients, samples, noise and seed of SmoothGrad.
    control : Control, default Control()
        Integrated gradients and SmoothGrad report (done, passes) to it.

    Returns
    -------
    Attribution
        ``maps`` (targets, h, w), float32, on the input, with the target classes and the clean logits.

    Raises
    ------
    InvalidRequest
        For unknown names, and for networks that the method has no rule for.
    MethodError
        Where values are not finite, or DeepLIFT's sum is wrong by more than 1 %.

    Notes
    -----
    The modules that ``METHODS`` names state each method's paper, year and section, and where it departs from them.

    Examples
    --------
    >>> network = cnnviz.load_network()
    >>> inputs, _ = cnnviz.fit(cnnviz.read_photo("sample_images/coffee.jpg"), network)
    >>> maps = cnnviz.attribute(network, inputs, method="integrated-gradients", targets=[967]).maps  # (1, 224, 224)
    """
    _check(inputs, method, score)
    row = METHODS[method]
    with torch.inference_mode(False), torch.enable_grad(), memory_errors():
        precision = torch.float64 if network.dtype == torch.float64 else torch.float32
        x = inputs.detach().to(network.device, precision, copy=True)
        clean, black = _logits(network, x), _logits(network, torch.zeros_like(x))
        chosen = tuple(targets) if targets is not None else (int(clean.argmax()),)
        if any(not 0 <= index < len(clean) for index in chosen):
            raise InvalidRequest(f"classes {chosen}: {network.name} has {len(clean)}, counted from 0")
        used = resolve_layer(network, x, layer) if row.layer else None
        class_score = ClassScore(network, x, chosen, score, _difference(clean, black, chosen, score), used, control)
        maps = row.load()(class_score, settings).detach()
    if not maps.isfinite().all():
        kind = str(network.dtype).removeprefix("torch.")
        raise MethodError(f"{network.name} gave gradients in {kind} that are not finite numbers")
    gaps = class_score.completeness_gaps(maps) if row.complete else None
    return Attribution(maps.float().cpu(), row.signed, chosen, clean.cpu(), used, gaps)


def _check(inputs: Tensor, method: str, score: str) -> None:
    if inputs.dim() != 4 or len(inputs) != 1:
        raise InvalidRequest(f"attribution takes one input (1, 3, h, w), not {tuple(inputs.shape)}")
    if method not in METHODS:
        near = did_you_mean(method, list(METHODS), f"; take one of {', '.join(METHODS)}")
        raise InvalidRequest(f"no method is named {method!r}{near}")
    if score not in SCORES:
        raise InvalidRequest(f"score {score!r}: take one of {', '.join(SCORES)}")


def _logits(network: Network, x: Tensor) -> Tensor:
    """Return logits (classes,). Raises MethodError where they are not finite."""
    with torch.no_grad():
        logits = network(x)[0]
    require_finite(network.name, logits)
    return logits


def _difference(clean: Tensor, black: Tensor, targets: Sequence[int], score: Score) -> Tensor:
    """Return the difference (targets,) of the scores of two inputs' logits (classes,), in float64."""
    scores = class_scores(torch.stack([clean, black]).double(), score)
    return (scores[0] - scores[1])[list(targets)]
