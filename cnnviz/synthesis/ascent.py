"""Gradient ascent on an image: the loop, its octaves, its start from noise, and its shrinking steps.

Deep dream, class visualization and feature visualization all run ``ascend`` with a gradient, a view and a step rule
of their own. Images are RGB (N, 3, h, w), float32 in [0, 1].
"""

import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn import functional as F

from cnnviz.control import Control, Stopped
from cnnviz.errors import MethodError
from cnnviz.models.stopping import stop_between_layers
from cnnviz.synthesis.objectives import Objective

# Images (N, 3, h, w) -> the activation of each layer by name, differentiable: a FeatureExtractor.
Extractor = Callable[[Tensor], Mapping[str, Tensor]]
# Images -> the objective's values (N,) and their gradient, shaped like the images.
Gradient = Callable[[Tensor], tuple[Tensor, Tensor]]
# Images, the share of the steps that is done, a generator -> what the network is shown, differentiable.
View = Callable[[Tensor, float, torch.Generator], Tensor]
# Images, their gradient, the share of the steps that is done -> the step to add.
StepRule = Callable[[Tensor, Tensor, float], Tensor]

CELL = 16  # pixels of a cell of smooth noise
NOISE_STD = 0.03  # standard deviation of the noise that an ascent from grey starts with
LAST_STEP = 0.2  # length of the last step as a share of the first, where steps shrink
GREY_PULL = 0.02  # share by which each step moves an image's mean colour towards grey


@dataclass(frozen=True)
class AscentResult:
    """The ``tensor`` (N, 3, h, w), RGB in [0, 1], after ``done`` steps.

    ``values`` (N,): the objective before the last step; None if no step was done.
    """

    tensor: Tensor
    done: int
    values: Tensor | None


@dataclass(frozen=True)
class AscentStep:
    """Progress of an optimisation: ``step`` of ``of`` is done, counted from 1.

    ``value``: the objective before that step, averaged over a batch; ``tensor()`` returns the current result,
    (N, 3, H, W) in [0, 1].
    """

    step: int
    of: int
    value: float
    tensor: Callable[[], Tensor]


OnStep = Callable[[AscentStep], None]


@dataclass(frozen=True)
class StepObserver:
    """Reports each step of one ascent to ``control`` and ``on_step``, numbered within a longer computation.

    ``before``: steps of earlier ascents; ``of``: steps of all, by default this ascent's. Where sizes differ, and so the
    cost of a step, the control gets pixels in place of steps: ``pixels_before`` and ``pixels_of``, both summed over
    steps. ``quantity``: name of the objective in the progress text; ``render`` makes the tensor that
    ``AscentStep.tensor`` returns.
    """

    control: Control = Control()
    on_step: OnStep | None = None
    before: int = 0
    of: int | None = None
    pixels_before: int = 0
    pixels_of: int | None = None
    quantity: str = "objective"
    render: Callable[[Tensor], Tensor] | None = None

    def at_size(self, sizes: Sequence[tuple[int, int]], steps: Sequence[int], index: int) -> "StepObserver":
        """Return the observer of the ascent number ``index`` of several, one for each size (h, w), one after another.

        ``steps`` of each.
        """
        pixels = [height * width * count for (height, width), count in zip(sizes, steps, strict=True)]
        return replace(
            self, before=sum(steps[:index]), of=sum(steps), pixels_before=sum(pixels[:index]), pixels_of=sum(pixels)
        )

    def stopping(self) -> AbstractContextManager[None]:
        """Return a context in which passes are given up, by Stopped, once the control asks to stop."""
        return stop_between_layers(self.control)

    def __call__(self, step: int, steps: int, values: Tensor, image: Tensor) -> None:
        """Report ``step`` of the ascent's ``steps``, the values (N,) before it and the image after it."""
        done, total, value = self.before + step, self.of or steps, float(values.mean())
        text = f"{self.quantity} {value:.4g}"
        if self.pixels_of is None:
            self.control.report(done, total, text)
        else:
            pixels = self.pixels_before + step * image.shape[-2] * image.shape[-1]
            self.control.report(pixels, self.pixels_of, f"step {done} of {total}, {text}")
        if self.on_step:
            self.on_step(AscentStep(done, total, value, lambda: self.render(image) if self.render else image))


