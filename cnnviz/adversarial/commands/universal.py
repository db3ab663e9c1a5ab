"""``cnnviz universal``: one change that fools a network on most photos, and a verified file of each photo with it."""

import dataclasses
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cnnviz.adversarial.commands.records import (
    KINDS,
    AttackOptions,
    AttackRecord,
    QueryRecord,
    draw_report,
    label,
    note_diagnostics,
    share,
    sheet_option,
)
from cnnviz.app.jobs import Job, plan_jobs
from cnnviz.app.options import eps_option, steps_option
from cnnviz.app.photo_command import open_session, plain_command, plan_second_files
from cnnviz.app.recorder import InputRecord, collective_name, collective_record
from cnnviz.app.records import Result, field
from cnnviz.app.runner import Outcome, finish, prepare_output, run_jobs
from cnnviz.app.session import Session
from cnnviz.errors import CnnvizError, InvalidRequest, Status, WeightsError
from cnnviz.text import plural, printable

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from cnnviz.adversarial.pipeline import AttackedPhoto
    from cnnviz.adversarial.universal import UniversalPerturbation

SUFFIX = "-universal.png"
PARTS = ["search", "held_out"]
HELD_OUT_EVERY = 3  # each third photo has no part in the search
REQUIRED = 0.5  # more than this share of the photos must be fooled
SHORTER = 480  # pixels of the shorter side of the pattern's figure, at least


@dataclass(frozen=True, kw_only=True)
class Options(AttackOptions):
    """Options of ``cnnviz universal``."""

    eps: int = eps_option(10)
    steps: int = steps_option(10, "through all photos of the search")
    report: str | None = sheet_option(
        "Also draw each photo, the change made visible, and the result, with their classes.", "-report.png", "FOLDER/"
    )


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


@plain_command(Options, UniversalRecord, UniversalSummary)
def universal(options: Options) -> int:
    """Search for one change that fools a network on most photos.

    The change is searched on two of three photos, in whole levels of 1/255, and added to all of them; each file is
    written where it fools, and verified. The change itself, made visible, is NAME-pattern-universal.png. Where at most
    half of the files fool, the exit status is 4. INPUTS are photos or folders of photos, at least two photos.

    \b
    Examples:
      cnnviz universal photos/ -o fooled/
      cnnviz universal photos/ --eps 6 --report reports/ -o fooled/
      cnnviz universal photos/ -o fooled/ --json | jq -c 'select(.photos) | .fooling_rates'
    """
    if options.fit == "whole":
        raise InvalidRequest("a universal change needs inputs of one size: --fit crop, squash or pad")
    jobs = plan_second_files(plan_jobs(options.inputs, options.output, SUFFIX), options, SUFFIX)
    if len(jobs) < 2 or any(job.name == "-" for job in jobs):
        raise InvalidRequest("a universal change needs several photos in files: they are read twice")
    run = UniversalRun(open_session("universal", options), options, jobs)
    pattern = run.pattern_job()
    status = run_jobs(run.session, jobs, run.process)
    if not run.records:
        return status
    missed = run_jobs(run.session, [pattern], run.finish)
    return missed if status in (Status.OK, Status.MISSED) else status


