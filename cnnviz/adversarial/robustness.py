"""What ``cnnviz robustness`` measures of each photograph, and what it tells of all of them."""

import os
import statistics
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cnnviz.adversarial import file_attack
from cnnviz.adversarial.diagnostics import diagnose
from cnnviz.app.console import ReportProgress
from cnnviz.app.jobs import Job, Line
from cnnviz.app.session import InputRecord, Session
from cnnviz.errors import InvalidRequest, printable

if TYPE_CHECKING:
    from torch import Tensor

    from cnnviz.adversarial.file_attack import AttackedPhoto
    from cnnviz.adversarial.target import Criterion, TargetModel
    from cnnviz.figures.curves import Axes
    from cnnviz.io.stored_image import StoredImage
    from cnnviz.models.features import FeatureExtractor

WIDE, HIGH, UNIT = 960, 600, 20  # pixels of the picture and of its letters
TICKS = 9  # along the axis of levels, at most


def ready(jobs: Sequence[Job], result: Job, options: Mapping[str, Any]) -> None:
    """Raise, before any work, where the picture could not or must not be written."""
    from cnnviz.io import write

    target = str(result.output)
    if target == "-" and options["lines"]:
        raise InvalidRequest("standard output takes the picture (-o -) or the lines of --json, not both")
    if any(os.path.exists(target) and os.path.exists(job.source) and os.path.samefile(target, job.source)
           for job in jobs):  # fmt: skip
        raise InvalidRequest(f"{printable(target)}: is an input, and an input is never written to")
    if result.tree:
        write.make_folder(Path(target).parent)
    write.check_output(target, overwrite=options["overwrite"])


def attacked(
    original: "StoredImage",
    trunk: "FeatureExtractor",
    fit: str,
    eps: int,
    seed: int,
    tick: ReportProgress,
    true: str | None = None,
) -> Line:
    """Return the least whole level found at which a photograph fools, that of random noise, and what it took.

    ``true`` names what it shows; where the network says something else, that level is 0.
    """
    import torch

    from cnnviz.adversarial.target import TargetModel

    network = trunk.network
    subject = file_attack.attacked_photo(original, network, fit)
    clean = subject.logits(original.photo(original.values))
    aim = file_attack.criterion_for(network, clean, true=true)
    target = TargetModel(((file_attack.input_pipeline(subject, ()), trunk),))
    values = torch.tensor(original.values)
    wrong = file_attack.meets_criterion(aim, clean)
    level, logits = (0, clean) if wrong else _level(subject, target, aim, eps, tick)
    return {
        "network": network.name,
        "fooled": level is not None,
        "levels": level,
        "noise_levels": 0 if wrong else _noise_level(subject, aim, values, eps, seed),
        "clean_top": network.top(clean),
        "top": network.top(logits),
        "passes": {"forward": target.passes.forward, "backward": target.passes.backward},
        "warnings": diagnose(subject, clean, target.passes, aim.target),
    }


def _level(
    subject: "AttackedPhoto", target: "TargetModel", aim: "Criterion", eps: int, tick: ReportProgress
) -> "tuple[int | None, Tensor]":
    """Return the least level found that fools, None for none, and the logits (classes,) there or nearest to it."""
    import torch

    from cnnviz.adversarial.minimal import grid

    values, least = torch.tensor(subject.original.values), 1

    def tell(step: int, of: int, margin: float) -> None:
        tick(step, of, f"margin {-margin:.3g}")

    while True:
        found = grid(target, values, aim, eps=eps, least=least, progress=tell)
        logits = subject.logits(subject.original.photo(found.values.numpy()))
        fools = file_attack.meets_criterion(aim, logits)  # said by the network itself, and not as it is folded
        least = max(found.level, least)
        if fools or not found.fooled or least >= eps:
            return (found.level if fools else None), logits
        least += 1


