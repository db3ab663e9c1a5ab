"""Attacks that a kept library does, on a photograph's own pixels.

foolbox (Rauber et al. 2020, "Foolbox Native", section 2) and torchattacks (Kim 2020, "Torchattacks", section 3) take a
network as a module whose input lies in [0, 1]. They get one whose input are the photograph's stored values: it rounds
them to whole levels, shows them to the network through the real pipeline, and takes slopes back by its transpose,
through the rounding as if it were not there. Departure: an attack of papers without rounding so meets it at every step.
"""

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from cnnviz.adversarial.target import Criterion, TargetModel

# Classes of foolbox by method and norm. Its fmn in l2 is left out: in 3.3.4 it projects nothing, and ddn does it well.
FOOLBOX = {
    ("fgsm", "linf"): "LinfFastGradientAttack",
    ("pgd", "linf"): "LinfBasicIterativeAttack",
    ("mi-fgsm", "linf"): "LinfMomentumIterativeFastGradientMethod",
    ("deepfool", "l2"): "L2DeepFoolAttack",
    ("deepfool", "linf"): "LinfDeepFoolAttack",
    ("cw", "l2"): "L2CarliniWagnerAttack",
    ("ddn", "l2"): "DDNAttack",
    ("fmn", "l0"): "L0FMNAttack",
    ("fmn", "l1"): "L1FMNAttack",
    ("fmn", "linf"): "LInfFMNAttack",
}
SHARE = 0.25  # of the level that pgd and mi-fgsm go in a step; never less than a level, which would be rounded away
STEP = 0.002  # of cw, a quarter of a level at most: foolbox's own 0.01 changes every value by a whole level at once
POPULATION = 100  # of one-pixel, in each generation


class QuantizedInput(nn.Module):
    """The attacked network as a module: stored values (N, C, H, W) in [0, 1] to logits (N, classes).

    ``tell`` is told after each pass. One network, one view.
    """

    def __init__(self, attacked: TargetModel, tell: Callable[[], None] = lambda: None) -> None:
        super().__init__()
        self.attacked, self.tell = attacked, tell
        self.place = nn.Parameter(torch.zeros(()), requires_grad=False)  # torchattacks looks here for the device

    def forward(self, x: Tensor) -> Tensor:
        """Return the logits of each photograph; differentiable in ``x`` as if nothing were rounded."""
        sloped = torch.is_grad_enabled() and x.requires_grad
        found = []
        for one in torch.split(x, 1):
            found.append(_Through.apply(one, self.attacked) if sloped else self.attacked.logits(whole(one[0] * 255)))
            self.tell()
        return torch.cat(found)


class _Through(torch.autograd.Function):
    """One photograph (1, C, H, W) to its logits, and a slope in them back."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, attacked: TargetModel) -> Tensor:
        ctx.look = attacked.look(whole(x[0] * 255))
        logits: Tensor = ctx.look.logits
        return logits.clone()

    @staticmethod
    def backward(ctx: Any, slope: Tensor) -> tuple[Tensor, None]:  # type: ignore[override,unused-ignore]
        found: Tensor = ctx.look.slope(lambda logits: (logits * slope).sum())
        return 255 * found.permute(2, 0, 1)[None], None


def whole(levels: Tensor) -> Tensor:
    """Return levels (C, H, W), float, as stored values (H, W, C), uint8."""
    return levels.round().clamp(0, 255).to(torch.uint8).permute(1, 2, 0).contiguous()


def run_attack(
    name: str,
    attacked: TargetModel,
    values: Tensor,
    aim: Criterion,
    *,
    norm: str = "linf",
    level: int = 1,
    steps: int = 40,
    seed: int = 0,
    progress: Callable[[], None] = lambda: None,
) -> Tensor:
    """Return what a library's attack makes of ``values`` (H, W, C), uint8: levels (H, W, C), float, not yet whole.

    ``level`` is the most that methods of a fixed size change; the others seek the smallest change in ``norm``.
    ``steps`` are gradients, queries or generations; fgsm and autoattack have their own number. ``progress`` is told of
    each pass. Raises ImportError without the library.
    """
    model = QuantizedInput(attacked, progress).eval()
    x = values.permute(2, 0, 1)[None].float() / 255
    with _seeded(seed):
        if (name, norm) in FOOLBOX:
            found: Tensor = _foolbox(name, model, x, aim, norm=norm, eps=level / 255, steps=steps)
        else:
            found = _torchattacks(name, model, x, aim, eps=level / 255, steps=steps, seed=seed)
        found = found.detach()
    if not found.any() or not found.isfinite().all():  # foolbox's cw where it found nothing; slopes of 0 divided by 0
        found = x
    return found[0].permute(1, 2, 0) * 255


def _foolbox(name: str, model: QuantizedInput, x: Tensor, aim: Criterion, *, norm: str, eps: float, steps: int) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # it knows a part of scipy by its old name
        import foolbox

    settings: dict[str, Any] = {} if name == "fgsm" else {"steps": steps}
    if name in ("pgd", "mi-fgsm"):
        settings["abs_stepsize"] = max(SHARE * eps, 1 / 255)
    if name == "cw":
        settings["stepsize"] = STEP
    seek = getattr(foolbox.attacks, FOOLBOX[name, norm])(**settings)
    known = foolbox.PyTorchModel(model, bounds=(0, 1), device="cpu")
    criteria = foolbox.criteria
    if aim.goal is None:
        wanted = criteria.Misclassification(torch.tensor([aim.target]))
    else:
        wanted = criteria.TargetedMisclassification(torch.tensor([aim.goal]))
    fixed = name in ("fgsm", "pgd", "mi-fgsm")
    return seek(known, x, wanted, epsilons=eps if fixed else None)[1]


def _torchattacks(
    name: str, model: QuantizedInput, x: Tensor, aim: Criterion, *, eps: float, steps: int, seed: int
) -> Any:
    import torchattacks

    if name == "apgd":
        seek = torchattacks.APGD(model, eps=eps, steps=steps, seed=seed)
    elif name == "square":
        seek = torchattacks.Square(model, eps=eps, n_queries=steps, seed=seed)
    elif name == "one-pixel":
        seek = torchattacks.OnePixel(model, steps=steps, popsize=POPULATION)
    else:
        seek = torchattacks.AutoAttack(model, eps=eps, n_classes=model(x).shape[1], seed=seed)
    if aim.goal is not None:
        seek.set_mode_targeted_by_label(quiet=True)
    return seek(x, torch.tensor([aim.target if aim.goal is None else aim.goal]))


@contextmanager
def _seeded(seed: int) -> Iterator[None]:
    """Give the libraries random numbers of their own, the same each time."""
    state = np.random.get_state()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        np.random.seed(seed % 2**32)
        try:
            yield
        finally:
            np.random.set_state(state)
