"""Climbing a gradient in a picture: octaves, what is looked at in each step, and the steps themselves.

Everything that makes pictures by ascent shares this: a gradient, a view, a rule. Pictures are RGB (N, 3, h, w) in
[0, 1].
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from cnnviz.errors import MethodError
from cnnviz.synthesis.objectives import Objective
from cnnviz.synthesis.priors import COPIED

# A picture (N, 3, h, w) -> what each layer gives, by name, differentiable: a Trunk.
Layers = Callable[[Tensor], Mapping[str, Tensor]]
# A picture -> the objective's values (N,) and their gradient, like the picture.
Gradient = Callable[[Tensor], tuple[Tensor, Tensor]]
# A picture, the share of the steps that is done, a generator -> what the network is shown, differentiable.
View = Callable[[Tensor, float, torch.Generator], Tensor]
# A picture, its gradient, the share of the steps that is done -> the step to add.
Rule = Callable[[Tensor, Tensor, float], Tensor]


@dataclass(frozen=True)
class AscentResult:
    """What came of an ascent: ``picture`` (N, 3, h, w), steps ``done``, the ``values`` (N,) before the last of them.

    ``values`` is None where no step was done.
    """

    picture: Tensor
    done: int
    values: Tensor | None


def never_stop() -> bool:
    """Do not stop."""
    return False


def full_gradient(trunk: Layers, objective: Objective) -> Gradient:
    """Return the gradient of an objective by one pass over the whole picture."""

    def gradient(picture: Tensor) -> tuple[Tensor, Tensor]:
        with torch.enable_grad():
            x = picture.detach().requires_grad_()
            values = objective(trunk(x))
            (found,) = torch.autograd.grad(values.sum(), x)
        return values.detach(), found

    return gradient


def octave_sizes(size: tuple[int, int], octaves: int, scale: float, least: int = 32) -> list[tuple[int, int]]:
    """Return the sizes (h, w) of octaves, smallest first, ``size`` last, each ``scale`` times the one before.

    Fewer than ``octaves`` where a side would fall below ``least`` pixels.
    """
    sizes = [(round(size[0] / scale**level), round(size[1] / scale**level)) for level in reversed(range(octaves))]
    return [small for small in sizes if min(small) >= least or small == size]


def resize(picture: Tensor, size: tuple[int, int]) -> Tensor:
    """Return a picture (N, 3, h, w) at another size (h, w): bicubic, with antialiasing where it shrinks."""
    if tuple(picture.shape[-2:]) == size:
        return picture
    return F.interpolate(picture, size, mode="bicubic", antialias=True, align_corners=False)


def jitter_view(gradient: Gradient, most: int, generator: torch.Generator) -> Gradient:
    """Return the gradient as seen with the picture rolled by up to ``most`` pixels down or up and across, each anew.

    So that the network's own grid leaves no marks. A large picture is rolled in place, and back, without copies.
    """

    def rolled(picture: Tensor) -> tuple[Tensor, Tensor]:
        down, across = torch.randint(-most, most + 1, (2,), generator=generator).tolist()
        if picture[0].numel() <= COPIED:
            values, slope = gradient(picture.roll((down, across), (2, 3)))
            return values, slope.roll((-down, -across), (2, 3))
        values, slope = gradient(_roll(picture, down, across))
        _roll(picture, -down, -across)
        return values, _roll(slope, -down, -across)

    return rolled


def _roll(picture: Tensor, down: int, across: int) -> Tensor:
    for plane in torch.split(picture, 1, 1):
        plane.copy_(plane.roll((down, across), (2, 3)))
    return picture


@dataclass(frozen=True)
class RandomTransform:
    """The view of a random part of the picture: nearer or further, shifted within it, turned, with a little noise.

    What answers to all of them is a thing in the picture and no accident of its pixels. ``sizes`` (h, w) of what the
    network is shown, one after the other over the ascent; ``zoom`` from and to: above 1 a part, below 1 all and a
    mirrored border; ``angle`` in degrees either way; ``noise`` its standard deviation; ``flip`` whether left and right
    change places at random; ``blur`` the largest deviation, in pixels shown, of a Gaussian that every second glance
    is blurred with; ``jitter`` pixels of the picture that a glance may be shifted by beyond that.
    """

    sizes: tuple[tuple[int, int], ...]
    zoom: tuple[float, float] = (0.95, 1.6)
    angle: float = 10.0
    noise: float = 0.03
    flip: bool = False
    blur: float = 0.0
    jitter: int = 0

    def __call__(self, picture: Tensor, share: float, generator: torch.Generator) -> Tensor:
        """Return a glance at each picture (N, 3, h, w) of a batch, by one resampling."""
        count = len(picture)
        size = self.sizes[min(int(share * len(self.sizes)), len(self.sizes) - 1)]
        u = torch.rand(5, count, generator=generator)
        zoom = self.zoom[0] + (self.zoom[1] - self.zoom[0]) * u[0]
        turn = (2 * u[1] - 1) * math.radians(self.angle)
        room = (1 - 1 / zoom).clamp(min=0) + 2 * self.jitter / picture.shape[-1]  # without jitter to its borders
        down, across = (2 * u[2:4] - 1) * room
        side = torch.where(u[4] < 0.5, -1.0, 1.0) if self.flip else torch.ones(count)
        cos, sin = turn.cos() / zoom, turn.sin() / zoom
        rows = (torch.stack((side * cos, -sin, across), 1), torch.stack((side * sin, cos, down), 1))
        grid = F.affine_grid(torch.stack(rows, 1), [count, 3, *size], align_corners=False)
        seen = F.grid_sample(picture, grid.to(picture), padding_mode="reflection", align_corners=False)
        if self.blur and torch.rand((), generator=generator) < 0.5:
            seen = blur_view(seen, self.blur * float(torch.rand((), generator=generator).clamp(min=0.1)))
        return seen.add(torch.randn(seen.shape, generator=generator).to(seen), alpha=self.noise)


def blur_view(picture: Tensor, deviation: float) -> Tensor:
    """Return a picture (N, 3, h, w) blurred with a Gaussian of ``deviation`` pixels, mirrored at its borders.

    By products with a matrix for each side, both ways: at sides of a few hundred pixels a third of convolutions' time.
    """
    high, wide = picture.shape[-2:]
    down = _blurring(high, deviation).to(picture)
    across = down if wide == high else _blurring(wide, deviation).to(picture)
    return down @ picture @ across.T


def _blurring(side: int, deviation: float) -> Tensor:
    """Return the matrix (side, side) that blurs a column, what lies beyond its ends mirrored."""
    reach = min(math.ceil(3 * deviation), side - 1)
    kernel = ((torch.arange(-reach, reach + 1) / deviation).square() / -2).exp()
    rows = F.pad(kernel / kernel.sum(), (side - 1, side - 1)).unfold(0, side + 2 * reach, 1).flip(0)
    before, matrix, after = torch.split(rows, [reach, side, reach], 1)
    matrix[:, 1 : reach + 1] += before.flip(1)
    matrix[:, side - 1 - reach : side - 1] += after.flip(1)
    return matrix


def ascend(
    picture: Tensor,
    gradient: Gradient,
    rule: Rule,
    *,
    steps: int,
    generator: torch.Generator,
    view: View | None = None,
    progress: Callable[[int, Tensor, Tensor], None] = lambda _step, _values, _picture: None,
    stop: Callable[[], bool] = never_stop,
    inplace: bool = False,
) -> AscentResult:
    """Go ``steps`` steps up a gradient; what leaves [0, 1] is clamped. With ``inplace`` the picture itself changes.

    The gradient is taken at the ``view`` of the picture and carried back through it. ``progress`` is told each step
    from 1, the values (N,) before it and the picture after it; ``stop`` is asked before each. The same generator
    (on the CPU) gives the same picture. Raises MethodError where the values are not finite.
    """
    values, done = None, 0
    for done in range(steps):
        if stop():
            return AscentResult(picture, done, values)
        values, slope = _through(view, picture, done / steps, generator, gradient)
        if not torch.isfinite(values).all():
            raise MethodError("the objective is no finite number any more: are these the network's weights?")
        picture = torch.add(picture, rule(picture, slope, done / steps), out=picture if inplace else None).clamp_(0, 1)
        del slope  # a large picture's fills the memory
        progress(done + 1, values, picture)
    return AscentResult(picture, steps, values)


def _through(
    view: View | None, picture: Tensor, share: float, generator: torch.Generator, gradient: Gradient
) -> tuple[Tensor, Tensor]:
    if view is None:
        return gradient(picture)
    with torch.enable_grad():
        x = picture.detach().requires_grad_()
        seen = view(x, share, generator)
    values, slope = gradient(seen.detach())
    return values, torch.autograd.grad(seen, x, slope)[0]
