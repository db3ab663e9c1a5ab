"""The objective of a spec on an image, with its terms balanced by the strength of their gradients there."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from cnnviz.errors import InvalidRequest, MethodError
from cnnviz.io.convert import Photo, resize_long_side, to_tensor
from cnnviz.models.features import LOGITS, FeatureExtractor
from cnnviz.models.network import Network
from cnnviz.synthesis import objectives, priors
from cnnviz.synthesis.ascent import Gradient, full_gradient
from cnnviz.synthesis.objectives import Objective, Term
from cnnviz.synthesis.spec import ObjectiveSpec
from cnnviz.synthesis.tiled_gradient import tiled_gradient, tiled_maps
from cnnviz.synthesis.transforms import resize

MAX_UNTILED = 1 << 20  # pixels: the gradients of larger images are computed tile by tile, to bound the memory


def make_extractor(network: Network, spec: ObjectiveSpec) -> FeatureExtractor:
    """Return the extractor of the layers that a spec reads, and of the logits if it has classes."""
    logits = [LOGITS] if spec.classes else []
    return FeatureExtractor(network, [*spec.layers, *(name for name, _ in spec.channels), *logits])


def fits_untiled(image: Tensor) -> bool:
    """Return whether the gradient of an image (..., h, w) is computed in one pass."""
    return image.shape[-2] * image.shape[-1] <= MAX_UNTILED


def choose_gradient(extractor: FeatureExtractor, objective: Objective, approximate: bool = False) -> Gradient:
    """Return the gradient: in one pass for small images and for classes, in tiles for larger images.

    ``approximate`` as in ``tiled_gradient``.
    """
    full = full_gradient(extractor, objective)
    if LOGITS in objective.layers:
        return full
    tiled = tiled_gradient(extractor, objective, approximate=approximate)
    return lambda image: (full if fits_untiled(image) else tiled)(image)


def build_objective(
    extractor: FeatureExtractor, spec: ObjectiveSpec, image: Tensor, approximate: bool = False
) -> Objective:
    """Return the objective of a spec for an ascent from an image (1, 3, h, w).

    Of several terms, each is divided by the root mean square of its gradient at the image, so that the weights are
    shares of the step. Raises InvalidRequest for a channel that a layer lacks, MethodError where a gradient is zero.
    """
    terms = _terms(extractor, spec, image, approximate)
    if len(terms) == 1:
        return Objective(tuple(terms))
    units = [Objective((replace(term, weight=1.0),)) for term in terms]
    strengths = [float(priors.rms(choose_gradient(extractor, unit, approximate)(image)[1])) for unit in units]
    for term, strength in zip(terms, strengths, strict=True):
        if strength == 0:
            raise MethodError(f"the gradient of {term.layer}'s term is zero for this image: leave it out")
    return Objective(
        tuple(replace(term, weight=term.weight / strength) for term, strength in zip(terms, strengths, strict=True))
    )


def balance_once(extractor: FeatureExtractor, spec: ObjectiveSpec, first: Tensor) -> Callable[[Tensor], Objective]:
    """Return a function that gives the objective, its terms balanced on ``first`` at the size of its argument.

    All terms have a weight of 1. Used for clips, whose frames must all have the same objective.
    """
    equal = spec.with_equal_weights()
    cache: dict[tuple[int, ...], Objective] = {}

    def objective_at(image: Tensor) -> Objective:
        size = (image.shape[-2], image.shape[-1])
        if size not in cache:
            cache[size] = build_objective(extractor, equal, resize(first.to(image), size).clamp_(0, 1))
        return cache[size]

    return objective_at


def check_channel(number: int, count: int, layer: str) -> None:
    """Raise InvalidRequest for a channel that a layer of ``count`` channels lacks."""
    if number >= count:
        raise InvalidRequest(f"channel {number}: {layer} has {count} channels, 0 to {count - 1}")


def _terms(extractor: FeatureExtractor, spec: ObjectiveSpec, image: Tensor, approximate: bool) -> list[Term]:
    network = extractor.network
    with torch.no_grad():
        guides = [extractor(_guide_tensor(guide, network).to(image)) for guide in spec.guides]
        own = _feature_maps(extractor, image, approximate) if spec.caricature else {}
        small = extractor(resize(image, network.size)) if spec.channels else {}
    terms = [
        _layer_term(name, weight, own, [features[name] for features in guides], spec)
        for name, weight in spec.layers.items()
    ]
    for (name, number), weight in spec.channels.items():
        check_channel(number, small[name].shape[1], name)
        terms.append(objectives.channel(name, number, weight))
    classes = spec.for_network(network).classes
    return terms + [objectives.logit(int(target), weight) for target, weight in classes.items()]


def _guide_tensor(guide: Photo, network: Network) -> Tensor:
    return to_tensor(resize_long_side(guide, max(network.size))).float() / 255


def _layer_term(
    name: str, weight: float, own: Mapping[str, Tensor], guides: Sequence[Tensor], spec: ObjectiveSpec
) -> Term:
    if guides:
        return objectives.guide(name, guides, weight)
    if spec.caricature:
        return objectives.caricature(name, own[name], weight=weight)
    return objectives.layer(name, weight)


def _feature_maps(extractor: FeatureExtractor, image: Tensor, approximate: bool) -> Mapping[str, Tensor]:
    return extractor(image) if fits_untiled(image) else tiled_maps(extractor, image, approximate=approximate)
