"""Messages about an attack's result, and the requirements that it does not meet."""

from collections.abc import Mapping, Sequence

from cnnviz.adversarial.catalog import METHODS, MINIMAL
from cnnviz.adversarial.commands.records import (
    AttackRecord,
    RobustnessRecord,
    RobustnessSummary,
    UniversalRecord,
    UniversalSummary,
)
from cnnviz.adversarial.results import OtherNetwork, Verification
from cnnviz.app.jobs import Job
from cnnviz.app.session import Session
from cnnviz.models.catalog import ClassProbability
from cnnviz.text import plural, printable

OF_NETWORK = ("randomized", "probabilities")  # kinds of diagnostics that concern the network: printed once
WORDS = {
    "jpeg90": "JPEG at quality 90", "jpeg75": "JPEG at quality 75", "webp80": "WebP at quality 80",
    "bilinear": "bilinear resizing", "blur": "blurring",
}  # fmt: skip


def note_diagnostics(session: Session, job: Job, warnings: Mapping[str, str]) -> None:
    """Print what weakens the result of an attack; of a network once, and not for every photo."""
    for kind, text in warnings.items():
        if kind in OF_NETWORK:
            session.console.once(text)
        else:
            session.console.note(f"{printable(job.source)}: {text}")


def unmet_requirements(verification: Verification, margin: float, robust_to: Sequence[str]) -> tuple[str, ...]:
    """Return what was required and is not true of the file: to fool, a margin, transforms, other networks."""
    if not verification.fooled:
        return ("not fooled",)
    lost = {name.rstrip("0123456789") if name.startswith("resize") else name
            for name, robust in verification.robust_to.items() if not robust}  # fmt: skip
    return (
        *([f"by {verification.margin:.3g} logits only"] if verification.margin < margin else []),
        *(f"not after {name}" for name in robust_to if name in lost),
        *(f"not {row.network}" for row in verification.other_networks if row.attacked and not row.fooled),
    )


def missed(record: AttackRecord, method: str, unmet: Sequence[str]) -> str:
    """Return why a file does not do what was required, and which options may help its method."""
    best = record.top[0]
    words = f"not fooled: the best attempt is classified as {best.name} ({best.probability:.0%})"
    if record.fooled:
        words = f"the best attempt fools, but {', '.join(unmet)}"
    return words + hint(method, record.warnings)


def hint(method: str, warnings: Mapping[str, str]) -> str:
    """Return which options may help a method, if any."""
    if "zero_gradients" in warnings:  # whose sentence says what may
        return ""
    row = METHODS[method]
    options = [("a larger --eps", row.capped), ("more --steps", row.steps > 0)]
    return f"; {' or '.join(words for words, helps in options if helps)} may help"


def attack_notes(record: AttackRecord, method: str, finish: str | None) -> tuple[str, ...]:
    """Return the notes on an attacked photo; ``finish``: how an external method's change ended."""
    before, after = record.clean_top[0], record.top[0]
    if record.levels == 0:
        return (f"{label(before)} already: nothing is changed",)
    storing = f" (storing alone makes {record.storing_levels})" if record.storing_levels else ""
    size = f"{plural(record.levels, 'level')} at most{storing}, PSNR {record.psnr:.1f} dB"
    notes = [f"{label(before)} -> {label(after)}; {size}"]
    if method == MINIMAL and not record.passes["backward"]:
        notes.append("storing the photo in this file is enough: nothing else is changed")
    if finish == MINIMAL:
        notes.append(f"the change of {method} fooled by less than required: {MINIMAL} went on from there")
    if lost := lost_transforms(record.robust_to):
        notes.append(f"only this file fools: it is undone by {', '.join(lost)} (see --robust-to)")
    if record.control:
        notes.append("random noise of the same size fools too: the network is unsure of this photo")
    return (*notes, *(_other(row, record.goal, record.target) for row in record.other_networks))


def lost_transforms(robust_to: Mapping[str, bool]) -> list[str]:
    """Return the transforms, in words, after which a file no longer fools; the sizes of "resize" are one."""
    sizes = [robust for name, robust in robust_to.items() if name.startswith("resize")]
    resizing = f"resizing ({sizes.count(False)} of {len(sizes)} sizes)"
    return list(dict.fromkeys(WORDS.get(name, resizing) for name, robust in robust_to.items() if not robust))


def label(row: ClassProbability) -> str:
    """Return a class with its probability."""
    return f"{row.name} {row.probability:.0%}"


def _other(row: OtherNetwork, goal: int | None, target: int) -> str:
    """Return how another network classifies the file."""
    words = "fooled" if row.fooled else "not fooled"
    if goal is None and row.clean_top[0].index != target:
        words = "misclassifies the clean photo"
    return f"{row.network} ({'ensemble' if row.attacked else 'held out'}): {words}, {row.top[0].name}"


def level_text(job: Job, record: RobustnessRecord) -> str:
    """Return a photo's smallest level, and its class before and there."""
    level = "-" if record.levels is None else record.levels
    change = f" -> {label(record.top[0])}" if record.levels else ""
    return f"{level:>4}  {printable(job.source)}: {label(record.clean_top[0])}{change}"


def table_text(summary: RobustnessSummary) -> str:
    """Return accuracy against level as a table."""
    rows = enumerate(zip(summary.accuracy, summary.noise_accuracy, strict=True))
    return "\n".join(["", "level  accuracy  random noise",
                      *(f"{level:>5}  {share:>8.1%}  {noise:>12.1%}" for level, (share, noise) in rows)])  # fmt: skip


def universal_text(job: Job, record: UniversalRecord) -> str:
    """Return how a photo is classified without and with a universal change."""
    kind = "held-out photo" if record.part == "held_out" else "photo of the search"
    before = label(record.clean_top[0])
    result = f"fooled: {before} -> {label(record.top[0])}" if record.fooled else f"not fooled: {before}"
    return f"{printable(job.source)}: {kind}, {result}"


def own_file_text(pattern: str) -> str:
    """Return why the file of a universal change cannot be written: it is a photo's, or its result's."""
    return f"{printable(pattern)}: is the change's own file; rename the photo of this name"


def summary_text(summary: UniversalSummary, required: float) -> str:
    """Return which share of the photos a universal change fools, and whether more than ``required`` held-out ones."""
    rates, held_out = summary.fooling_rates, summary.fooling_rates["held_out"]
    shares = ", ".join(f"{rates[part]:.0%} of the {plural(summary.parts[part], 'photo')} {words}"
                       for part, words in (("search", "of the search"), ("held_out", "held out"))
                       if summary.parts[part])  # fmt: skip
    generalises = "" if held_out is None or held_out > required else "; it does not generalise"
    size, noise = plural(summary.levels, "level"), f"noise of its size {summary.control_rate:.0%}"
    return f"one change of at most {size} fools {shares}; {noise}{generalises}"
