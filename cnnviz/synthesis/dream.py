"""Deep dream: a picture changed so that a layer answers more strongly to it.

Mordvintsev, Olah & Tyka 2015, "Inceptionism: Going Deeper into Neural Networks" (Google Research blog), section
"Enhance whatever it sees", and the notebook beside it; the bands of the gradient are those of Mordvintsev's later
notebook in TensorFlow (2016). Departures: the step is by root mean square and moves the colours as they go together
in photographs, coarse bands count more than fine ones, and what leaves [0, 1] is clamped.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import torch
from torch import Tensor

from cnnviz.errors import MethodError
from cnnviz.models.features import FeatureExtractor
from cnnviz.models.network import Network, release_memory
from cnnviz.synthesis import ascent, priors
from cnnviz.synthesis.objectives import Objective
from cnnviz.synthesis.spec import Made, ObjectiveSpec, balance_once, build_objective, choose_gradient, fits_untiled
from cnnviz.video.coherence import FrameStylizer as FrameDream

BANDS, COARSER = 4, 1.4  # of the gradient: how many, and how much stronger each is than the next finer one
RESIDUAL = 0.0  # of what is coarser still: the brightness of large areas stays as it is
LEAST = 64  # pixels of an octave's shorter side
LUMA = (0.299, 0.587, 0.114)  # brightness of red, green and blue, as in JPEG
START = 0.03  # standard deviation of the noise that a dream from nothing begins with


@dataclass(frozen=True)
class Progress:
    """How far a dream is: ``step`` of ``of``, in ``octave`` from 0, and the objective's ``value`` before that step.

    ``picture`` makes the dream as it is at that moment, (1, 3, H, W) in [0, 1].
    """

    step: int
    of: int
    octave: int
    value: float
    picture: Callable[[], Tensor]


@dataclass(frozen=True)
class DreamResult:
    """A ``picture`` (1, 3, H, W), RGB in [0, 1], after ``done`` of ``of`` steps.

    ``sizes`` (h, w) of the octaves; ``values`` of the objective before the last step of each octave that was begun.
    """

    picture: Tensor
    done: int
    of: int
    sizes: tuple[tuple[int, int], ...]
    values: tuple[float, ...]


def grey_noise(size: tuple[int, int], seed: int = 0) -> Tensor:
    """Return a grey picture (1, 3, h, w) with a little noise, for a dream that begins with nothing."""
    generator = torch.Generator().manual_seed(seed)
    return (0.5 + START * torch.randn(1, 3, *size, generator=generator)).clamp_(0, 1)


def dream(
    network: Network,
    inputs: Tensor,
    *,
    aim: ObjectiveSpec,
    steps: int = 10,
    octaves: int = 4,
    octave_scale: float = 1.4,
    jitter: int = 16,
    step_size: float = 0.015,
    tv_weight: float = 0.0,
    strength: float = 1.0,
    original_colors: bool = False,
    seed: int = 0,
    mask: Tensor | None = None,
    gradient: Callable[[FeatureExtractor, Objective], ascent.Gradient] | None = None,
    approx: bool = False,
    made: Made | None = None,
    progress: Callable[[Progress], None] = lambda _: None,
    stop: Callable[[], bool] = ascent.never_stop,
) -> DreamResult:
    """Dream over a picture (1, 3, H, W), RGB in [0, 1] or bytes, at its own size.

    From the smallest of ``octaves`` to the picture's size, each ``octave_scale`` times the one before, ``steps`` steps
    a octave. A step is ``step_size`` of the range by root mean square; the picture is rolled by up to ``jitter``
    pixels in each. ``tv_weight`` smooths: the strength of total variation's gradient beside the step's. What was
    dreamt is added to the picture ``strength`` times, where ``mask`` (1, 1, H, W), 0 to 1, lets it, by its brightness
    alone with ``original_colors``. ``gradient`` makes the gradient of an objective, by default ``fitting``, which
    ``approx`` is for. ``made`` is the aim's trunk and objectives where they are there already. ``stop`` is asked before
    every step. Raises MethodError where nothing in the picture moves the aim.
    """
    base, gradient = inputs.to(network.device), gradient or partial(choose_gradient, approx=approx)
    if made is None:
        own = FeatureExtractor(network, aim.names)
        made = own, lambda seen: build_objective(own, aim, seen, gradient, approx)
    trunk, climbed_at = made
    generator = torch.Generator().manual_seed(seed)
    sizes = ascent.octave_sizes((base.shape[-2], base.shape[-1]), octaves, octave_scale, LEAST)
    dreamt = base.new_zeros((*base.shape[:2], *sizes[0]), dtype=torch.float32)
    done, values = 0, []

    def laid(picture: Tensor) -> Tensor:
        detail = picture - _photo(base, (picture.shape[-2], picture.shape[-1]))
        return composite(_photo(base, sizes[-1]), ascent.resize(detail, sizes[-1]), strength, original_colors, mask)

    for octave, size in enumerate(sizes):
        if stop():
            break
        where = None if mask is None else (ascent.resize(mask.to(base.device), size) > 0).float()
        slope = gradient(trunk, climbed_at(_photo(base, size)))
        climbed = ascent.ascend(
            ascent.resize(dreamt, size).add_(_photo(base, size)).clamp_(0, 1),
            ascent.jitter_view(slope, jitter, generator), _rule(step_size, tv_weight, where),
            steps=steps, generator=generator, stop=stop, inplace=True,
            progress=_told(progress, laid, done, steps * len(sizes), octave),
        )  # fmt: skip
        dreamt, done = climbed.picture - _photo(base, size), done + climbed.done
        values += [] if climbed.values is None else [float(climbed.values[0])]
        del climbed
    full = ascent.resize(dreamt, sizes[-1])
    del dreamt
    picture = composite(_photo(base, sizes[-1]), full, strength, original_colors, mask)
    return DreamResult(picture, done, steps * len(sizes), tuple(sizes), tuple(values))


def _photo(base: Tensor, size: tuple[int, int]) -> Tensor:
    """Return the photo, bytes or in [0, 1], at a size, in [0, 1]; of a large one the bytes alone are kept."""
    values = base.float().div_(255) if base.dtype == torch.uint8 else base.float()
    return values if size == tuple(base.shape[-2:]) else ascent.resize(values, size).clamp_(0, 1)


def _told(
    progress: Callable[[Progress], None], laid: Callable[[Tensor], Tensor], before: int, of: int, octave: int
) -> Callable[[int, Tensor, Tensor], None]:
    def tell(step: int, values: Tensor, picture: Tensor) -> None:
        progress(Progress(before + step, of, octave, float(values[0]), lambda: laid(picture)))

    return tell


def _rule(step_size: float, tv_weight: float, where: Tensor | None) -> ascent.Rule:
    def rule(picture: Tensor, slope: Tensor, _share: float) -> Tensor:
        if not slope.any():
            raise MethodError("nothing in this picture moves what is dreamt of: take another layer or channel")
        if fits_untiled(slope):
            step = priors.unit(priors.correlate_colors(priors.laplacian_normalize(slope, BANDS, COARSER, RESIDUAL)))
        else:
            step = priors.unit_(priors.natural_colours_(priors.even_(slope, BANDS, COARSER, RESIDUAL)))
            release_memory()
        if tv_weight:
            step.sub_(priors.variation_gradient(picture), alpha=tv_weight)
        return step.mul_(step_size if where is None else step_size * where)

    return rule


def composite(base: Tensor, dreamt: Tensor, strength: float, original_colors: bool, mask: Tensor | None) -> Tensor:
    """Return a picture (1, 3, H, W) with what was dreamt added, as ``dream`` says; where the mask is 0 it is itself."""
    if original_colors:
        luma = torch.tensor(LUMA, device=base.device).view(1, 3, 1, 1)
        dreamt = (luma * dreamt).sum(1, keepdim=True)
    if mask is not None:
        dreamt = mask.to(base) * dreamt
    return torch.add(base, dreamt, alpha=strength).clamp_(0, 1)


def frame_stylizer(
    network: Network, first: Tensor, aim_at: Callable[[int], ObjectiveSpec], *, seed: int = 0, **settings: Any
) -> FrameDream:
    """Return the dream of a clip's frames, for ``film`` and ``zoom``; it goes on from the picture it is given.

    ``first``, (1, 3, H, W), is the clip's first picture: where there are several terms, the strength of each is taken
    from it once. ``aim_at`` gives the aim of a frame by its number: the same terms, with other weights or layers.
    ``settings`` are those of ``dream``. Each frame has a seed of its own, so that it needs no memory of others.
    """
    known: dict[tuple[str, ...], Made] = {}

    def next_frame(start: Tensor, _frame: Tensor, steps: int, number: int) -> Tensor:
        aim = aim_at(number)
        key = tuple(aim.layers)
        if key not in known:
            own = FeatureExtractor(network, aim.names)
            known[key] = own, balance_once(own, aim, first)
        trunk, even = known[key]
        weights = [*aim.layers.values(), *aim.channels.values(), *aim.classes.values()]

        def weighted(picture: Tensor) -> Objective:
            terms = zip(even(picture).terms, weights, strict=True)
            return Objective(tuple(replace(term, weight=term.weight * weight) for term, weight in terms))

        made = trunk, weighted
        return dream(network, start, aim=aim, steps=steps, seed=seed + number, made=made, **settings).picture

    return next_frame
