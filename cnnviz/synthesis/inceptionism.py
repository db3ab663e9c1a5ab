"""Class visualization: an image that a network assigns to a class, optimised from grey to maximise the class logit.

Simonyan, Vedaldi & Zisserman 2014, "Deep Inside Convolutional Networks", section 2, and Mordvintsev, Olah & Tyka 2015,
"Inceptionism" (Google Research blog), section "Enhance whatever it sees". The methods and their departures: see
``inceptionism``.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cnnviz.control import Control
from cnnviz.io.convert import to_image
from cnnviz.models.features import LOGITS, FeatureExtractor
from cnnviz.models.network import Network
from cnnviz.models.result import NetworkResult
from cnnviz.synthesis import ascent, class_step, objectives, priors
from cnnviz.synthesis.batchnorm_prior import batchnorm_regularized
from cnnviz.synthesis.objectives import Objective
from cnnviz.synthesis.transforms import RandomTransform, resize

Method = Literal["robust", "plain"]
Preconditioner = Literal["laplacian", "fourier", "pixels"]

ROBUST_SIDE = 3 / 2  # side of the image relative to the network's input
PLAIN_TV = 0.5  # default weight of total variation in the plain method
GROWTH = (3 / 7, 4 / 7, 5 / 7, 1.0)  # sides of the views over the ascent, relative to the network's input
LAST_STEP = 0.17  # length of a step before the last ones as a share of the first
VIEW_NOISE = 0.05  # standard deviation of the noise on each view


@dataclass(frozen=True)
class ClassSettings:
    """How a class is visualized.

    ``size``: pixels a side, by default 3/2 of the network's input ("plain": the input itself); ``steps`` of
    ``step_size`` (root mean square, range 0 to 1), which falls; ``tv_weight``: strength of total
    variation relative to a step, by default 0 ("plain": 0.5). The other settings are for the method "robust":
    ``preconditioner`` of the gradient: "laplacian" (bands of equal strength), "fourier" (spectrum divided by the
    squared frequency) or "pixels" (none); ``batchnorm_weight`` of the batch-norm statistics loss;
    ``color_correlation``: how much less green against purple varies than blue against yellow, 0 as much, 1 as in
    photos; views are scaled by ``zoom`` (from, to),
    rotated by up to ``rotate`` degrees, shifted by ``jitter`` pixels beyond the borders and blurred by up to ``blur``
    pixels.
    """

    method: Method = "robust"
    preconditioner: Preconditioner = "laplacian"
    size: int | None = None
    steps: int = 512
    step_size: float = 0.021
    batchnorm_weight: float = 2.0
    tv_weight: float | None = None
    color_correlation: float = 0.85
    zoom: tuple[float, float] = (0.95, 1.7)
    rotate: float = 10.0
    jitter: int = 0
    blur: float = 3.0


@dataclass(frozen=True)
class ClassVisualization(NetworkResult):
    """An image of class ``target``: ``tensor`` (1, 3, size, size), RGB in [0, 1], after ``done`` of ``of`` steps.

    ``logits`` (classes,) of the image at the network's input size, ``start_logits`` of what it started as.
    """

    tensor: Tensor
    target: int
    logits: Tensor
    start_logits: Tensor
    done: int
    of: int

    @property
    def image(self) -> NDArray[np.uint8]:
        """The image, uint8 RGB (size, size, 3)."""
        return to_image(self.tensor)

    @property
    def probability(self) -> float:
        """The network's probability of the class."""
        return float(self.logits.double().softmax(0)[self.target])

    @property
    def start_probability(self) -> float:
        """The network's probability of the class for the grey or noise that the ascent started from."""
        return float(self.start_logits.double().softmax(0)[self.target])


