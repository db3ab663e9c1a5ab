"""Feature visualization: pictures that a layer's channels, units or directions answer to most.

Olah, Mordvintsev & Schubert 2017, "Feature Visualization" (Distill), sections "Optimization objectives", "Diversity"
and "The enemy of feature visualization". Departures: pixels are climbed, not Fourier coefficients: the gradient's bands
are made equally strong instead, and its colours moved as they go together in photographs; what the network is shown
grows over the ascent.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from cnnviz.errors import InvalidRequest
from cnnviz.models.features import FeatureExtractor
from cnnviz.models.network import Network
from cnnviz.synthesis import ascent, objectives, priors
from cnnviz.synthesis.objectives import Objective, Term

BANDS, COARSER = 4, 1.5  # of the gradient: how many, and how much stronger each is than the next finer one
COLOURS = 0.7  # power of the root of the colours' covariance: 1 is close to grey, 0 garish
GROWTH = (4 / 7, 11 / 14, 1.0)  # sides of what the network is shown, as shares of the picture's
GREY = 0.02  # how far each step pulls a picture's mean colour towards grey
LAST = 0.2  # length of the last step, as a share of the first
START = 0.03  # standard deviation of the noise that it begins with
POWER = 1.0  # of the cosine that keeps to a direction


@dataclass(frozen=True)
class Progress:
    """How far all pictures are: ``step`` of ``of``, and the objective's ``value`` before it.

    ``pictures`` (N, 3, h, w): those of the term that is climbed, in [0, 1].
    """

    step: int
    of: int
    value: float
    pictures: Tensor


@dataclass(frozen=True)
class Visualization:
    """Pictures (terms, diversity, 3, h, w), RGB in [0, 1], and the objective's ``values`` (terms, diversity).

    Those that were not begun when the work was stopped are left out; ``done`` of ``of`` steps are done.
    """

    pictures: Tensor
    values: Tensor
    done: int
    of: int


def channel_terms(layer: str, numbers: Sequence[int], position: tuple[int, int] | str | None = None) -> list[Term]:
    """Return what to climb for channels of a layer: their whole maps, or one unit of each.

    ``position`` (y, x) on the map of a glance, or "middle".
    """
    if position is None:
        return [objectives.channel(layer, number) for number in numbers]
    place = None if isinstance(position, str) else position
    return [objectives.neuron(layer, number, place) for number in numbers]


def direction_term(trunk: FeatureExtractor, layer: str, weights: Mapping[int, float]) -> Term:
    """Return what to climb for a direction in a layer's channels, given by its weights; all others are 0."""
    vector = torch.zeros(channel_count(trunk, layer))
    for number, weight in weights.items():
        check_channel(number, len(vector), layer)
        vector[number] = weight
    return objectives.direction(layer, vector / vector.norm(), POWER)


def channel_count(trunk: FeatureExtractor, layer: str) -> int:
    """Return how many channels a layer has. Raises UsageMistake for one without feature maps."""
    with torch.no_grad():
        out = trunk(torch.full((1, 3, *trunk.network.size), 0.5))[layer]
    if out.dim() != 4:
        raise InvalidRequest(f"layer {layer} gives no feature maps (channels, rows, columns)")
    return out.shape[1]


def check_channel(number: int, of: int, layer: str) -> None:
    """Raise UsageMistake for a channel that a layer lacks."""
    if number >= of:
        raise InvalidRequest(f"channel {number}: {layer} has {of} channels, 0 to {of - 1}")


def visualize(
    network: Network,
    *,
    layer: str,
    terms: Callable[[FeatureExtractor], Sequence[Term]],
    diversity: int = 1,
    diversity_weight: float = 0.5,
    size: int = 224,
    steps: int = 96,
    step_size: float = 0.017,
    tv_weight: float = 0.0,
    seed: int = 0,
    gradient: Callable[[FeatureExtractor, Objective], ascent.Gradient] = ascent.full_gradient,
    progress: Callable[[Progress], None] = lambda _: None,
    stop: Callable[[], bool] = ascent.never_stop,
) -> Visualization:
    """Return pictures of ``size`` pixels a side that each of some terms of a layer is largest for.

    From grey noise in ``steps`` steps, the first ``step_size`` of the range by root mean square, the last a fifth of
    it; in each the network sees a random part of the picture, turned a little. ``diversity`` pictures of each term
    climb away from each other, by ``diversity_weight`` of the objective. ``tv_weight`` smooths: the strength of total
    variation's gradient beside the step's. A term's pictures do not depend on the other terms.
    """
    trunk = FeatureExtractor(network, [layer])
    wanted = terms(trunk)
    view = ascent.RandomTransform(tuple((round(size * share),) * 2 for share in GROWTH))
    found: list[ascent.AscentResult] = []
    for number, term in enumerate(wanted):
        if found and stop():
            break
        generator = torch.Generator().manual_seed(seed)
        slope = _apart(gradient, trunk, term, diversity_weight if diversity > 1 else 0)
        start = (0.5 + START * torch.randn(diversity, 3, size, size, generator=generator)).clamp(0, 1)

        def tell(step: int, values: Tensor, pictures: Tensor, before: int = number * steps) -> None:
            progress(Progress(before + step, len(wanted) * steps, float(values.mean()), pictures))

        found.append(ascent.ascend(
            start.to(network.device), slope, _rule(step_size, tv_weight), steps=steps, generator=generator, view=view,
            progress=tell, stop=stop,
        ))  # fmt: skip
    values = [torch.zeros(diversity) if climb.values is None else climb.values.cpu() for climb in found]
    pictures = torch.stack([climb.picture for climb in found])
    return Visualization(pictures, torch.stack(values), sum(climb.done for climb in found), len(wanted) * steps)


def _apart(
    gradient: Callable[[FeatureExtractor, Objective], ascent.Gradient],
    trunk: FeatureExtractor,
    term: Term,
    weight: float,
) -> ascent.Gradient:
    """Return the gradient of a term with the batch's pictures climbing apart, whatever the sizes of the two values.

    The gradient of the second is scaled to ``weight`` times the first's; the values are those of the term alone.
    """
    climb = gradient(trunk, Objective((term,)))
    if not weight:
        return climb
    leave = gradient(trunk, Objective((objectives.diversity(term.layer),)))

    def both(pictures: Tensor) -> tuple[Tensor, Tensor]:
        values, slope = climb(pictures)
        return values, slope + weight * priors.rms(slope) * priors.unit(leave(pictures)[1])

    return both


def _rule(step_size: float, tv_weight: float) -> ascent.Rule:
    def rule(picture: Tensor, slope: Tensor, share: float) -> Tensor:
        step = priors.unit(priors.correlate_colors(priors.laplacian_normalize(slope, BANDS, COARSER), COLOURS))
        if tv_weight:
            step = step - tv_weight * priors.variation_gradient(picture)
        pull = GREY * (0.5 - picture.mean((2, 3), keepdim=True))
        return step_size * (1 - (1 - LAST) * share) * step + pull

    return rule