@dataclass
class UniversalRun:
    """One run over ``jobs``, the photos and the files that they become, with the ``records`` so far.

    ``part``: the paths of the photos of the search; ``sources``: how a recipe records all photos.
    """

    session: Session
    options: Options
    jobs: Sequence[Job]
    records: list[UniversalRecord] = dataclasses.field(default_factory=list)
    part: list[str] = dataclasses.field(default_factory=list)
    sources: list[InputRecord] = dataclasses.field(default_factory=list)

    def pattern_job(self) -> Job:
        """Return the job of the change itself. Raises where its file is another's."""
        folder = self.options.output or "."
        pattern = str(Path(folder) / f"{collective_name(self.options.inputs)}-pattern{SUFFIX}")
        taken = {os.path.realpath(path) for job in self.jobs for path in (job.source, job.output, job.second) if path}
        if os.path.realpath(pattern) in taken:
            raise InvalidRequest(f"{printable(pattern)}: is the change's own file; rename the photo of this name")
        job = Job(", ".join(self.options.inputs), output=pattern, tree=not Path(folder).is_dir())
        prepare_output(self.session, job, pattern)
        return job

    def process(self, job: Job) -> Outcome:
        """Write the file of one photo with the change, verify it, and return what is reported."""
        photo, network, found = self.session.read_stored(job), self.session.network, self.found

        from cnnviz.adversarial.pipeline import attacked_photo

        attacked = attacked_photo(photo.image, network, self.options.fit, str(job.output))
        written = found.apply(attacked, self.options.ground_truth)
        queries = found.queries[self.part.index(job.source)] if job.source in self.part else None
        warnings = found.diagnose(written, queries)
        note_diagnostics(self.session, job.source, warnings)
        with self.session.console.progress("checking the file", "transforms") as control:
            verification = written.verify(control=control)
        record = UniversalRecord(
            network=network.name, clean_top=network.top(attacked.clean_logits), warnings=warnings,
            part=PARTS[queries is None], passes=queries.as_dict() if queries else {"forward": 0, "backward": 0},
            **vars(verification),
        )  # fmt: skip
        self.records.append(record)
        kept, sheet = record.fooled or self.options.keep_failed, None
        if job.second:
            sheet = draw_report(self.session, written, record, verification, missed=verification.unmet(),
                                held_out=queries is None)  # fmt: skip
        encode, notes = written.encode if kept else None, (universal_text(job, record),)
        outcome = self._finish(job, Result(record, encode=encode, sheet=sheet, notes=notes))
        return outcome if record.fooled else replace(outcome, status="missed", written=kept)

    @cached_property
    def found(self) -> "UniversalPerturbation":
        """The change, searched on the photos that are not held out."""
        network = self.session.network

        from cnnviz.adversarial.universal import universal

        with self.session.console.progress("searching one change", "rounds") as control:
            return universal(
                network, self._photos(), eps=self.options.eps, steps=self.options.steps, seed=self.options.seed,
                ground_truth=self.options.ground_truth, control=control,
            )  # fmt: skip

    def _photos(self) -> "Iterator[AttackedPhoto]":
        """Yield the photos of the search. What cannot be read or written is left out: ``process`` reports it."""
        from cnnviz.adversarial.pipeline import attacked_photo

        self.part, self.sources = [], []  # a search that failed begins anew
        for job in self.jobs:
            try:
                for path in filter(None, (job.output, job.second)):
                    prepare_output(self.session, job, path)
                photo = self.session.read_stored(job)
                attacked = attacked_photo(photo.image, self.session.network, self.options.fit)
            except (InvalidRequest, WeightsError):
                raise
            except CnnvizError:
                continue
            self.sources.append(photo.record)
            if len(self.sources) % HELD_OUT_EVERY:
                self.part.append(job.source)
                yield attacked

    def finish(self, job: Job) -> Outcome:
        """Write the change as an image, and return what is reported of all photos."""
        summary = summarize(self.records)
        text, reached = summary_text(summary), (summary.fooling_rates["all"] or 0) > REQUIRED
        image = draw_pattern(self.found.change.numpy())
        missed, notes = ("", (text,)) if reached else (text, ())
        return self._finish(job, Result(summary, image, missed=missed, notes=notes))

    def _finish(self, job: Job, result: Result[Any]) -> Outcome:
        source = collective_record(collective_name(self.options.inputs), self.sources)
        return finish(self.session, job, self.session.recipe(source), result)


def summarize(records: Sequence[UniversalRecord]) -> UniversalSummary:
    """Return the shares of the files that fool, of all and of both parts, and that of noise of the same size."""

    def rate(values: list[bool]) -> float | None:
        return round(sum(values) / len(values), 6) if values else None

    parts = {part: [record.fooled for record in records if record.part == part] for part in PARTS}
    return UniversalSummary(
        network=records[0].network, photos=len(records), parts={part: len(parts[part]) for part in PARTS},
        fooling_rates={"all": rate([record.fooled for record in records])} | {p: rate(parts[p]) for p in PARTS},
        control_rate=rate([record.control for record in records]) or 0.0,
        levels=max(record.levels for record in records),
        passes={way: sum(record.passes[way] for record in records) for way in ("forward", "backward")},
        warned=dict(Counter(kind for record in records for kind in record.warnings)),
    )  # fmt: skip


def draw_pattern(change: "NDArray[np.int16]") -> "NDArray[np.uint8]":
    """Return a change (3, h, w) made visible: its largest value is black or white, around grey; enlarged whole."""
    import numpy as np

    factor = 127 // max(int(np.abs(change).max()), 1)
    by = -(-SHORTER // min(change.shape[1:]))
    small = (change.transpose(1, 2, 0) * factor + 128).astype(np.uint8)
    return small.repeat(by, 0).repeat(by, 1)


def universal_text(job: Job, record: UniversalRecord) -> str:
    """Return how a photo is classified without and with a universal change."""
    kind = "held-out photo" if record.part == "held_out" else "photo of the search"
    before = label(record.clean_top)
    result = f"fooled: {before} -> {label(record.top)}" if record.fooled else f"not fooled: {before}"
    return f"{printable(job.source)}: {kind}, {result}"


def summary_text(summary: UniversalSummary) -> str:
    """Return which share of the photos a universal change fools, and whether more than REQUIRED held-out ones."""
    rates, held_out = summary.fooling_rates, summary.fooling_rates["held_out"]
    shares = ", ".join(f"{rates[part]:.0%} of the {plural(summary.parts[part], 'photo')} {words}"
                       for part, words in (("search", "of the search"), ("held_out", "held out"))
                       if summary.parts[part])  # fmt: skip
    generalises = "" if held_out is None or held_out > REQUIRED else "; it does not generalise"
    size, noise = plural(summary.levels, "level"), f"noise of its size {summary.control_rate:.0%}"
    return f"one change of at most {size} fools {shares}; {noise}{generalises}"
