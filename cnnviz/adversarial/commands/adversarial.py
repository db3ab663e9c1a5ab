"""``cnnviz adversarial``: the smallest change of a photo whose file fools a network."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import click
from click import Choice, IntRange

from cnnviz.adversarial.catalog import METHODS, MINIMAL, NORMS, TRANSFORMS, Norm, require_support, resolve_method
from cnnviz.adversarial.commands.records import (
    AttackOptions,
    AttackRecord,
    draw_report,
    label,
    note_diagnostics,
    sheet_option,
)
from cnnviz.app.declare import option
from cnnviz.app.options import check_with_option, class_option, eps_option
from cnnviz.app.param_types import Finite, ModelName, joined
from cnnviz.app.photo_command import photo_command
from cnnviz.app.records import Result, field
from cnnviz.app.session import Session, StoredInput
from cnnviz.control import Control
from cnnviz.io.write import FORMATS
from cnnviz.text import plural

WORDS = {
    "jpeg90": "JPEG at quality 90", "jpeg75": "JPEG at quality 75", "webp80": "WebP at quality 80",
    "bilinear": "bilinear resizing", "blur": "blurring",
}  # fmt: skip


class TransformNames(click.ParamType):  # type: ignore[type-arg,unused-ignore]
    """Names of transforms, with commas between them."""

    name = "names"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, ...]:
        """Return the names, each once."""
        words = value if isinstance(value, tuple) else str(value).split(",")
        names = tuple(word.strip() for word in words if word.strip())
        if unknown := [name for name in names if name not in TRANSFORMS]:
            self.fail(f"{unknown[0]!r} is none of {', '.join(TRANSFORMS)}", param, ctx)
        return tuple(dict.fromkeys(names))


@dataclass(frozen=True, kw_only=True)
class Options(AttackOptions):
    """Options of ``cnnviz adversarial``."""

    goal: str | None = class_option("Target class. [default: any but the network's top class]", "--target-class",
                                    panel="Input")  # fmt: skip
    method: str = option("Attack method. All but minimal need pip install 'cnnviz[attacks]'; deepfool, cw, ddn, fmn "
                         "and one-pixel are not bounded by --eps.", default=MINIMAL,
                         type=Choice(list(METHODS)))  # fmt: skip
    norm: Norm | None = option("What is minimised: linf = largest change of one value, l2 = root of the sum of "
                               "squares, l1 = sum of the changes, l0 = number of values changed. [default: linf, or "
                               "the method's own]", default=None, type=Choice(NORMS))  # fmt: skip
    eps: int = eps_option(16)
    steps: int | None = option("Gradient steps per level; for other methods, their iterations. [default: 40, or the "
                               "method's own]", default=None, type=IntRange(1), metavar="N")  # fmt: skip
    thorough: bool = option("Use 95 more gradient steps for a smaller change with --norm l2, l1 or l0.", default=False)
    margin: float = option("Required logit margin (kappa of Carlini & Wagner): a larger one is more robust to "
                           "other programs' resizing.", default=0.0, type=Finite(0), metavar="LOGITS")  # fmt: skip
    robust_to: tuple[str, ...] = option(
        "Transforms that the attack must be robust to, comma-separated: jpeg90, jpeg75, webp80, resize, bilinear, "
        "blur.",
        default=(), type=TransformNames(), multiple=True, callback=joined, metavar="NAMES",
    )  # fmt: skip
    ensemble: tuple[str, ...] = option("Attack this network jointly; can be repeated.", default=(),
                                       type=ModelName(), multiple=True, metavar="MODEL")  # fmt: skip
    check_with: tuple[str, ...] = check_with_option()
    report: str | None = sheet_option(
        "Also draw the photo, the change made visible, and the result, each with its classes.", "-report.png"
    )

    def __post_init__(self) -> None:
        """Put the method's own norm and steps where none are given; refuse what it does not support."""
        extras = [name for name in ("robust_to", "ensemble", "thorough") if getattr(self, name)]
        flags = [f"--{name.replace('_', '-')}" for name in extras]
        require_support(self.method, goal=self.goal is not None, extras=flags)
        norm, steps = resolve_method(self.method, self.norm, self.steps)
        if self.thorough and norm == "linf":
            raise click.UsageError("--thorough requires --norm l2, l1 or l0")
        object.__setattr__(self, "norm", norm)
        object.__setattr__(self, "steps", steps or None)


@dataclass(frozen=True, kw_only=True)
class Record(AttackRecord):
    """JSON fields of ``cnnviz adversarial``."""

    method: str = field("Attack method.", enum=list(METHODS))
    finish: str | None = field("How an external method's change became whole levels that fool; null for minimal, and "
                               "where nothing fooled.", enum=["rounded", "scaled", MINIMAL, None])  # fmt: skip


