"""The objective of a spec on an image, with its terms balanced by the strength of their gradients there."""

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from cnnviz.errors import InvalidRequest, MethodError
from cnnviz.io.convert import resize_long_side, to_tensor
from cnnviz.models.features import LOGITS, FeatureExtractor
from cnnviz.models.network import Network
from cnnviz.synthesis import objectives, priors
from cnnviz.synthesis.ascent import Gradient, full_gradient
from cnnviz.synthesis.objectives import Objective, Term
from cnnviz.synthesis.spec import ObjectiveSpec
from cnnviz.synthesis.tile_plan import TILE
from cnnviz.synthesis.tiled_gradient import tiled_gradient
from cnnviz.synthesis.tiled_maps import TiledMaps
from cnnviz.synthesis.transforms import resize

# The gradients of images of more pixels and more memory than this are computed tile by tile, to bound the memory.
MAX_UNTILED = 1 << 20  # pixels
MAX_ACTIVATIONS = 2 << 30  # bytes of the activations that a gradient needs; its peak is up to a third higher


def make_extractor(network: Network, spec: ObjectiveSpec) -> FeatureExtractor:
    """Return the extractor of the layers that a spec reads, and of the logits if it has classes."""
    logits = [LOGITS] if spec.classes else []
    return FeatureExtractor(network, [*spec.layers, *(name for name, _ in spec.channels), *logits])


def fits_untiled(extractor: FeatureExtractor, image: Tensor) -> bool:
    """Return whether the gradient of an image (..., h, w) is computed in one pass."""
    pixels = image.shape[-2] * image.shape[-1]
    return pixels <= MAX_UNTILED or pixels * extractor.bytes_per_pixel <= MAX_ACTIVATIONS


def choose_gradient(extractor: FeatureExtractor, objective: Objective, approximate: bool = False) -> Gradient:
    """Return the gradient: in one pass for classes and where the memory allows it, otherwise in tiles.

    ``approximate`` as in ``tiled_gradient``.
    """
    full = full_gradient(extractor, objective)
    if LOGITS in objective.layers:
        return full
    tiled = tiled_gradient(extractor, objective, approximate=approximate)
    return lambda image: (full if fits_untiled(extractor, image) else tiled)(image)


def build_objective(
    extractor: FeatureExtractor, spec: ObjectiveSpec, image: Tensor, approximate: bool = False
) -> Objective:
    """Return the objective of a spec for an ascent from an image (1, 3, h, w).

    Of several terms, each is divided by the root mean square of its gradient at the image, so that the weights are
    shares of the step. Raises InvalidRequest for a channel that a layer lacks, MethodError where a gradient is zero.
    """
    terms = _terms(extractor, spec, image, approximate)
    strengths = _strengths(extractor, terms, image, approximate)
    shares = zip(terms, spec.weights, strengths, strict=True)
    return Objective(tuple(replace(term, weight=weight / strength) for term, weight, strength in shares))


def _strengths(extractor: FeatureExtractor, terms: Sequence[Term], image: Tensor, approximate: bool) -> list[float]:
    """Return the root mean square of each term's gradient; 1 of a single term."""
    if len(terms) == 1:
        return [1.0]
    gradients = [choose_gradient(extractor, Objective((term,)), approximate) for term in terms]
    strengths = [float(priors.rms(gradient(image)[1])) for gradient in gradients]
    if 0 in strengths:
        layer = terms[strengths.index(0)].layer
        raise MethodError(f"the gradient of {layer}'s term is zero for this image: leave it out")
    return strengths


class BalancedTerms:
    """The terms of ``spec`` for a clip, whose frames must all have the same objective: balanced on ``first`` alone."""

    def __init__(self, network: Network, spec: ObjectiveSpec, first: Tensor) -> None:
        self.extractor = make_extractor(network, spec)
        self._spec, self._first = spec, first
        self._cache: dict[tuple[int, int], list[Term]] = {}

    def objective(self, image: Tensor, weights: Sequence[float]) -> Objective:
        """Return the weighted terms, balanced at the size of ``image``."""
        size = (image.shape[-2], image.shape[-1])
        if size not in self._cache:
            first = resize(self._first.to(image), size).clamp_(0, 1)
            terms = _terms(self.extractor, self._spec, first, approximate=False)
            strengths = _strengths(self.extractor, terms, first, approximate=False)
            self._cache[size] = [
                replace(term, weight=1 / strength) for term, strength in zip(terms, strengths, strict=True)
            ]
        shares = zip(self._cache[size], weights, strict=True)
        return Objective(tuple(replace(term, weight=term.weight * weight) for term, weight in shares))


def check_objective(network: Network, spec: ObjectiveSpec) -> None:
    """Raise InvalidRequest or MethodError for layers that cannot be maximised."""
    extractor = make_extractor(network, spec)
    grey = torch.full((1, 3, *network.size), 0.5, device=network.device)
    full_gradient(extractor, build_objective(extractor, spec, grey))(grey)


def check_channel(number: int, count: int, layer: str) -> None:
    """Raise InvalidRequest for a channel that a layer of ``count`` channels lacks."""
    if number >= count:
        raise InvalidRequest(f"channel {number}: {layer} has {count} channels, 0 to {count - 1}")


def _terms(extractor: FeatureExtractor, spec: ObjectiveSpec, image: Tensor, approximate: bool) -> list[Term]:
    """Return the terms of a spec in the order of its weights, each with a weight of 1."""
    network = extractor.network
    with torch.no_grad():
        photos = [to_tensor(resize_long_side(guide, max(network.size))).float() / 255 for guide in spec.guides]
        guides = [extractor(photo.to(image)) for photo in photos]
        small = extractor(resize(image, network.size)) if spec.channels else {}
        if not spec.caricature:
            own = {}
        else:
            tile = None if fits_untiled(extractor, image) else TILE
            own = TiledMaps(extractor, (image.shape[-2], image.shape[-1]), tile, approximate).whole_maps(image)
    for name, number in spec.channels:
        check_channel(number, small[name].shape[1], name)
    if guides:
        layers = [objectives.guide(name, [features[name] for features in guides]) for name in spec.layers]
    elif spec.caricature:
        layers = [objectives.caricature(name, own[name]) for name in spec.layers]
    else:
        layers = [objectives.layer(name) for name in spec.layers]
    channels = [objectives.channel(name, number) for name, number in spec.channels]
    return layers + channels + [objectives.logit(int(index)) for index in spec.for_network(network).classes]