def ascend(
    image: Tensor,
    gradient: Gradient,
    rule: StepRule,
    *,
    steps: int,
    generator: torch.Generator,
    view: View | None = None,
    observer: StepObserver = StepObserver(),
    inplace: bool = False,
) -> AscentResult:
    """Do ``steps`` steps of gradient ascent; values outside [0, 1] are clamped.

    The gradient is taken at the ``view`` of the image and propagated back through it. ``observer`` is called after
    each step; ``observer.control.stopped`` is asked before each, and between its layers: a step that has begun is given
    up. The same generator (on the CPU) gives the same result. With ``inplace`` the image itself is changed. Raises
    MethodError if the objective is not finite.
    """
    values = None
    for done in range(steps):
        if observer.control.stopped():
            return AscentResult(image, done, values)
        share = done / steps
        with torch.enable_grad():
            x = image.detach().requires_grad_(view is not None)
            shown = view(x, share, generator) if view else x
        try:
            with observer.stopping():
                at_step, grad = gradient(shown.detach())
        except Stopped:
            return AscentResult(image, done, values)
        values = at_step
        if view:
            (grad,) = torch.autograd.grad(shown, x, grad)
        if not torch.isfinite(values).all():
            raise MethodError("the objective is not a finite number: are these the network's weights?")
        image = torch.add(image, rule(image, grad, share), out=image if inplace else None).clamp_(0, 1)
        del grad  # frees the memory that the gradient of a large image takes
        observer(done + 1, steps, values, image)
    return AscentResult(image, steps, values)


def full_gradient(extractor: Extractor, objective: Objective) -> Gradient:
    """Return the gradient of an objective by one pass over the whole image."""

    def gradient(image: Tensor) -> tuple[Tensor, Tensor]:
        with torch.enable_grad():
            x = image.detach().requires_grad_()
            values = objective(extractor(x))
            (grad,) = torch.autograd.grad(values.sum(), x)
        return values.detach(), grad

    return gradient


def octave_sizes(size: tuple[int, int], octaves: int, scale: float, smallest: int) -> list[tuple[int, int]]:
    """Return the sizes (h, w) of octaves, smallest first, ``size`` last, each ``scale`` times the one before.

    Octaves with a side below ``smallest`` pixels are left out.
    """
    sizes = [(round(size[0] / scale**level), round(size[1] / scale**level)) for level in reversed(range(octaves))]
    return [octave for octave in sizes if min(octave) >= smallest or octave == size]


def grey_noise(size: tuple[int, int], generator: torch.Generator, count: int = 1, std: float = NOISE_STD) -> Tensor:
    """Return grey images (count, 3, h, w) with Gaussian noise of a standard deviation."""
    return (0.5 + std * torch.randn(count, 3, *size, generator=generator)).clamp_(0, 1)


def smooth_noise(size: tuple[int, int], generator: torch.Generator, count: int = 1) -> Tensor:
    """Return grey images (count, 3, h, w) with noise of brightness in cells of CELL pixels: the start from nothing.

    An ascent never removes the noise of single pixels.
    """
    cells = torch.randn(count, 1, *(math.ceil(side / CELL) for side in size), generator=generator)
    noise = F.interpolate(cells, size, mode="bicubic", align_corners=False)
    return (0.5 + NOISE_STD * noise).clamp_(0, 1).expand(-1, 3, -1, -1).contiguous()


def shrinking_step_size(step_size: float, share: float, last: float = LAST_STEP) -> float:
    """Return the step size after a ``share`` of the steps: it falls linearly to ``last`` of the first."""
    return step_size * (1 - (1 - last) * share)


def pull_to_grey(image: Tensor) -> Tensor:
    """Return the part of a step, (N, 3, 1, 1), that moves the mean colour of images (N, 3, h, w) towards grey."""
    return GREY_PULL * (0.5 - image.mean((2, 3), keepdim=True))
