"""Methods of ``cnnviz adversarial`` that other packages do, and the gate to whole levels that all of them pass."""

from collections.abc import Iterator, Mapping
from functools import partial
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from cnnviz.app.console import ReportProgress
from cnnviz.app.jobs import Line
from cnnviz.app.options import asked
from cnnviz.errors import InvalidRequest
from cnnviz.models.catalog import ATTACKS

if TYPE_CHECKING:
    from torch import Tensor

    from cnnviz.adversarial.target import Criterion, TargetModel

OWN, UNIVERSAL = "grid", "universal"
FURTHER, FURTHEST = 1.1, 8.0  # how a change that does not fool is enlarged, and how far

method = click.option(
    "--method", type=click.Choice([OWN, UNIVERSAL, *ATTACKS]), default=OWN, show_default=True,
    help="How the change is sought. universal: one change for many photos, of 10 levels by default. The others but "
         "grid are other packages': pip install 'cnnviz[attacks]'. They have norms and steps of their own; deepfool, "
         "cw, ddn, fmn and one-pixel are not held to --eps.",
)  # fmt: skip


def method_defaults(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the norm and the steps of a library's method where nobody asked for others; the recipe has them too.

    Raises UsageMistake for what the method does not know, and where its package is not here.
    """
    name = options["method"]
    if name == OWN:
        return {}
    known, context = ATTACKS[name], click.get_current_context()
    own = {"norm": known.norms[0], "steps": known.steps or options["steps"]}
    own = {key: value for key, value in own.items() if context.get_parameter_source(key) is ParameterSource.DEFAULT}
    context.params |= own
    if not known.steps and asked("steps"):
        raise InvalidRequest(f"--method {name} has steps of its own: leave out --steps")
    norm = own.get("norm", options["norm"])
    if norm not in known.norms:
        raise InvalidRequest(f"--method {name} knows no --norm {norm}, only {', '.join(known.norms)}")
    if options["goal"] is not None and not known.targeted:
        some = ", ".join([OWN, *(other for other, row in ATTACKS.items() if row.targeted)])
        raise InvalidRequest(f"--method {name} knows no --target-class: take one of {some}")
    for key in ("transfer", "survive", "thorough"):
        if options[key]:
            raise InvalidRequest(f"--{key} goes with --method {OWN} alone")
    if find_spec(known.package) is None:
        raise InvalidRequest(f"--method {name} needs {known.package}: pip install 'cnnviz[attacks]'")
    return own


def search(
    attacked: "TargetModel", values: "Tensor", aim: "Criterion", options: Mapping[str, Any], tick: ReportProgress
) -> "tuple[Tensor, Line]":
    """Return the values (H, W, C), uint8, that a method finds, and how it became whole levels.

    A method that is told the largest change is tried at 1, 2, 4 levels and so on up to ``eps``.
    """
    from cnnviz.adversarial import external

    name, known = options["method"], ATTACKS[options["method"]]
    if options["true"] is not None and attacked.fooled(values, aim):
        return values, {"finish": "rounded"}
    levels = list(_doubled(options["eps"])) if known.capped else [255]
    for level in levels:
        size = f"{level} level{'s' * (level > 1)}" if known.capped else options["norm"]
        found = external.run_attack(
            name, attacked, values, aim, level=level, progress=partial(_count, attacked, tick, size),
            **{key: options[key] for key in ("norm", "steps", "seed")},
        )  # fmt: skip
        tried, finish = quantize(attacked, values, found, aim, level)
        if finish:
            return tried, {"finish": finish}
    return _rescued(attacked, values, tried, aim, options["eps"])


def _count(attacked: "TargetModel", tick: ReportProgress, size: str) -> None:
    tick(attacked.passes.forward, 0, size)


def _doubled(most: int) -> Iterator[int]:
    level = 1
    while level < most:
        yield level
        level *= 2
    yield most


def quantize(
    attacked: "TargetModel", values: "Tensor", found: "Tensor", aim: "Criterion", most: int
) -> "tuple[Tensor, str | None]":
    """Return ``found`` levels (H, W, C), float, as whole ones, and how: "rounded", or "scaled" where that did not fool.

    Scaled: the change enlarged, by as little as it takes, up to ``most`` levels. None where neither fools.
    """
    from cnnviz.adversarial.target import add_levels

    change = found - values.float()
    first = add_levels(values, change.round())
    if attacked.fooled(first, aim):
        return first, "rounded"
    before, factor = first, FURTHER
    while factor < FURTHEST:
        tried = add_levels(values, (change * factor).round().clamp(-most, most))
        if not tried.equal(before) and attacked.fooled(tried, aim):
            return tried, "scaled"
        before, factor = tried, factor * FURTHER
    return first, None


def _rescued(
    attacked: "TargetModel", values: "Tensor", tried: "Tensor", aim: "Criterion", eps: int
) -> "tuple[Tensor, Line]":
    """Return what ``grid`` finds from the level of a change that fools, but not by so much as is asked for.

    A change that does not fool at all is a failure of its method and is left as it is.
    """
    from dataclasses import replace

    from cnnviz.adversarial.boundary import largest_change
    from cnnviz.adversarial.minimal import grid

    if not attacked.fooled(tried, replace(aim, margin=-aim.sure)):
        return tried, {"finish": None}
    least = max(1, largest_change(values, tried))
    better = grid(attacked, values, aim, eps=max(eps, least), least=least)
    return (better.values, {"finish": OWN}) if better.fooled else (tried, {"finish": None})
