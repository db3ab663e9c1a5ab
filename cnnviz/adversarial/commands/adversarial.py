"""``cnnviz adversarial``: the smallest change of a photo whose file fools a network."""

from dataclasses import dataclass

import click
from click import Choice, IntRange

from cnnviz.adversarial.catalog import METHODS, MINIMAL, NORMS, Norm, require_support, resolve_method
from cnnviz.adversarial.commands import messages
from cnnviz.adversarial.commands.param_types import TransformNames
from cnnviz.adversarial.commands.records import AttackOptions, AttackRecord, draw_report, file_fields
from cnnviz.app.declare import option
from cnnviz.app.options import check_with_option, class_option, eps_option
from cnnviz.app.param_types import Finite, ModelName, joined
from cnnviz.app.photo_command import photo_command
from cnnviz.app.records import Result, field
from cnnviz.app.session import Session, StoredInput
from cnnviz.control import Control


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
    report: str | None = option("Also draw the photo, the change made visible, and the result, each with its classes.",
                                default=None, type=click.Path(), metavar="FILE.png|FOLDER/", panel="Output",
                                recorded=False, beside="-report.png")  # fmt: skip

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


@photo_command(Options, Record, suffix="-adversarial.png", stored=True, progress=("attacking", "passes"))
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
    messages.note_diagnostics(session, photo.job, attack.warnings)
    record = Record(
        network=network.name, clean_top=network.top(attack.clean_logits), method=attack.method, finish=attack.finish,
        warnings=attack.warnings, **file_fields(attack.verification, attack.queries),
    )  # fmt: skip
    unmet = messages.unmet_requirements(attack.verification, options.margin, options.robust_to)
    sheet = draw_report(attack.written, record, attack.verification, unmet) if photo.job.second else None
    missed = messages.missed(record, attack.method, unmet) if unmet else ""
    return Result(record, encode=attack.written.encode, sheet=sheet, missed=missed,
                  notes=() if missed else messages.attack_notes(record, attack.method, attack.finish))  # fmt: skip
