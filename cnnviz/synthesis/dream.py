"""Deep dream: an image changed by gradient ascent to increase the activation of a layer, from coarse to fine.

Mordvintsev, Olah & Tyka 2015, "Inceptionism: Going Deeper into Neural Networks" (Google Research blog), section
"Enhance whatever it sees", and its notebook; the Laplacian bands of the gradient are those of Mordvintsev's later
notebook in TensorFlow (2016). Departures: see ``dream``.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cnnviz.control import Control, Stopped
from cnnviz.errors import MethodError
from cnnviz.io.convert import to_image, to_tensor
from cnnviz.models.features import FeatureExtractor
from cnnviz.models.memory import release_memory
from cnnviz.models.network import Network
from cnnviz.synthesis import priors
from cnnviz.synthesis.ascent import Gradient, OnStep, StepObserver, StepRule, ascend, octave_sizes
from cnnviz.synthesis.balanced_objective import build_objective, choose_gradient, make_extractor
from cnnviz.synthesis.objectives import Objective
from cnnviz.synthesis.spec import ObjectiveSpec, layers_spec
from cnnviz.synthesis.transforms import luminance, resize, scale_size

COARSER = 1.4  # weight of each band of the gradient relative to the next finer one
RESIDUAL = 0.0  # weight of the coarsest residual: the brightness of large areas does not change
COLOR_CELL = 4  # pixels over which the colours of a step are averaged in dreams from noise
NOISE_CORRELATION = 0.7  # power of the colour covariance in dreams from noise: 1 is close to grey there
MIN_SIDE = 64  # pixels of an octave's shorter side
COMPUTE_SIZE = 1600  # pixels of the longer side at which a photo's change is computed at most

Pixels = NDArray[np.uint8]


@dataclass(frozen=True)
class DreamSettings:
    """How a dream is optimised.

    ``octaves`` sizes, each ``octave_scale`` times the one before, with ``steps`` steps each; a step has a root mean
    square of ``step_size`` (range 0 to 1) and is computed at the image shifted by up to ``jitter`` pixels;
    ``tv_weight``: strength of the gradient of total variation relative to the step's; ``strength``: factor of the
    change added to the image; ``original_colors``: change the brightness alone; ``smooth_colors``: average the colours
    of a step over 4 x 4 pixels, for dreams from noise, which otherwise have coloured grain; ``approximate_tiles``: as
    in ``tiled_gradient``. ``compute_size``: longer side in pixels at which the change of a larger image is computed; it
    is then enlarged and added to the image's own pixels. "full": the image's own size, as always in clips.
    """

    steps: int = 10
    octaves: int = 4
    octave_scale: float = 1.4
    jitter: int = 16
    step_size: float = 0.015
    tv_weight: float = 0.0
    strength: float = 1.0
    original_colors: bool = False
    smooth_colors: bool = False
    approximate_tiles: bool = False
    compute_size: int | Literal["full"] = COMPUTE_SIZE


@dataclass(frozen=True)
class DreamResult:
    """The dream: ``tensor`` (1, 3, H, W), RGB in [0, 1], after ``done`` of ``of`` steps.

    ``objective``: what was maximised; ``sizes`` (h, w) of the octaves; ``values``: the objective before the last step
    of each octave that was started.
    """

    tensor: Tensor
    objective: ObjectiveSpec
    done: int
    of: int
    sizes: tuple[tuple[int, int], ...]
    values: tuple[float, ...]

    @property
    def image(self) -> Pixels:
        """The dream, uint8 RGB (H, W, 3)."""
        return to_image(self.tensor)


def dream(
    network: Network,
    image: Pixels | Tensor,
    layers: str | Iterable[str] | Mapping[str, float] = (),
    *,
    objective: ObjectiveSpec | None = None,
    settings: DreamSettings = DreamSettings(),
    mask: Tensor | None = None,
    seed: int = 0,
    control: Control = Control(),
    on_step: OnStep | None = None,
) -> DreamResult:
    """Change an image to increase the activation of layers; the result has the image's own size.

    Parameters
    ----------
    network : Network
    image : ndarray or Tensor
        uint8 RGB (H, W, 3), or a tensor (1, 3, H, W), uint8 or in [0, 1].
    layers : str, iterable of str, or mapping of str to float, default ()
        A name, names, or names with weights; by default the network's in ``synthesis.spec.DREAM_LAYERS``.
    objective : ObjectiveSpec, optional
        In place of ``layers``; it allows channels, classes, guides and caricatures.
    settings : DreamSettings, default DreamSettings()
        Steps, octaves, jitter and the like.
    mask : Tensor, shape (1, 1, H, W), optional
        0 to 1: where the image may change.
    seed : int, default 0
        Seeds the random shifts.
    control : Control, default Control()
        Gets the progress; once ``control.stopped()`` the result so far is returned.
    on_step : callable, optional
        Called after every step with an ``AscentStep``.

    Returns
    -------
    DreamResult
        ``image``, uint8 RGB (H, W, 3), and ``tensor`` (1, 3, H, W), RGB in [0, 1].

    Raises
    ------
    InvalidRequest
        For a layer, channel or class that the network lacks.
    MethodError
        If the gradient is zero.

    Notes
    -----
    Gradient ascent from coarse to fine [1]_, on Laplacian bands of the gradient as in Mordvintsev's notebook in
    TensorFlow (2016). Departures: a step is scaled by its root mean square and moves colours as they are correlated in
    photos, coarse bands weigh more than fine ones, and values outside [0, 1] are clamped.

    References
    ----------
    .. [1] Mordvintsev, Olah & Tyka, "Inceptionism: Going Deeper into Neural Networks", Google Research blog, 2015,
       section "Enhance whatever it sees", and its notebook.

    Examples
    --------
    >>> photo = cnnviz.read_photo("sample_images/coffee.jpg")
    >>> image = cnnviz.dream(cnnviz.load_network(), photo, "blocks.4", settings=cnnviz.DreamSettings(steps=2)).image
    """
    spec = layers_spec(layers, network.name) if objective is None else objective
    spec = spec.for_network(network)
    extractor = make_extractor(network, spec)
    base = (to_tensor(image) if isinstance(image, np.ndarray) else image).to(network.device)
    objective_at = partial(build_objective, extractor, spec, approximate=settings.approximate_tiles)
    tensor, done, sizes, values = dream_octaves(
        extractor, objective_at, base, settings, seed, mask, StepObserver(control, on_step)
    )
    return DreamResult(tensor, spec, done, settings.steps * len(sizes), tuple(sizes), tuple(values))


def dream_octaves(
    extractor: FeatureExtractor,
    objective_at: Callable[[Tensor], Objective],
    base: Tensor,
    settings: DreamSettings,
    seed: int,
    mask: Tensor | None = None,
    observer: StepObserver = StepObserver(),
) -> tuple[Tensor, int, list[tuple[int, int]], list[float]]:
    """Return the dream over ``base`` (1, 3, H, W), uint8 or in [0, 1], the steps done, octave sizes and values.

    ``objective_at`` returns the objective for an ascent from an image (1, 3, h, w).
    """
    photo, full_size = base, bounded_size((base.shape[-2], base.shape[-1]), settings.compute_size)
    base = photo if full_size == tuple(photo.shape[-2:]) else _scaled_base(photo, full_size)
    generator = torch.Generator().manual_seed(seed)
    sizes = octave_sizes(full_size, settings.octaves, settings.octave_scale, MIN_SIDE)
    detail = base.new_zeros((*base.shape[:2], *sizes[0]), dtype=torch.float32)
    done, values = 0, []

    def render(image: Tensor) -> Tensor:
        change = image - _scaled_base(base, (image.shape[-2], image.shape[-1]))
        return composite(photo, change, settings, mask)

    for index, size in enumerate(sizes):
        try:
            with observer.stopping():
                objective = objective_at(_scaled_base(base, size))
        except Stopped:
            break
        gradient = choose_gradient(extractor, objective, settings.approximate_tiles)
        allowed = None if mask is None else (resize(mask.to(base.device), size) > 0).float()
        result = ascend(
            resize(detail, size).add_(_scaled_base(base, size)).clamp_(0, 1),
            jitter_gradient(gradient, settings.jitter, generator),
            _step_rule(settings, allowed),
            steps=settings.steps,
            generator=generator,
            observer=replace(observer, render=render).at_size(sizes, [settings.steps] * len(sizes), index),
            inplace=True,
        )
        detail, done = result.tensor - _scaled_base(base, size), done + result.done
        values += [] if result.values is None else [float(result.values[0])]
        del result
    return composite(photo, detail, settings, mask), done, sizes, values


def bounded_size(size: tuple[int, int], longest: int | Literal["full"]) -> tuple[int, int]:
    """Return a size (h, w) with a longer side of at most ``longest`` pixels."""
    return size if longest == "full" else scale_size(size, min(1.0, longest / max(size)))


def jitter_gradient(gradient: Gradient, limit: int, generator: torch.Generator) -> Gradient:
    """Return the gradient at the image rolled by up to ``limit`` pixels along both axes, at random each time.

    So that the network's stride leaves no pattern. A large image is rolled in place, and back, without copies.
    """

    def at_rolled(image: Tensor) -> tuple[Tensor, Tensor]:
        dy, dx = torch.randint(-limit, limit + 1, (2,), generator=generator).tolist()
        if image[0].numel() <= priors.MAX_COPIED:
            values, grad = gradient(image.roll((dy, dx), (2, 3)))
            return values, grad.roll((-dy, -dx), (2, 3))
        try:
            values, grad = gradient(_roll_(image, dy, dx))
        finally:  # a step may be given up
            _roll_(image, -dy, -dx)
        return values, _roll_(grad, -dy, -dx)

    return at_rolled


def _roll_(image: Tensor, dy: int, dx: int) -> Tensor:
    for plane in torch.split(image, 1, 1):
        plane.copy_(plane.roll((dy, dx), (2, 3)))
    return image


def _scaled_base(base: Tensor, size: tuple[int, int]) -> Tensor:
    """Return the image, uint8 or in [0, 1], at a size, in [0, 1]. Recomputed each time, to save memory."""
    values = base.float().div_(255) if base.dtype == torch.uint8 else base.float()
    return values if size == tuple(base.shape[-2:]) else resize(values, size).clamp_(0, 1)


def _step_rule(settings: DreamSettings, allowed: Tensor | None) -> StepRule:
    smooth = partial(priors.correlate_chroma, power=NOISE_CORRELATION, cell=COLOR_CELL)
    correlate = smooth if settings.smooth_colors else priors.correlate_colors

    def rule(image: Tensor, gradient: Tensor, _share: float) -> Tensor:
        if not gradient.any():
            raise MethodError("the objective's gradient is zero for this image: take another layer or channel")
        if gradient[0].numel() <= priors.MAX_COPIED:
            bands = priors.laplacian_normalize(gradient, COARSER, RESIDUAL)
            step = priors.unit(correlate(bands))
        else:
            bands = priors.laplacian_normalize_(gradient, COARSER, RESIDUAL)
            step = priors.unit_(correlate(bands) if settings.smooth_colors else priors.correlate_colors_(bands))
            release_memory()
        if settings.tv_weight:
            step.sub_(priors.variation_gradient(image), alpha=settings.tv_weight)
        return step.mul_(settings.step_size if allowed is None else settings.step_size * allowed)

    return rule


def composite(base: Tensor, change: Tensor, settings: DreamSettings, mask: Tensor | None) -> Tensor:
    """Return images in [0, 1]: ``base`` plus the change times ``strength`` within the mask, clamped.

    ``base`` (1, 3, H, W) is uint8 or in [0, 1], ``change`` (1, 3, h, w) of any size, the mask (1, 1, H, W). With
    ``original_colors`` the change is reduced to its brightness.
    """
    if settings.original_colors:
        change = luminance(change).expand_as(change)
    result = torch.empty(base.shape, device=base.device)
    for own, change_plane, plane in zip(*(torch.split(each, 1, 1) for each in (base, change, result)), strict=True):
        added = resize(change_plane, (base.shape[-2], base.shape[-1]))  # a plane at a time, to save memory
        added = added if mask is None else mask.to(added) * added
        torch.add(_scaled_base(own, (own.shape[-2], own.shape[-1])), added, alpha=settings.strength, out=plane)
    return result.clamp_(0, 1)
