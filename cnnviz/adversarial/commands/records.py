"""Options, JSON fields and words that the attacks share, and the report of an attacked file."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import click

from cnnviz.adversarial.results import OtherNetwork, Top, Verification
from cnnviz.app.declare import Declared, option
from cnnviz.app.options import (
    FigureOptions,
    KeepFailedOptions,
    OutputOptions,
    PhotoOptions,
    SeedOptions,
    class_option,
    look_option,
)
from cnnviz.app.records import PhotoRecord, Record, field
from cnnviz.app.session import Session
from cnnviz.figures.style import ThemeName
from cnnviz.text import printable

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from cnnviz.adversarial.verification import WrittenAttack

KINDS = {"enum": ["zero_gradients", "randomized", "probabilities", "misclassified"]}  # of diagnostics
OF_NETWORK = ("randomized", "probabilities")  # kinds that concern the network: printed once


def share(help: str) -> Any:
    """Declare a JSON field of 0 to 1."""
    return field(help, minimum=0, maximum=1)


@dataclass(frozen=True, kw_only=True)
class GroundTruthOptions:
    """What the photos show."""

    ground_truth: str | None = class_option(
        "Ground-truth class of the photos; any other top class counts as misclassified. [default: the network's top "
        "class of each unchanged photo]", "--ground-truth", panel="Input",
    )  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class AttackOptions(PhotoOptions, GroundTruthOptions, FigureOptions, SeedOptions, KeepFailedOptions, OutputOptions):
    """Options of attacks whose files are verified."""

    theme: ThemeName = look_option("theme", "report")
    scale: int = look_option("scale", "report")


@dataclass(frozen=True, kw_only=True)
class PreviewOptions(FigureOptions):
    """How the figure of ``--preview`` is drawn."""

    theme: ThemeName = look_option("theme", "preview")
    scale: int = look_option("scale", "preview")


@dataclass(frozen=True, kw_only=True)
class QueryRecord(Record):
    """What an attack cost."""

    passes: dict[str, int] = field("Passes of the network: forward, and backward.", required=["forward", "backward"])


@dataclass(frozen=True, kw_only=True)
class ComparedRecord(PhotoRecord, QueryRecord):
    """What a photo's attack cost, and the classes before and after it."""

    clean_top: Top = field("The most probable classes of the unchanged photo.", minItems=1)


@dataclass(frozen=True, kw_only=True)
class AttackRecord(ComparedRecord):
    """JSON fields of an attacked photo, all measured on the written file; ``top`` are its classes."""

    fooled: bool = field("Whether the file fools the network.")
    target: int = field("Index of the photo's own class: its first, or --ground-truth.", minimum=0)
    goal: int | None = field("Index of the class to be fooled into; null for any.")
    margin: float = field("Logits by which the file fools; negative where it does not.")
    levels: int = field("Largest change of one stored value, in levels of 1/255.", minimum=0)
    l0: int = field("Number of values changed.", minimum=0)
    l1: int = field("Sum of the changes, in levels.", minimum=0)
    l2: float = field("Root of the sum of their squares, in levels.", minimum=0)
    changed: float = share("Share of the values that are changed.")
    psnr: float | None = field("Peak signal-to-noise ratio in dB; null where nothing is changed.")
    ssim: float = field("Structural similarity to the photo.")
    storing_levels: int = field("Largest change that storing the clean photo in such a file makes.", minimum=0)
    robust_to: dict[str, bool] = field("Whether the file still fools after each transform.")
    control: bool = field("Whether the same change with random signs, at random places, fools too.")
    other_networks: list[OtherNetwork] = field("What other networks make of the file; attacked: with --ensemble.")
    warnings: dict[str, str] = field("What weakens the result, a sentence for each kind.", propertyNames=KINDS)


def sheet_option(help: str, beside: str, metavar: str = "FILE.png|FOLDER/") -> Declared:
    """Declare the option of a second image, which in a folder is named after the result, with the ending ``beside``."""
    return option(help, default=None, type=click.Path(), metavar=metavar, panel="Output", recorded=False, beside=beside)


def note_diagnostics(session: Session, source: str, warnings: Mapping[str, str]) -> None:
    """Print what weakens the result of an attack; of a network once, and not for every photo."""
    for kind, text in warnings.items():
        if kind in OF_NETWORK:
            session.console.once(text)
        else:
            session.console.note(f"{printable(source)}: {text}")


def label(top: Top) -> str:
    """Return the first class with its probability."""
    return f"{top[0].name} {top[0].probability:.0%}"


def draw_report(
    session: Session, written: "WrittenAttack", record: AttackRecord, verification: Verification, *,
    missed: tuple[str, ...], held_out: bool = False,
) -> "Figure":  # fmt: skip
    """Return the figure of photo, change and result."""
    from cnnviz.adversarial.figures.perturbation import ReportFacts, draw_perturbation

    facts = ReportFacts(str(record.network), record.clean_top, verification, list(record.warnings), held_out,
                        "" if record.goal is None else session.network.class_name(record.goal))  # fmt: skip
    look = cast(FigureOptions, session.options).look
    return draw_perturbation(written.photo.clean_photo, written.image, facts, missed, look)
