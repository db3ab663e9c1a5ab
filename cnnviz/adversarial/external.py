"""Adapters for the attacks of foolbox and torchattacks, and quantisation of their results to whole levels.

foolbox (Rauber et al. 2020, "Foolbox Native", section 2) and torchattacks (Kim 2020, "Torchattacks", section 3) take a
network as a module whose input lies in [0, 1]. They are given one whose input is the photo's stored values: it rounds
them to whole levels, passes them through the real pipeline, and returns gradients by its adjoint, with the rounding as
the identity. Departure: an attack of papers without rounding so meets it at every step.
"""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from cnnviz.adversarial.catalog import MINIMAL, SearchSettings
from cnnviz.adversarial.criterion import Criterion
from cnnviz.adversarial.levels import add_levels, largest_change
from cnnviz.adversarial.minimal import minimal_level
from cnnviz.adversarial.target import TargetModel
from cnnviz.control import Control
from cnnviz.text import plural

STEP_SHARE = 0.25  # of the level that pgd and mi-fgsm move in a step; at least a level, or it would be rounded away
ENLARGED, FURTHEST = 1.1, 8.0  # factor by which a change that does not fool is enlarged, and where that ends


class QuantizedInput(nn.Module):
    """The target model as a module: stored values (N, C, H, W) in [0, 1] to logits (N, classes).

    ``control`` is given the passes so far, and ``label``. One network, one view.
    """

    def __init__(self, model: TargetModel, control: Control = Control(), label: str = "") -> None:
        super().__init__()
        self.model, self.control, self.label = model, control, label
        self.device_probe = nn.Parameter(torch.zeros(()), requires_grad=False)  # where torchattacks reads the device

    def forward(self, x: Tensor) -> Tensor:
        """Return the logits of each image; differentiable in ``x`` as if nothing were rounded."""
        differentiable, rows = torch.is_grad_enabled() and x.requires_grad, []
        for one in torch.split(x, 1):
            if differentiable:
                rows.append(_StraightThrough.apply(one, self.model))
            else:
                rows.append(self.model.logits(stored_values(one[0] * 255)))
            self.control.report(self.model.queries.forward, 0, self.label)
        return torch.cat(rows)


class _StraightThrough(torch.autograd.Function):
    """Logits of one image (1, C, H, W), and their gradient."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, model: TargetModel) -> Tensor:
        """Return the logits (1, classes)."""
        logits, ctx.gradient_of = model.evaluate(stored_values(x[0] * 255))
        return logits.clone()

    @staticmethod
    def backward(ctx: Any, upstream: Tensor) -> tuple[Tensor, None]:  # type: ignore[override,unused-ignore]
        """Return the gradient in the image."""
        gradient: Tensor = ctx.gradient_of(lambda logits: (logits * upstream).sum())
        return 255 * gradient.permute(2, 0, 1)[None], None


def stored_values(levels: Tensor) -> Tensor:
    """Return levels (C, H, W), float, rounded to stored values (H, W, C), uint8."""
    return levels.round().clamp(0, 255).to(torch.uint8).permute(1, 2, 0).contiguous()


def run_attack(
    settings: SearchSettings, model: TargetModel, values: Tensor, criterion: Criterion, control: Control = Control()
) -> Tensor:
    """Return the result of a library's attack on ``values`` (H, W, C), uint8: levels (H, W, C), float, not yet whole.

    ``eps`` bounds the methods that take a bound; the others minimise the norm. ``steps`` are gradients, queries or
    generations; fgsm and autoattack have their own number. Raises ImportError without the library.
    """
    method, x = settings.method, values.permute(2, 0, 1)[None].float() / 255
    label = plural(settings.eps, "level") if method.capped else settings.norm
    quantized = QuantizedInput(model, control, label).eval()
    arguments, cls = _arguments(settings, quantized, x), method.norms[settings.norm]
    with _seeded(settings.seed):
        if method.package == "foolbox":
            bound = settings.eps / 255 if method.capped else None
            changed = _foolbox(cls, quantized, x, criterion, arguments, bound).detach()
        else:
            changed = _torchattacks(cls, quantized, x, criterion, arguments).detach()
    if not changed.any() or not changed.isfinite().all():  # cw found nothing; a gradient of 0 was normalised
        changed = x
    return changed[0].permute(1, 2, 0) * 255


def _arguments(settings: SearchSettings, model: QuantizedInput, x: Tensor) -> dict[str, Any]:
    """Return the keywords of an attack's constructor."""
    method, eps = settings.method, settings.eps / 255
    computed = {"steps": settings.steps, "n_queries": settings.steps, "eps": eps, "seed": settings.seed,
                "abs_stepsize": max(STEP_SHARE * eps, 1 / 255)}  # fmt: skip
    if "n_classes" in method.arguments:
        computed["n_classes"] = model(x).shape[1]
    return {key: computed[key] for key in method.arguments} | dict(method.settings)


