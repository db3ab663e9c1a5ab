"""The search for a change by any method of the catalogue: cnnviz's own, or an external one."""

from torch import Tensor

from cnnviz.adversarial.catalog import MINIMAL, SearchSettings
from cnnviz.adversarial.criterion import Criterion
from cnnviz.adversarial.external import ExternalResult, external_attack
from cnnviz.adversarial.minimal import minimal_perturbation
from cnnviz.adversarial.target import TargetModel
from cnnviz.control import Control


def search_change(
    settings: SearchSettings,
    model: TargetModel,
    values: Tensor,
    criterion: Criterion,
    *,
    known: bool = False,
    control: Control = Control(),
) -> ExternalResult:
    """Return what a method makes of values (H, W, C), uint8.

    ``known``: the ground truth is given, so the photo may fool as it is.
    """
    if settings.name != MINIMAL:
        if known and model.fooled(values, criterion):
            return ExternalResult(values, "rounded")
        return external_attack(settings, model, values, criterion, control)
    found = minimal_perturbation(
        model, values, criterion, norm=settings.norm, eps=settings.eps, steps=settings.steps,
        thorough=settings.thorough, control=control,
    )  # fmt: skip
    return ExternalResult(found.values, None)
