"""Options and JSON fields that the attacks share, and the report of an attacked file."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cnnviz.adversarial.results import OtherNetwork, Top
from cnnviz.app.options import KeepFailedOptions, OutputOptions, PhotoOptions, SeedOptions, class_option
from cnnviz.app.records import PhotoRecord, Record, field

if TYPE_CHECKING:
    from cnnviz.adversarial.results import Verification
    from cnnviz.adversarial.target import QueryCount
    from cnnviz.adversarial.verification import WrittenAttack
    from cnnviz.io.color import Photo

KINDS = {"enum": ["zero_gradients", "randomized", "probabilities", "misclassified"]}  # of diagnostics
PARTS = ["search", "held_out"]


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
class AttackOptions(PhotoOptions, GroundTruthOptions, SeedOptions, KeepFailedOptions, OutputOptions):
    """Options of attacks whose files are verified."""


@dataclass(frozen=True, kw_only=True)
class QueryRecord(Record):
    """What an attack cost."""

    passes: dict[str, int] = field("Passes of the network: forward, and backward.", required=["forward", "backward"])


@dataclass(frozen=True, kw_only=True)
class AttackRecord(PhotoRecord, QueryRecord):
    """JSON fields of an attacked photo, all measured on the written file; ``top`` are its classes."""

    clean_top: Top = field("The most probable classes of the unchanged photo.", minItems=1)
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


@dataclass(frozen=True, kw_only=True)
class UniversalRecord(AttackRecord):
    """JSON fields of one photo of ``cnnviz universal``; ``passes`` are its own in the search."""

    part: str = field("Whether the photo had a part in the search.", enum=PARTS)


@dataclass(frozen=True, kw_only=True)
class UniversalSummary(QueryRecord):
    """JSON fields of the last line of ``cnnviz universal``, about all photos."""

    photos: int = field("Number of photos.", minimum=1)
    parts: dict[str, int] = field("Number of photos in each part.", required=PARTS)
    fooling_rates: dict[str, float | None] = field(
        "Share of the files that fool, of all and of each part; null where a part is empty.", required=["all", *PARTS]
    )
    control_rate: float = share("Share of the photos that noise of the change's size fools.")
    levels: int = field("Largest change of one stored value, in levels of 1/255.", minimum=0)
    warned: dict[str, int] = field("Number of photos with each kind of warning.", propertyNames=KINDS)


@dataclass(frozen=True, kw_only=True)
class RobustnessRecord(PhotoRecord, QueryRecord):
    """JSON fields of one photo of ``cnnviz robustness``; ``top`` are the classes at ``levels``, or nearest to it."""

    clean_top: Top = field("The most probable classes of the unchanged photo.", minItems=1)
    fooled: bool = field("Whether a change of at most eps levels was found that fools.")
    levels: int | None = field("Smallest level found that fools; null for none.", minimum=0)
    noise_levels: int | None = field("The same of random noise.", minimum=0)
    warnings: dict[str, str] = field("What weakens the result, a sentence for each kind.", propertyNames=KINDS)


@dataclass(frozen=True, kw_only=True)
class RobustnessSummary(QueryRecord):
    """JSON fields of the last line of ``cnnviz robustness``, about all photos."""

    photos: int = field("Number of photos.", minimum=1)
    eps: int = field("Largest level tried.", minimum=1, maximum=255)
    accuracy: list[float] = field("Share of the photos whose class is unchanged up to each level, from 0 to eps.")
    noise_accuracy: list[float] = field("The same under random noise.")
    median_levels: int | None = field("Median of the photos' levels; null where it is beyond eps.", minimum=0)
    warned: dict[str, int] = field("Number of photos with each kind of warning.", propertyNames=KINDS)


def file_fields(verification: "Verification", queries: "QueryCount | None") -> dict[str, Any]:
    """Return the fields of an AttackRecord that an attacked file and its search give."""
    return {**vars(verification), "passes": queries.as_dict() if queries else {"forward": 0, "backward": 0}}


def draw_report(
    written: "WrittenAttack", record: AttackRecord, verification: "Verification", missed: tuple[str, ...]
) -> "Photo":  # fmt: skip
    """Return photo, change and result side by side, uint8 (H, W, 3)."""
    from cnnviz.adversarial.figures.perturbation import ReportFacts, draw_perturbation

    held_out = getattr(record, "part", "") == "held_out"
    facts = ReportFacts(str(record.network), record.clean_top, verification, list(record.warnings), held_out)
    return draw_perturbation(written.photo.clean_photo, written.image, facts, missed)
