"""Attribution of a class score to the pixels of an input by gradients and other backward passes."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from cnnviz.attribution.catalog import METHODS
from cnnviz.attribution.class_score import SCORES, ClassScore, MethodSettings, Score, class_scores, resolve_targets
from cnnviz.control import Control
from cnnviz.errors import InvalidRequest, MethodError
from cnnviz.models.memory import memory_errors
from cnnviz.models.network import Network, require_finite
from cnnviz.models.result import InputResult
from cnnviz.text import did_you_mean


@dataclass(frozen=True)
class Attribution(InputResult):
    """How much each pixel of an input contributes to the score of each class.

    ``maps`` (targets, h, w) on the network's input, float32; ``signed``: maps have negative values; ``targets``
    class indices; ``clean_logits`` (classes,) of the input; ``layer`` whose feature maps were used; ``gaps``
    (targets,), of complete methods, the relative error of a map's sum against the score's difference from a black
    input; ``method`` and ``score`` as given.
    """

    maps: Tensor
    signed: bool
    targets: tuple[int, ...]
    clean_logits: Tensor
    layer: str | None = None
    gaps: tuple[float, ...] | None = None
    method: str = "grad-cam"
    score: Score = "logit"


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
    ``cnnviz.attribution.methods`` states each method's paper, year and section, and where it departs from them.

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
        with torch.no_grad():
            clean, black = network(x)[0], network(torch.zeros_like(x))[0]
        require_finite(network.name, clean, black)
        chosen = resolve_targets(network, clean, targets)
        used = _resolve_layer(network, x, layer) if row.layer else None
        scores = class_scores(torch.stack([clean, black]).double(), score)[:, list(chosen)]
        class_score = ClassScore(network, x, chosen, score, scores[0] - scores[1], used, control)
        maps = row.load()(class_score, settings).detach()
    if not maps.isfinite().all():
        kind = str(network.dtype).removeprefix("torch.")
        raise MethodError(f"{network.name} gave gradients in {kind} that are not finite numbers")
    gaps = class_score.completeness_gaps(maps) if row.complete else None
    return Attribution(maps.float().cpu(), row.signed, chosen, clean.cpu(), used, gaps, method, score,
                       network=network, inputs=inputs)  # fmt: skip


def _check(inputs: Tensor, method: str, score: str) -> None:
    if inputs.dim() != 4 or len(inputs) != 1:
        raise InvalidRequest(f"attribution takes one input (1, 3, h, w), not {tuple(inputs.shape)}")
    if method not in METHODS:
        near = did_you_mean(method, list(METHODS), f"; take one of {', '.join(METHODS)}")
        raise InvalidRequest(f"no method is named {method!r}{near}")
    if score not in SCORES:
        raise InvalidRequest(f"score {score!r}: take one of {', '.join(SCORES)}")


def _resolve_layer(network: Network, x: Tensor, layer: str | None) -> str:
    """Return the named layer, by default the last with feature maps. Raises InvalidRequest for one without."""
    known = network.map_layers((x.shape[-2], x.shape[-1]))
    if layer is None or layer in known:
        return layer or known[-1]
    if layer in network.layers():
        raise InvalidRequest(f"layer {layer} of {network.name} gives no feature maps")
    near = did_you_mean(layer, known, "; see cnnviz layers")
    raise InvalidRequest(f"{network.name} has no layer {layer!r}{near}")
