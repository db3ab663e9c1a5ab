"""Style transfer at several sizes, from coarse to fine: large strokes are found on the small image, and then refined.

Gatys, Bethge, Hertzmann & Shechtman 2017, "Controlling Perceptual Factors in Neural Style Transfer", section 6. Images
are RGB (1, 3, h, w) in [0, 1].
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from cnnviz.control import Stopped
from cnnviz.synthesis.ascent import StepObserver
from cnnviz.synthesis.descent import EPSILON, RATE, ImageLoss, Optimizer, Roll, optimize
from cnnviz.synthesis.transforms import resize, scale_size

Size = tuple[int, int]
# The content and the styles at one size, the rolls -> the loss there.
MakeLoss = Callable[[Tensor, Sequence[Tensor], Sequence[Roll]], ImageLoss]
# The content and the styles at one size -> a new image, whose changes are carried from size to size.
MakeStart = Callable[[Tensor, Sequence[Tensor]], Tensor]

JITTER = 8  # pixels of the largest roll, so that the network's stride leaves no pattern


@dataclass(frozen=True)
class Schedule:
    """Sizes and steps: each size ``factor`` times the one before, the longer side of the first at least ``smallest``.

    ``steps`` at the last size, ``growth`` times as many at each coarser one, at most twice as many; ``rate``,
    ``epsilon`` and ``smoothing`` of Adam as in ``optimize``; ``rolls``: how many random rolls of the image;
    ``style_scale``: longer side of the styles relative to the image's.
    """

    steps: int = 100
    factor: float = 1.7
    smallest: int = 160
    growth: float = 1.4
    rate: float = RATE
    epsilon: float = EPSILON
    smoothing: float = 0.0
    rolls: int = 8
    optimizer: Optimizer = "adam"
    style_scale: float = 1.0

    def sizes(self, size: Size) -> list[Size]:
        """Return the sizes (h, w) up to ``size``, smallest first."""
        sizes = [size]
        while (side := round(max(size) / self.factor ** len(sizes))) >= self.smallest:
            sizes.insert(0, scale_size(size, side / max(size)))
        return sizes

    def steps_at(self, sizes: int) -> list[int]:
        """Return the steps at each of so many sizes, smallest first."""
        return [round(self.steps * min(2.0, self.growth**level)) for level in reversed(range(sizes))]

    def total(self, image: Tensor) -> int:
        """Return the steps at all sizes up to that of an image."""
        return sum(self.steps_at(len(self.sizes((image.shape[-2], image.shape[-1])))))

    def draw_rolls(self, size: Size, generator: torch.Generator) -> tuple[Roll, ...]:
        """Return the rolls for an image of ``size``: at most an eighth of it; none for L-BFGS, which needs one loss."""
        limit = min(JITTER, min(size) // 8)
        if not limit or self.optimizer == "lbfgs":
            return ((0, 0),)
        drawn = torch.randint(-limit, limit + 1, (self.rolls, 2), generator=generator).tolist()
        return tuple((dy, dx) for dy, dx in drawn)


@dataclass(frozen=True)
class SizeResult:
    """What was done at one ``size`` (h, w): the loss before each of its steps."""

    size: Size
    losses: tuple[float, ...]


def coarse_to_fine(
    content: Tensor,
    styles: Sequence[Tensor],
    make_loss: MakeLoss,
    make_start: MakeStart,
    schedule: Schedule = Schedule(),
    *,
    generator: torch.Generator,
    observer: StepObserver = StepObserver(),
) -> tuple[Tensor, list[SizeResult]]:
    """Minimise a loss at all sizes up to that of ``content``; return the image and what was done at each size.

    Each size begins with its own start plus what the one before has changed, so that fine detail of the content is
    there from the first step. A stopped computation returns the image at the size that it has reached.
    """
    sizes = schedule.sizes((content.shape[-2], content.shape[-1]))
    steps, change, done = schedule.steps_at(len(sizes)), content, list[SizeResult]()
    for index, (size, count) in enumerate(zip(sizes, steps, strict=True)):
        small, scaled = scale_image(content, size), scale_styles(styles, size, schedule.style_scale)
        base = make_start(small, scaled).clamp_(0, 1)
        try:
            with (observer if done else StepObserver()).stopping():
                loss = make_loss(small, scaled, schedule.draw_rolls(size, generator))
        except Stopped:
            break
        result = optimize(
            resize(change, size).add(base).clamp_(0, 1) if done else base,
            loss,
            count,
            generator=generator,
            rate=schedule.rate,
            epsilon=schedule.epsilon,
            smoothing=schedule.smoothing,
            optimizer=schedule.optimizer,
            observer=observer.at_size(sizes, steps, index),
        )
        image, change = result.tensor, base.neg_().add_(result.tensor)
        done.append(SizeResult(size, result.values))
    return image, done


def scale_styles(styles: Sequence[Tensor], size: Size, style_scale: float) -> list[Tensor]:
    """Return styles with a longer side ``style_scale`` times that of ``size``, in [0, 1]."""
    sides = [(style.shape[-2], style.shape[-1]) for style in styles]
    factors = [max(size) * style_scale / max(side) for side in sides]
    scaled = [scale_size(side, factor) for side, factor in zip(sides, factors, strict=True)]
    return [scale_image(style, side) for style, side in zip(styles, scaled, strict=True)]


def scale_image(image: Tensor, size: Size) -> Tensor:
    """Return an image at a size (h, w), in [0, 1]; one of that size is not copied."""
    return image if tuple(image.shape[-2:]) == size else resize(image, size).clamp_(0, 1)
