"""Deep dream over the frames of a clip: the stylizer, and layers that follow one another."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from cnnviz.io.convert import Photo, to_tensor
from cnnviz.models.features import FeatureExtractor
from cnnviz.models.network import Network
from cnnviz.synthesis.ascent import full_gradient
from cnnviz.synthesis.balanced_objective import balance_once, build_objective, make_extractor
from cnnviz.synthesis.dream import DreamSettings, OctaveAscent
from cnnviz.synthesis.objectives import Objective
from cnnviz.synthesis.spec import ObjectiveSpec
from cnnviz.synthesis.zoom import crossfade
from cnnviz.video.coherence import CoherenceSettings

RENEW_SHARE = 1 / 5  # of the steps, for a frame that continues from the last one

ObjectiveAt = Callable[[int], ObjectiveSpec]


@dataclass(frozen=True)
class LayerSequence:
    """Layers of ``spec`` that follow one another over ``frames`` frames, each fading into the next."""

    spec: ObjectiveSpec
    frames: int

    def __call__(self, number: int) -> ObjectiveSpec:
        """Return the objective of frame ``number``, counted from 0."""
        shares = crossfade(len(self.spec.layers), number / max(self.frames - 1, 1))
        weights = zip(self.spec.layers, shares, strict=True)
        return replace(self.spec, layers={name: weight for name, weight in weights if weight > 0})


class DreamStylizer:
    """A FrameStylizer that dreams over each frame.

    ``first`` (1, 3, H, W): the first frame, on which the gradients of several terms are balanced once. ``objective_at``
    returns the objective of a frame: the same channels and classes, with other weights or layers. Each frame has a seed
    of its own, so that the result does not depend on other calls; only the extractors are kept.
    """

    def __init__(
        self,
        network: Network,
        first: Tensor,
        objective_at: ObjectiveAt,
        settings: DreamSettings = DreamSettings(),
        seed: int = 0,
    ) -> None:
        self._network, self._first, self._objective_at = network, first, objective_at
        self._settings, self._seed = settings, seed
        self._balanced: dict[tuple[str, ...], tuple[FeatureExtractor, Callable[[Tensor], Objective]]] = {}

    def __call__(self, start: Tensor, _frame: Tensor, steps: int, number: int, /) -> Tensor:
        """Return ``start`` after ``steps`` steps in each octave."""
        spec = self._objective_at(number)
        key = tuple(spec.layers)
        if key not in self._balanced:
            extractor = make_extractor(self._network, spec)
            self._balanced[key] = extractor, balance_once(extractor, spec, self._first)
        extractor, balanced = self._balanced[key]

        def weighted(image: Tensor) -> Objective:
            terms = zip(balanced(image).terms, spec.weights, strict=True)
            return Objective(tuple(term * weight for term, weight in terms))

        settings = replace(self._settings, steps=steps)
        tensor, *_ = OctaveAscent(extractor, weighted, settings, self._seed + number)(start)
        return tensor


def make_stylizer(
    network: Network, first: Photo, spec: ObjectiveSpec, settings: DreamSettings, seed: int = 0, sequence_over: int = 0
) -> DreamStylizer:
    """Return the stylizer of a clip whose first frame is ``first``, uint8 (H, W, 3).

    With ``sequence_over``, a number of frames, the layers of ``spec`` follow one another over them; they are checked
    before the first frame. Raises InvalidRequest or MethodError for layers that cannot be maximised.
    """
    spec = spec.for_network(network)
    if sequence_over:
        check_layers(network, spec)
    objective_at = LayerSequence(spec, sequence_over) if sequence_over else lambda _: spec
    return DreamStylizer(network, unit_tensor(first, network), objective_at, settings, seed)


def check_layers(network: Network, spec: ObjectiveSpec) -> None:
    """Raise InvalidRequest or MethodError for layers that cannot be maximised."""
    extractor = make_extractor(network, spec)
    grey = torch.full((1, 3, *network.size), 0.5, device=network.device)
    full_gradient(extractor, build_objective(extractor, spec, grey))(grey)


def coherence_settings(steps: int) -> CoherenceSettings:
    """Return how a dream of ``steps`` steps is carried from frame to frame."""
    return CoherenceSettings(steps, max(1, round(steps * RENEW_SHARE)))


def unit_tensor(image: Photo, network: Network) -> Tensor:
    """Return an image as (1, 3, H, W) in [0, 1] on the network's device."""
    return to_tensor(image).to(network.device).float().div_(255)