def inceptionism(
    network: Network,
    target: int | str,
    *,
    settings: ClassSettings = ClassSettings(),
    seed: int = 0,
    control: Control = Control(),
    on_step: ascent.OnStep | None = None,
) -> ClassVisualization:
    """Make an image that maximises the logit of a class, from grey.

    Parameters
    ----------
    network : Network
    target : int or str
        The class, an index or a name.
    settings : ClassSettings, default ClassSettings()
        The method, "robust" or "plain", size, steps and priors.
    seed : int, default 0
        Seeds, together with the class, the noise and the random views.
    control : Control, default Control()
        Gets the progress; once ``control.stopped()`` the result so far is returned.
    on_step : callable, optional
        Called after every step with an ``AscentStep``.

    Returns
    -------
    ClassVisualization
        ``image``, uint8 RGB (size, size, 3), with the class's ``probability``.

    Raises
    ------
    InvalidRequest
        For a class that the network lacks.

    Notes
    -----
    "plain" is pixels, a label and total variation, as in [1]_ and [2]_; other networks see only noise in its images.
    "robust", whose images other networks recognise, starts from plain grey and adds random views [3]_, every second one
    blurred, a gradient preconditioned along the axes of photographs' colours, the batch-norm statistics loss of [4]_,
    and colours filtered with the brightness as the guide [5]_.

    References
    ----------
    .. [1] Simonyan, Vedaldi & Zisserman, "Deep Inside Convolutional Networks", 2014, section 2.
    .. [2] Mordvintsev, Olah & Tyka, "Inceptionism", Google Research blog, 2015, section "Enhance whatever it sees".
    .. [3] Olah et al., "Feature Visualization", 2017, section "Transformation robustness".
    .. [4] Yin et al., "Dreaming to Distill", 2020, section 3.2.
    .. [5] He, Sun & Tang, "Guided Image Filtering", PAMI 2013, section 3.

    Examples
    --------
    >>> settings = cnnviz.ClassSettings(steps=16)
    >>> image = cnnviz.inceptionism(cnnviz.load_network(), "banana", settings=settings).image  # (336, 336, 3)
    """
    index = network.class_index(str(target))
    plain = settings.method == "plain"
    side = settings.size or round(max(network.size) * (1 if plain else ROBUST_SIDE))
    extractor, generator = FeatureExtractor(network, [LOGITS]), torch.Generator().manual_seed(class_seed(seed, index))
    start = ascent.grey_noise((side, side), generator, std=ascent.NOISE_STD if plain else 0.0).to(network.device)
    height, width = network.size
    sizes = tuple((round(height * share), round(width * share)) for share in GROWTH)
    view = RandomTransform(
        sizes, settings.zoom, settings.rotate, VIEW_NOISE, flip=True, blur=settings.blur, jitter=settings.jitter
    )
    with batchnorm_regularized(extractor, 0.0 if plain else settings.batchnorm_weight):
        result = ascent.ascend(
            start,
            ascent.full_gradient(extractor, Objective((objectives.logit(index),))),
            _plain_rule(settings) if plain else _robust_rule(settings),
            steps=settings.steps,
            generator=generator,
            view=None if plain else view,
            observer=ascent.StepObserver(control, on_step, quantity="logit"),
        )
    with torch.no_grad():
        start_logits, logits = (
            extractor(resize(image, network.size).clamp(0, 1))[LOGITS][0].float().cpu()
            for image in (start, result.tensor)
        )
    return ClassVisualization(result.tensor, index, logits, start_logits, result.done, settings.steps, network=network)


def class_seed(seed: int, index: int) -> int:
    """Return the seed of a class's image: images of one ``seed`` do not share their random numbers."""
    return int(np.random.SeedSequence((seed, index)).generate_state(1)[0])


def _plain_rule(settings: ClassSettings) -> ascent.StepRule:
    tv_weight = PLAIN_TV if settings.tv_weight is None else settings.tv_weight

    def rule(image: Tensor, gradient: Tensor, _share: float) -> Tensor:
        return settings.step_size * (priors.unit(gradient) - tv_weight * priors.variation_gradient(image))

    return rule


def _robust_rule(settings: ClassSettings) -> ascent.StepRule:
    def rule(image: Tensor, gradient: Tensor, share: float) -> Tensor:
        step = class_step.class_step(gradient, settings.preconditioner, settings.color_correlation)
        length = class_step.step_length(settings.step_size, share, LAST_STEP)
        step = length * step + ascent.pull_to_grey(image)
        if settings.tv_weight:
            step = step - length * settings.tv_weight * priors.variation_gradient(image)
        if round(share * settings.steps) % class_step.FILTER_EVERY == class_step.FILTER_EVERY - 1:
            step = class_step.bound_colors(image + step) - image
        return step

    return rule
