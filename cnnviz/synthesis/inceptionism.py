"""Inceptionism: a picture that a network is sure of, made from noise by fixing the label and climbing its logit.

Simonyan, Vedaldi & Zisserman 2014, "Deep Inside Convolutional Networks", section 2, and Mordvintsev, Olah & Tyka 2015,
"Inceptionism" (Google Research blog), section "Enhance whatever it sees": noise, a label, and a prior that keeps
neighbours alike. That is the method "lecture"; its pictures are noise to any other network. Departures of the method
"robust", which other networks recognise: the network is shown random glances at the picture (Olah et al. 2017, "Feature
Visualization", section "Transformation robustness"), blurred now and then; the gradient's bands are made equally
strong and its colours moved as they go together in photographs; and the statistics of every batch normalisation are
pulled towards those of photographs (Yin et al. 2020, "Dreaming to Distill", section 3.2).
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from cnnviz.models.features import LOGITS, FeatureExtractor
from cnnviz.models.network import Network
from cnnviz.synthesis import ascent, objectives, priors
from cnnviz.synthesis.batchnorm_prior import batchnorm_regularized
from cnnviz.synthesis.objectives import Objective

Method = Literal["robust", "lecture"]
Prior = Literal["laplacian", "fourier", "pixels"]
BANDS, COARSER = 4, 1.9  # of the gradient: how many, and how much stronger each is than the next finer one
SIDE = 3 / 2  # of the picture, as a share of what the network is shown at the end
LECTURE_TV = 0.5  # weight of total variation in the lecture's method
GROWTH = (3 / 7, 4 / 7, 5 / 7, 1.0)  # sides of what the network is shown, as shares of its own
GREY = 0.02  # how far each step pulls the picture's mean colour towards grey
LAST = 0.2  # length of the last step, as a share of the first
START = 0.03  # standard deviation of the noise that it begins with
NOISE = 0.05  # and of that on each glance


@dataclass(frozen=True)
class Progress:
    """How far a picture is: ``step`` of ``of``, the class's logit ``value`` before it; ``picture`` gives it."""

    step: int
    of: int
    value: float
    picture: Callable[[], Tensor]


@dataclass(frozen=True)
class ClassVisualization:
    """A ``picture`` (1, 3, size, size), RGB in [0, 1], of class ``target`` after ``done`` of ``of`` steps.

    ``logits`` (classes,) that the network gives it at its own size, ``before`` those of the noise it began as.
    """

    picture: Tensor
    target: int
    logits: Tensor
    before: Tensor
    done: int
    of: int


def inceptionism(
    network: Network,
    *,
    target: int,
    method: Method = "robust",
    prior: Prior = "laplacian",
    size: int | None = None,
    steps: int = 256,
    step_size: float = 0.027,
    statistics_weight: float = 2.0,
    tv_weight: float | None = None,
    decorrelation: float = 0.7,
    zoom: tuple[float, float] = (0.95, 1.8),
    rotate: float = 10.0,
    jitter: int = 0,
    blur: float = 3.0,
    seed: int = 0,
    progress: Callable[[Progress], None] = lambda _: None,
    stop: Callable[[], bool] = ascent.never_stop,
) -> ClassVisualization:
    """Climb the logit of class ``target`` from grey noise, a picture of ``size`` pixels a side.

    By default that is 3/2 of the network's own, for the lecture the network's own. ``steps`` of ``step_size`` of the
    range by root mean square, the last a fifth of the first. ``prior`` says how a gradient becomes a step: "laplacian":
    all its bands equally strong; "fourier": its spectrum divided by the square of the frequency; "pixels": as it is.
    ``statistics_weight``: of the distance from the statistics of photographs; ``tv_weight``: of total variation,
    beside the step, by default 0, for the lecture 0.5; ``decorrelation`` 0 to 1: how much colours move together. Each
    glance is enlarged by ``zoom`` from and to, turned by up to ``rotate`` degrees, shifted within the picture and
    ``jitter`` pixels beyond, every second one blurred by up to ``blur`` pixels. Method "lecture" knows steps of one
    length, total variation and no more. ``stop`` is asked before every step.
    """
    lecture = method == "lecture"
    size = size or round(max(network.size) * (1 if lecture else SIDE))
    tv_weight = (LECTURE_TV if lecture else 0.0) if tv_weight is None else tv_weight
    trunk, generator = FeatureExtractor(network, [LOGITS]), torch.Generator().manual_seed(seed)
    start = (0.5 + START * torch.randn(1, 3, size, size, generator=generator)).clamp_(0, 1).to(network.device)
    shown = tuple((round(network.size[0] * share), round(network.size[1] * share)) for share in GROWTH)
    glances = ascent.RandomTransform(shown, zoom, rotate, NOISE, flip=True, blur=blur, jitter=jitter)
    rule = _lecture(step_size, tv_weight) if lecture else _robust(prior, step_size, tv_weight, decorrelation)

    def tell(step: int, values: Tensor, picture: Tensor) -> None:
        progress(Progress(step, steps, float(values[0]), lambda: picture))

    with batchnorm_regularized(trunk, 0.0 if lecture else statistics_weight):
        climbed = ascent.ascend(
            start, ascent.full_gradient(trunk, Objective((objectives.logit(target),))), rule, steps=steps,
            generator=generator,
            view=None if lecture else glances, progress=tell, stop=stop,
        )  # fmt: skip
    with torch.no_grad():
        before, after = (trunk(ascent.resize(picture, network.size).clamp(0, 1))[LOGITS][0].float().cpu()
                         for picture in (start, climbed.picture))  # fmt: skip
    return ClassVisualization(climbed.picture, target, after, before, climbed.done, steps)


def _lecture(step_size: float, tv_weight: float) -> ascent.Rule:
    def rule(picture: Tensor, slope: Tensor, _share: float) -> Tensor:
        return step_size * (priors.unit(slope) - tv_weight * priors.variation_gradient(picture))

    return rule


def _robust(prior: Prior, step_size: float, tv_weight: float, decorrelation: float) -> ascent.Rule:
    shape: dict[str, Callable[[Tensor], Tensor]] = {
        "laplacian": lambda slope: priors.laplacian_normalize(slope, BANDS, COARSER),
        "fourier": priors.spectral_precondition,
        "pixels": lambda slope: slope,
    }

    def rule(picture: Tensor, slope: Tensor, share: float) -> Tensor:
        step = shape[prior](slope)
        step = priors.correlate_chroma(step, decorrelation) if decorrelation else step
        length = step_size * (1 - (1 - LAST) * share)
        pull = GREY * (0.5 - picture.mean((2, 3), keepdim=True))
        if tv_weight:
            pull = pull - length * tv_weight * priors.variation_gradient(picture)
        return torch.addcmul(pull, step, length / priors.rms(step).clamp(min=1e-30))

    return rule
