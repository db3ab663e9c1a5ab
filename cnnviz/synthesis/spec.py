"""What a dream climbs: layers, channels and classes with their weights, balanced on a picture; over a clip too."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from cnnviz.errors import InvalidRequest, MethodError
from cnnviz.models.features import LOGITS, FeatureExtractor
from cnnviz.synthesis import ascent, objectives, priors, tiled_gradient
from cnnviz.synthesis.objectives import Objective, Term

WHOLE = 1 << 20  # pixels: larger pictures are seen tile by tile, so that memory stays flat


@dataclass(frozen=True)
class ObjectiveSpec:
    """What to dream of: layers, channels and classes with their weights.

    ``layers`` by name, as a whole; ``channels`` of layers as (layer, number); ``classes`` by index. With ``guides``
    (1, 3, h, w) each, the layers climb towards those; with ``caricature`` towards the photo's own features.
    """

    layers: Mapping[str, float]
    channels: Mapping[tuple[str, int], float]
    classes: Mapping[int, float]
    guides: Sequence[Tensor] = ()
    caricature: bool = False

    @property
    def names(self) -> list[str]:
        """What is read of the network: layers, and LOGITS where there are classes."""
        logits = [LOGITS] if self.classes else []
        return list(dict.fromkeys([*self.layers, *(name for name, _ in self.channels), *logits]))


# A trunk, and what gives the objective for a picture (1, 3, h, w): made once for the many frames of a clip.
Made = tuple[FeatureExtractor, Callable[[Tensor], Objective]]


def choose_gradient(trunk: FeatureExtractor, objective: Objective, approx: bool = False) -> ascent.Gradient:
    """Return the gradient that takes small pictures whole, larger ones in tiles; classes, which have none, whole.

    ``approx`` as in ``tiling.tiled``.
    """
    plain = ascent.full_gradient(trunk, objective)
    if LOGITS in objective.layers:
        return plain
    tiled = tiled_gradient.tiled_gradient(trunk, objective, approx=approx)
    return lambda picture: (plain if fits_untiled(picture) else tiled)(picture)


def fits_untiled(picture: Tensor) -> bool:
    """Tell whether a picture (..., h, w) is seen whole."""
    return picture.shape[-2] * picture.shape[-1] <= WHOLE


def build_objective(
    trunk: FeatureExtractor,
    aim: ObjectiveSpec,
    picture: Tensor,
    gradient: Callable[[FeatureExtractor, Objective], ascent.Gradient] = choose_gradient,
    approx: bool = False,
) -> Objective:
    """Return what to climb from a picture (1, 3, h, w).

    Where there are several terms, each is divided by the root mean square of its gradient there, so that the
    weights are shares of the step and not of values that cannot be compared.
    """
    with torch.no_grad():
        seen = [trunk(guide.to(picture)) for guide in aim.guides]
        own = _maps(trunk, picture, approx) if aim.caricature else {}
        few = trunk(ascent.resize(picture, trunk.network.size)) if aim.channels else {}
    terms = [_of_layer(name, weight, own, [given[name] for given in seen], aim) for name, weight in aim.layers.items()]
    for (name, number), weight in aim.channels.items():
        if number >= (count := few[name].shape[1]):
            raise InvalidRequest(f"channel {number}: {name} has {count}, counted from 0")
        terms.append(objectives.channel(name, number, weight))
    terms += [objectives.logit(target, weight) for target, weight in aim.classes.items()]
    return Objective(tuple(_balanced(trunk, picture, terms, gradient)))


def _of_layer(name: str, weight: float, own: Mapping[str, Tensor], guides: list[Tensor], aim: ObjectiveSpec) -> Term:
    if guides:
        return objectives.guide(name, guides, weight)
    if aim.caricature:
        return objectives.caricature(name, own[name], weight=weight)
    return objectives.layer(name, weight)


def _maps(trunk: FeatureExtractor, picture: Tensor, approx: bool = False) -> Mapping[str, Tensor]:
    return trunk(picture) if fits_untiled(picture) else tiled_gradient.tiled_maps(trunk, picture, approx=approx)


def _balanced(
    trunk: FeatureExtractor,
    picture: Tensor,
    terms: list[Term],
    gradient: Callable[[FeatureExtractor, Objective], ascent.Gradient],
) -> list[Term]:
    if len(terms) == 1:
        return terms
    alone = [Objective((replace(term, weight=1.0),)) for term in terms]
    strengths = [float(priors.rms(gradient(trunk, one)(picture)[1])) for one in alone]
    for term in (term for term, own in zip(terms, strengths, strict=True) if own == 0):
        raise MethodError(f"nothing in this picture moves what is dreamt of in {term.layer}: leave it out")
    return [replace(term, weight=term.weight / own) for term, own in zip(terms, strengths, strict=True)]


def balance_once(trunk: FeatureExtractor, aim: ObjectiveSpec, first: Tensor) -> Callable[[Tensor], Objective]:
    """Return what gives the objective whose terms all weigh 1, balanced on ``first`` at a picture's size."""
    even = replace(
        aim,
        layers=dict.fromkeys(aim.layers, 1.0),
        channels=dict.fromkeys(aim.channels, 1.0),
        classes=dict.fromkeys(aim.classes, 1.0),
    )
    known: dict[tuple[int, ...], Objective] = {}

    def at(picture: Tensor) -> Objective:
        size = tuple(picture.shape[-2:])
        if size not in known:
            known[size] = build_objective(
                trunk, even, ascent.resize(first.to(picture), (size[0], size[1])).clamp_(0, 1)
            )
        return known[size]

    return at