@photo_command(
    Options, Record, suffix="-adversarial.png", formats=tuple(FORMATS), stored=True, progress=("attacking", "passes")
)
def adversarial(session: Session, photo: StoredInput, options: Options, control: Control) -> Result[Record]:
    """Find a minimal change of a photo whose saved file is misclassified.

    The photo keeps its size, colour profile and transparency; palettes, CMYK, 16-bit and 1-bit become 8-bit RGB. Values
    change by whole levels of 1/255, and the written file is verified: if it does not meet the requirements, nothing is
    written and the exit status is 4. INPUTS are photos, folders of photos, or -.

    \b
    Examples:
      cnnviz adversarial cat.jpg
      cnnviz adversarial cat.jpg --target-class toaster --report report.png
      cnnviz adversarial cat.jpg --norm l2 --json | jq .psnr
      cnnviz adversarial cat.jpg --method ddn
      cnnviz adversarial cat.jpg --robust-to jpeg90,jpeg75 --eps 2 -o toast.jpg
    """
    from cnnviz.adversarial.file_attack import AttackSettings, attack_photo

    network = session.network
    settings = AttackSettings(
        steps=options.steps, thorough=options.thorough, margin=options.margin, fit=options.fit, seed=options.seed,
        ensemble=[session.load_network(name) for name in options.ensemble],
        check_with=[session.load_network(name) for name in options.check_with], path=str(photo.job.output),
    )  # fmt: skip
    attack = attack_photo(
        network, photo.image, goal=options.goal, ground_truth=options.ground_truth, method=options.method,
        norm=options.norm, eps=options.eps, robust_to=options.robust_to, settings=settings, control=control,
    )  # fmt: skip
    note_diagnostics(session, photo.job.source, attack.warnings)
    record = Record(
        network=network.name, clean_top=network.top(attack.clean_logits), method=attack.method, finish=attack.finish,
        warnings=attack.warnings, passes=attack.queries.as_dict(), **vars(attack.verification),
    )  # fmt: skip
    unmet = attack.verification.unmet(options.margin, attack.robust_to)
    sheet = None
    if photo.job.second:
        sheet = draw_report(session, attack.written, record, attack.verification, missed=unmet)
    missed = missed_text(record, unmet) if unmet else ""
    return Result(record, encode=attack.written.encode, sheet=sheet, missed=missed,
                  notes=() if missed else attack_notes(record))  # fmt: skip


def missed_text(record: Record, unmet: Sequence[str]) -> str:
    """Return why a file does not do what was required, and which options may help its method."""
    best = record.top[0]
    words = f"not fooled: the best attempt is classified as {best.name} ({best.probability:.0%})"
    if record.fooled:
        words = f"the best attempt fools, but {', '.join(unmet)}"
    if "zero_gradients" in record.warnings:  # whose sentence says what may help
        return words
    row = METHODS[record.method]
    options = [("a larger --eps", row.capped), ("more --steps", row.steps > 0)]
    return f"{words}; {' or '.join(option for option, helps in options if helps)} may help"


def attack_notes(record: Record) -> tuple[str, ...]:
    """Return the notes on an attacked photo."""
    before, after = label(record.clean_top), label(record.top)
    if record.levels == 0:
        return (f"{before} already: nothing is changed",)
    storing = f" (storing alone makes {record.storing_levels})" if record.storing_levels else ""
    size = f"{plural(record.levels, 'level')} at most{storing}, PSNR {record.psnr:.1f} dB"
    notes = [f"{before} -> {after}; {size}"]
    if record.method == MINIMAL and not record.passes["backward"]:
        notes.append("storing the photo in this file is enough: nothing else is changed")
    if record.finish == MINIMAL:
        notes.append(f"the change of {record.method} fooled by less than required: {MINIMAL} went on from there")
    if lost := lost_transforms(record.robust_to):
        notes.append(f"only this file fools: it is undone by {', '.join(lost)} (see --robust-to)")
    if record.control:
        notes.append("random noise of the same size fools too: the network is unsure of this photo")
    return (*notes, *_other_networks(record))


def lost_transforms(robust_to: Mapping[str, bool]) -> list[str]:
    """Return the transforms, in words, after which a file no longer fools; the sizes of "resize" are one."""
    sizes = [robust for name, robust in robust_to.items() if name.startswith("resize")]
    resizing = f"resizing ({sizes.count(False)} of {len(sizes)} sizes)"
    return list(dict.fromkeys(WORDS.get(name, resizing) for name, robust in robust_to.items() if not robust))


def _other_networks(record: Record) -> list[str]:
    """Return how the other networks classify the file."""
    notes = []
    for row in record.other_networks:
        words = "fooled" if row.fooled else "not fooled"
        if record.goal is None and row.clean_top[0].index != record.target:
            words = "misclassifies the clean photo"
        notes.append(f"{row.network} ({'ensemble' if row.attacked else 'held out'}): {words}, {row.top[0].name}")
    return notes
