"""Feature visualization: images, optimised from noise, that maximise a layer's channels, units or directions.

Olah, Mordvintsev & Schubert 2017, "Feature Visualization" (Distill), sections "Optimization objectives", "Diversity"
and "The enemy of feature visualization". Departures: see ``visualize``.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cnnviz.control import Control
from cnnviz.errors import InvalidRequest
from cnnviz.io.convert import to_image
from cnnviz.models.features import FeatureExtractor
from cnnviz.models.network import Network
from cnnviz.models.result import NetworkResult
from cnnviz.synthesis import ascent, objectives, priors
from cnnviz.synthesis.balanced_objective import check_channel
from cnnviz.synthesis.objectives import Objective, Term
from cnnviz.synthesis.transforms import RandomTransform

DEFAULT_CHANNELS = 9  # channels visualized if none is given
COARSER = 1.5  # weight of each band of the gradient relative to the next finer one
COLOR_CORRELATION = 0.7  # power of the colour covariance's root: 1 is close to grey, 0 garish
COLOR_CELL = 2  # pixels over which the colours of a step are averaged: without, they have grain
GROWTH = (4 / 7, 11 / 14, 1.0)  # sides of the views over the ascent, relative to the image

Unit = Literal["channel", "neuron", "direction"]
Position = tuple[int, int] | Literal["middle"]


@dataclass(frozen=True)
class VisualizeSettings:
    """How features are visualized.

    ``diversity`` images of each unit, ``size`` pixels a side, repel one another with ``diversity_weight`` relative to
    the objective; ``steps`` of ``step_size`` (root mean square, range 0 to 1), the last a fifth of the first;
    ``tv_weight``: strength of the gradient of total variation relative to a step.
    """

    diversity: int = 1
    diversity_weight: float = 0.5
    size: int = 224
    steps: int = 96
    step_size: float = 0.017
    tv_weight: float = 0.0


@dataclass(frozen=True)
class Visualization(NetworkResult):
    """Images of units of ``layer`` after ``done`` of ``of`` steps: ``tensor`` (units, diversity, 3, h, w), in [0, 1].

    ``values`` (units, diversity): the objective before the last step. ``channels``: the unit's channel each; those of
    the one direction if ``unit`` is "direction". Units that were not started when the work was stopped are left out.
    """

    tensor: Tensor
    values: Tensor
    layer: str
    unit: Unit
    channels: tuple[int, ...]
    done: int
    of: int

    @property
    def images(self) -> list[list[NDArray[np.uint8]]]:
        """For each unit its images, uint8 RGB (h, w, 3)."""
        return [[to_image(image) for image in row] for row in self.tensor]

    @property
    def image(self) -> NDArray[np.uint8]:
        """All images in one: a row for each unit with several, otherwise a grid as high as wide, white at its end."""
        units, diversity = self.tensor.shape[:2]
        columns = diversity if diversity > 1 else math.ceil(math.sqrt(units))
        tiles = self.tensor.flatten(0, 1)
        tiles = torch.cat([tiles, tiles.new_ones(-len(tiles) % columns, *tiles.shape[1:])])
        grid = tiles.view(-1, columns, *tiles.shape[1:]).permute(2, 0, 3, 1, 4)  # channels, rows, y, columns, x
        return to_image(grid.flatten(3, 4).flatten(1, 2))


def visualize(
    network: Network,
    layer: str,
    channels: Sequence[int] | None = None,
    *,
    position: Position | None = None,
    direction: Mapping[int, float] | None = None,
    settings: VisualizeSettings = VisualizeSettings(),
    seed: int = 0,
    control: Control = Control(),
    on_step: ascent.OnStep | None = None,
) -> Visualization:
    """Make images that maximise channels, units or a direction of a layer, from noise.

    Parameters
    ----------
    network : Network
    layer : str
        A name of ``network.layers()``.
    channels : sequence of int, optional
        Channels to maximise; by default the first nine.
    position : tuple of int or "middle", optional
        (y, x) on the map: one unit of each channel. By default the mean of the channel's map.
    direction : mapping of int to float, optional
        Weights by channel: the one direction of these channels, in place of channels.
    settings : VisualizeSettings, default VisualizeSettings()
        Diversity, size in pixels, steps and total variation.
    seed : int, default 0
        Seeds the noise and the random views.
    control : Control, default Control()
        Gets the progress; once ``control.stopped()`` the result so far is returned.
    on_step : callable, optional
        Called after every step with an ``AscentStep``, the images of the current unit.

    Returns
    -------
    Visualization
        ``images``: for each unit its images, uint8 RGB (h, w, 3), which do not depend on the other units.

    Raises
    ------
    InvalidRequest
        For a layer without feature maps, an unknown channel, and ``direction`` together with channels or a position.

    Notes
    -----
    Departures from [1]_: pixels are optimised, not Fourier coefficients; in place of preconditioning, the bands of the
    gradient have equal strength and correlated colours; the views shown to the network grow over the ascent.

    References
    ----------
    .. [1] Olah, Mordvintsev & Schubert, "Feature Visualization", Distill, 2017, sections "Optimization objectives",
       "Diversity" and "The enemy of feature visualization".

    Examples
    --------
    >>> settings = cnnviz.VisualizeSettings(steps=8, size=96)
    >>> found = cnnviz.visualize(cnnviz.load_network(), "blocks.4", [3, 20], settings=settings)
    >>> found.images[0][0].shape
    (96, 96, 3)
    """
    if direction and (channels or position):
        raise InvalidRequest("a direction excludes channels and a position")
    extractor = FeatureExtractor(network, [layer])
    count = channel_count(network, layer)
    numbers = tuple(direction or channels or range(min(count, DEFAULT_CHANNELS)))
    for number in numbers:
        check_channel(number, count, layer)
    if direction:
        terms = [direction_term(layer, direction, count)]
    elif position:
        terms = [objectives.neuron(layer, number, None if position == "middle" else position) for number in numbers]
    else:
        terms = [objectives.channel(layer, number) for number in numbers]
    results: list[ascent.AscentResult] = []
    for index, term in enumerate(terms):
        if results and control.stopped():
            break
        observer = ascent.StepObserver(control, on_step, index * settings.steps, len(terms) * settings.steps)
        results.append(_maximise(extractor, term, settings, seed, observer))
    zeros = torch.zeros(settings.diversity)
    values = torch.stack([zeros if result.values is None else result.values.cpu() for result in results])
    tensor = torch.stack([result.tensor for result in results])
    unit: Unit = "direction" if direction else "neuron" if position else "channel"
    shown = numbers if direction else numbers[: len(results)]
    done = sum(result.done for result in results)
    return Visualization(tensor, values, layer, unit, shown, done, len(terms) * settings.steps, network=network)


def _maximise(
    extractor: FeatureExtractor, term: Term, settings: VisualizeSettings, seed: int, observer: ascent.StepObserver
) -> ascent.AscentResult:
    generator = torch.Generator().manual_seed(seed)
    start = ascent.smooth_noise((settings.size, settings.size), generator, settings.diversity)

    def rule(image: Tensor, gradient: Tensor, share: float) -> Tensor:
        bands = priors.laplacian_normalize(gradient, COARSER)
        step = priors.unit(priors.correlate_chroma(bands, COLOR_CORRELATION, COLOR_CELL))
        if settings.tv_weight:
            step = step - settings.tv_weight * priors.variation_gradient(image)
        return ascent.shrinking_step_size(settings.step_size, share) * step + ascent.pull_to_grey(image)

    return ascent.ascend(
        start.to(extractor.network.device),
        _diverse_gradient(extractor, term, settings.diversity_weight if settings.diversity > 1 else 0),
        rule,
        steps=settings.steps,
        generator=generator,
        view=RandomTransform(tuple((round(settings.size * share),) * 2 for share in GROWTH)),
        observer=observer,
    )


def direction_term(layer: str, weights: Mapping[int, float], count: int) -> Term:
    """Return the objective of a direction among a layer's ``count`` channels; weights that are not given are 0."""
    vector = torch.zeros(count)
    for number, weight in weights.items():
        vector[number] = weight
    return objectives.direction(layer, vector / vector.norm())


def channel_count(network: Network, layer: str) -> int:
    """Return how many channels a layer has. Raises InvalidRequest for one without feature maps."""
    with torch.no_grad():
        activation = FeatureExtractor(network, [layer])(torch.full((1, 3, *network.size), 0.5))[layer]
    if activation.dim() != 4:
        scores = activation.shape == (1, len(network.classes))
        hint = "; for classes: cnnviz inceptionism --class NAME|INDEX" if scores else ""
        raise InvalidRequest(f"layer {layer} gives no feature maps (channels, rows, columns){hint}")
    return activation.shape[1]


def _diverse_gradient(extractor: FeatureExtractor, term: Term, weight: float) -> ascent.Gradient:
    """Return the gradient of a term plus that of the batch's diversity, scaled to ``weight`` times the first's norm.

    The values are those of the term alone.
    """
    main = ascent.full_gradient(extractor, Objective((term,)))
    if not weight:
        return main
    apart = ascent.full_gradient(extractor, Objective((objectives.diversity(term.layer),)))

    def gradient(images: Tensor) -> tuple[Tensor, Tensor]:
        values, grad = main(images)
        return values, grad + weight * priors.rms(grad) * priors.unit(apart(images)[1])

    return gradient
