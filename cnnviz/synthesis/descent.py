"""Gradient descent on an image: a loss minimised at one size by Adam or L-BFGS, with random rolls.

Images are RGB (1, 3, h, w) in [0, 1].
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal, Protocol

import torch
from torch import Tensor

from cnnviz.control import Stopped
from cnnviz.errors import MethodError
from cnnviz.synthesis.ascent import StepObserver
from cnnviz.synthesis.transforms import gaussian_blur

Optimizer = Literal["adam", "lbfgs"]
Roll = tuple[int, int]

RATE = 0.03  # Adam's first learning rate, in the image's range of 0 to 1
LAST_RATE = 0.2  # its last one as a share of the first; it falls linearly
BETAS = (0.9, 0.99)
EPSILON = 5.0  # of Adam: about the gradient of a quiet pixel for a style of weight 1, so that none are shaken
CONVERGED = 1e-6  # a loss up to this counts as 0: Adam would scale the gradient's rounding errors up to full steps
AVERAGE = 0.9  # share of the past in the moving average of Adam's iterates
HISTORY = 20  # steps that L-BFGS remembers


class ImageLoss(Protocol):
    """A loss of an image (1, 3, h, w), which may evaluate it rolled by one of several ``rolls`` (dy, dx) in pixels."""

    @property
    def rolls(self) -> Sequence[Roll]:
        """The rolls; a step takes one of them at random."""

    def __call__(self, image: Tensor, roll: int) -> Tensor:
        """Return the loss, a scalar differentiable in the image, for roll number ``roll``."""


@dataclass(frozen=True)
class DescentResult:
    """The ``tensor`` (1, 3, h, w), RGB in [0, 1], and the loss before each step that was done."""

    tensor: Tensor
    values: tuple[float, ...]


def optimize(
    image: Tensor,
    loss: ImageLoss,
    steps: int,
    *,
    generator: torch.Generator,
    rate: float = RATE,
    epsilon: float = EPSILON,
    smoothing: float = 0.0,
    optimizer: Optimizer = "adam",
    observer: StepObserver = StepObserver(),
) -> DescentResult:
    """Minimise a loss from an image (1, 3, h, w) by ``steps`` steps.

    ``rate`` and ``epsilon`` are Adam's; its gradient is multiplied by the image's number of values, so that it does not
    depend on the size, and is blurred by a Gaussian of ``smoothing`` pixels: neighbours change together, which leaves
    less grain. It returns the moving average of its iterates, which are clamped to [0, 1]. L-BFGS sees roll number 0
    only. ``observer`` is called after each step; ``observer.control.stopped`` is asked before each, and between its
    layers: a step that has begun is given up. The same generator (on the CPU) gives the same result. Raises MethodError
    if the loss is not finite.
    """
    state: _Adam | _Lbfgs = _Adam(image, rate, epsilon, smoothing) if optimizer == "adam" else _Lbfgs(image)
    render = observer.render or (lambda tensor: tensor)
    observer = replace(observer, render=lambda _: render(state.result()))
    del image  # a large one is not held beside its copy
    values: list[float] = []
    for step in range(steps):
        if observer.control.stopped():
            break
        roll = int(torch.randint(len(loss.rolls), (), generator=generator)) if optimizer == "adam" else 0
        try:
            with observer.stopping():
                value = state.step(lambda x, roll=roll: loss(x, roll), step / steps)  # type: ignore[misc]
        except Stopped:
            break
        if not torch.isfinite(value):
            raise MethodError("the loss is not a finite number: are these the network's weights?")
        values.append(float(value))
        observer(step + 1, steps, value[None], state.image)
    return DescentResult(state.result(), tuple(values))


class _Adam:
    """Adam (Kingma & Ba 2015) on an image, with a falling rate and a moving average of the iterates.

    Not ``torch.optim.Adam``, whose first step imports torch's compiler: 1.3 CPU seconds and 160 MB.
    """

    def __init__(self, image: Tensor, rate: float, epsilon: float, smoothing: float) -> None:
        self.image, self._rate, self._epsilon, self._count = image.clone(), rate, epsilon, 0
        self._smoothing = smoothing
        self._mean, self._square, self._average = (torch.zeros_like(image) for _ in range(3))

    def step(self, loss: Callable[[Tensor], Tensor], share: float) -> Tensor:
        """Take one step, a ``share`` of all done before; return the loss before it."""
        value, grad = _value_and_gradient(loss, self.image)
        if self._smoothing:
            grad = gaussian_blur(grad, self._smoothing)
        grad.mul_(grad.numel() if value > CONVERGED else 0)
        self._count += 1
        self._mean.lerp_(grad, 1 - BETAS[0])
        self._square.mul_(BETAS[1]).addcmul_(grad, grad, value=1 - BETAS[1])
        torch.div(self._square, 1 - BETAS[1] ** self._count, out=grad).sqrt_().add_(self._epsilon)
        rate = self._rate * (1 - (1 - LAST_RATE) * share) / (1 - BETAS[0] ** self._count)
        self.image.addcdiv_(self._mean, grad, value=-rate).clamp_(0, 1)
        self._average.lerp_(self.image, 1 - AVERAGE)
        return value

    def result(self) -> Tensor:
        """Return the moving average, before the first step the image."""
        return self._average.div(1 - AVERAGE**self._count).clamp_(0, 1) if self._count else self.image.clone()


class _Lbfgs:
    """L-BFGS (Liu & Nocedal 1989) with a line search; values outside [0, 1] are clamped in the loss."""

    def __init__(self, image: Tensor) -> None:
        self.image = image.clone().requires_grad_()
        self._own = torch.optim.LBFGS([self.image], max_iter=1, history_size=HISTORY, line_search_fn="strong_wolfe")

    def step(self, loss: Callable[[Tensor], Tensor], _share: float) -> Tensor:
        """Take one step; return the loss before it."""

        def closure() -> Tensor:
            with torch.enable_grad():
                value = loss(self.image.clamp(0, 1)) * self.image.numel()
                (self.image.grad,) = torch.autograd.grad(value, self.image)
            return value.detach()

        value = self._own.step(closure)  # type: ignore[no-untyped-call]
        return torch.as_tensor(value) / self.image.numel()

    def result(self) -> Tensor:
        """Return the iterate."""
        return self.image.detach().clamp(0, 1)


def _value_and_gradient(loss: Callable[[Tensor], Tensor], image: Tensor) -> tuple[Tensor, Tensor]:
    with torch.enable_grad():
        x = image.detach().requires_grad_()
        value = loss(x)
        (grad,) = torch.autograd.grad(value, x)
    return value.detach(), grad