def _foolbox(
    cls: str, model: nn.Module, x: Tensor, criterion: Criterion, arguments: dict[str, Any], bound: float | None
) -> Tensor:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # it knows a part of scipy by its old name
        import foolbox

    attack = getattr(foolbox.attacks, cls)(**arguments)
    wrapped = foolbox.PyTorchModel(model, bounds=(0, 1), device="cpu")
    if criterion.goal is None:
        wanted = foolbox.criteria.Misclassification(torch.tensor([criterion.target]))
    else:
        wanted = foolbox.criteria.TargetedMisclassification(torch.tensor([criterion.goal]))
    changed: Tensor = attack(wrapped, x, wanted, epsilons=bound)[1]
    return changed


def _torchattacks(cls: str, model: nn.Module, x: Tensor, criterion: Criterion, arguments: dict[str, Any]) -> Tensor:
    import torchattacks

    attack = getattr(torchattacks, cls)(model, **arguments)
    if criterion.goal is not None:
        attack.set_mode_targeted_by_label(quiet=True)
    changed: Tensor = attack(x, torch.tensor([criterion.target if criterion.goal is None else criterion.goal]))
    return changed


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


@dataclass(frozen=True)
class ExternalResult:
    """The ``values`` (H, W, C), uint8, of a library's attack, and how they became whole levels.

    ``finish``: "rounded", "scaled" (rounding did not fool, the enlarged change does), "minimal" (cnnviz's own method
    went on from it), None where nothing fooled.
    """

    values: Tensor
    finish: str | None


def external_attack(
    settings: SearchSettings, model: TargetModel, values: Tensor, criterion: Criterion, control: Control
) -> ExternalResult:
    """Return what a library's attack makes of ``values`` (H, W, C), uint8, in whole levels.

    A method that takes a bound is tried at 1, 2, 4 levels and so on up to ``eps``. For the rest see ``run_attack``.
    """
    capped, changed = settings.method.capped, values
    doubled = [1 << power for power in range(settings.eps.bit_length()) if 1 << power < settings.eps]
    for level in [*doubled, settings.eps] if capped else [255]:
        levels = run_attack(replace(settings, eps=level), model, values, criterion, control)
        result = quantize(model, values, levels, criterion, level)
        if result.finish:
            return result
        changed = result.values
    return continue_search(model, values, changed, criterion, settings.eps)


def quantize(model: TargetModel, values: Tensor, levels: Tensor, criterion: Criterion, most: int) -> ExternalResult:
    """Return ``levels`` (H, W, C), float, rounded; where that does not fool, enlarged by as little as it takes.

    Up to ``most`` levels.
    """
    change = levels - values.float()
    first = add_levels(values, change.round())
    if model.fooled(first, criterion):
        return ExternalResult(first, "rounded")
    before, factor = first, ENLARGED
    while factor < FURTHEST:
        changed = add_levels(values, (change * factor).round().clamp(-most, most))
        if not changed.equal(before) and model.fooled(changed, criterion):
            return ExternalResult(changed, "scaled")
        before, factor = changed, factor * ENLARGED
    return ExternalResult(first, None)


def continue_search(
    model: TargetModel, values: Tensor, changed: Tensor, criterion: Criterion, eps: int
) -> ExternalResult:
    """Return the result of ``minimal_level`` from the level of a change that fools by less than is required.

    A change that does not fool at all is its method's failure and is returned as it is.
    """
    if not model.fooled(changed, replace(criterion, margin=-criterion.tolerance)):
        return ExternalResult(changed, None)
    least = max(1, largest_change(values, changed))
    better = minimal_level(model, values, criterion, eps=max(eps, least), least=least)
    return ExternalResult(better.values, MINIMAL) if better.fooled else ExternalResult(changed, None)