def _noise_level(subject: "AttackedPhoto", aim: "Criterion", values: "Tensor", eps: int, seed: int) -> int | None:
    """Return the least level at which as much added to or taken from each value, at random, fools; None for none."""
    import torch

    from cnnviz.adversarial.target import add_levels

    signs = torch.randint(0, 2, values.shape, generator=torch.Generator().manual_seed(seed)) * 2 - 1
    for level in range(1, eps + 1):
        photo = subject.original.photo(add_levels(values, signs * level).numpy())
        if file_attack.meets_criterion(aim, subject.logits(photo)):
            return level
    return None


def summary(lines: Sequence[Line], eps: int) -> Line:
    """Return the share of photographs whose answer stands at each level from 0 to ``eps``, and the middle level."""
    found = [line["levels"] for line in lines]
    high = [level if level is not None else eps + 1 for level in found]
    middle = statistics.median_low(high)
    return {
        "network": lines[0]["network"],
        "photos": len(lines),
        "eps": eps,
        "accuracy": _standing(found, eps),
        "noise_accuracy": _standing([line["noise_levels"] for line in lines], eps),
        "median_levels": middle if middle <= eps else None,
        "passes": {way: sum(line["passes"][way] for line in lines) for way in ("forward", "backward")},
        "warned": dict(Counter(kind for line in lines for kind in line["warnings"])),
    }


def _standing(levels: Sequence[int | None], eps: int) -> list[float]:
    return [round(sum(level is None or level > most for level in levels) / len(levels), 6) for most in range(eps + 1)]


def tell(run: Session, target: str, numbers: Line, source: InputRecord, seconds: float) -> None:
    """Write the picture, and print the line or the table of all photographs."""
    from cnnviz.figures.curves import row
    from cnnviz.io import write

    recipe = run.recipe(source, numbers)
    recipe["input"]["photos"] = numbers["photos"]
    write.write_picture(target, row([_axes(numbers)], WIDE, HIGH, UNIT), recipe)
    if run.options["lines"]:
        run.print_last(numbers, target, seconds)
    elif target != "-":
        _print_summary(numbers)
    if target != "-":
        run.console.note(f"{printable(', '.join(run.options['inputs']))} -> {printable(target)}")


def print_row(job: Job, line: Line) -> None:
    """Print a photograph's level, and what it is taken for before and there."""
    before, after = line["clean_top"][0], line["top"][0]
    level = line["levels"] if line["levels"] is not None else "-"
    change = f" -> {after['name']} {after['probability']:.0%}" if line["levels"] else ""
    click.echo(f"{level:>4}  {printable(job.source)}: {before['name']} {before['probability']:.0%}{change}")


def _print_summary(numbers: Line) -> None:
    levels = range(numbers["eps"] + 1)
    click.echo()
    click.echo("level   stand   random noise")
    for level, share, noise in zip(levels, numbers["accuracy"], numbers["noise_accuracy"], strict=True):
        click.echo(f"{level:>5}  {share:>6.1%}  {noise:>6.1%}")


def _axes(numbers: Line) -> "Axes":
    from cnnviz.figures.curves import COLOURS, Axes, Curve

    eps, count = numbers["eps"], numbers["photos"]
    step = -(-eps // (TICKS - 1))
    places = sorted({*range(0, eps + 1, step), eps})
    middle = numbers["median_levels"]
    words = f"{middle} level{'s' * (middle != 1)}" if middle is not None else f"more than {eps} levels"
    curves = [
        Curve(range(eps + 1), numbers["accuracy"], "smallest change found", f"median {words}", COLOURS[0], dots=True),
        Curve(range(eps + 1), numbers["noise_accuracy"], "random noise of the same level", "", dots=True),
    ]
    title = f"Robustness of {numbers['network']}"
    below = (
        f"share of {count} photo{'s' * (count != 1)} whose answer stands when each value may change by so many levels"
    )
    percent = [(share / 4, f"{25 * share} %") for share in range(5)]
    return Axes(title, below, curves, [(place, str(place)) for place in places], percent,
                     "levels of 255 that a value may change by", "answers that stand")  # fmt: skip
