"""One run of ``cnnviz universal``: the search on two of three photos, a verified file of each, a summary."""

import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from cnnviz.adversarial.commands import messages
from cnnviz.adversarial.commands.records import (
    PARTS,
    AttackOptions,
    UniversalRecord,
    UniversalSummary,
    draw_report,
    file_fields,
)
from cnnviz.app.jobs import Job
from cnnviz.app.recorder import InputRecord, collective_name, collective_record
from cnnviz.app.records import Result
from cnnviz.app.runner import Outcome, finish
from cnnviz.app.session import Session
from cnnviz.errors import CnnvizError, InvalidRequest, WeightsError
from cnnviz.io import write

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from cnnviz.adversarial.pipeline import AttackedPhoto
    from cnnviz.adversarial.target import QueryCount
    from cnnviz.adversarial.universal import UniversalPerturbation

SUFFIX = "-universal.png"
HELD_OUT_EVERY = 3  # each third photo has no part in the search
REQUIRED = 0.5  # more than this share of the photos must be fooled
SHORTER = 480  # pixels of the shorter side of the pattern's figure, at least


@dataclass(frozen=True)
class UniversalSearch:
    """The change, the passes of each photo of the search, by path, and how a recipe records all photos."""

    result: "UniversalPerturbation"
    queries: "Mapping[str, QueryCount]"
    source: InputRecord


@dataclass
class UniversalRun:
    """One run over ``jobs``, the photos and the files that they become, with the ``records`` so far."""

    session: Session
    options: AttackOptions
    jobs: Sequence[Job]
    eps: int
    steps: int
    records: list[UniversalRecord] = field(default_factory=list)

    @property
    def pattern(self) -> str:
        """The file of the change itself."""
        return str(Path(self.options.output or ".") / f"{collective_name(self.options.inputs)}-pattern{SUFFIX}")

    def check_pattern(self) -> None:
        """Raise where the file of the change is another's."""
        taken = {os.path.realpath(path) for job in self.jobs for path in (job.source, job.output, job.second) if path}
        if os.path.realpath(self.pattern) in taken:
            raise InvalidRequest(messages.own_file_text(self.pattern))
        if self.options.output and not os.path.isdir(self.options.output):
            write.make_folder(Path(self.options.output))
        write.check_output(self.pattern, overwrite=self.options.overwrite)

    def process(self, job: Job) -> Outcome:
        """Write the file of one photo with the change, verify it, and return what is reported."""
        photo, network, search = self.session.read_stored(job), self.session.network, self.search

        from cnnviz.adversarial.pipeline import attacked_photo

        attacked = attacked_photo(photo.image, network, self.options.fit, str(job.output))
        written = search.result.apply(attacked, self.options.ground_truth)
        queries = search.queries.get(job.source)
        warnings = search.result.diagnose(written, queries)
        messages.note_diagnostics(self.session, job, warnings)
        with self.session.progress("checking the file", "transforms") as control:
            verification = written.verify(control=control)
        record = UniversalRecord(
            network=network.name, clean_top=network.top(attacked.clean_logits), warnings=warnings,
            part=PARTS[job.source not in search.queries], **file_fields(verification, queries),
        )  # fmt: skip
        self.records.append(record)
        kept, unmet = record.fooled or self.options.keep_failed, () if record.fooled else ("not fooled",)
        result = Result(
            record, encode=written.encode if kept else None,
            sheet=draw_report(written, record, verification, unmet) if job.second else None,
            notes=(messages.universal_text(job, record),),
        )  # fmt: skip
        outcome = finish(self.session, job, self.session.recipe(search.source), result)
        return outcome if record.fooled else replace(outcome, status="missed", written=kept)

    @cached_property
    def search(self) -> UniversalSearch:
        """The change, searched on the photos that are not held out."""
        network, part, sources = self.session.network, list[str](), list[InputRecord]()

        from cnnviz.adversarial.universal import universal

        with self.session.progress("searching one change", "rounds") as control:
            result = universal(
                network, self._photos(part, sources), eps=self.eps, steps=self.steps, seed=self.options.seed,
                ground_truth=self.options.ground_truth, control=control,
            )  # fmt: skip
        source = collective_record(collective_name(self.options.inputs), sources)
        return UniversalSearch(result, dict(zip(part, result.queries, strict=True)), source)

    def _photos(self, part: list[str], sources: list[InputRecord]) -> "Iterator[AttackedPhoto]":
        """Yield the photos of the search, with their paths in ``part``; ``sources`` are all that can be attacked.

        What cannot be read or written is left out: ``process`` reports it.
        """
        from cnnviz.adversarial.pipeline import attacked_photo

        for job in self.jobs:
            try:
                for path in filter(None, (job.output, job.second)):
                    write.check_output(path, overwrite=self.options.overwrite)
                photo = self.session.read_stored(job)
                attacked = attacked_photo(photo.image, self.session.network, self.options.fit)
            except (InvalidRequest, WeightsError):
                raise
            except CnnvizError:
                continue
            sources.append(photo.record)
            if len(sources) % HELD_OUT_EVERY:
                part.append(job.source)
                yield attacked

    def finish(self, job: Job) -> Outcome:
        """Write the change as an image, and return what is reported of all photos."""
        summary = summarize(self.records)
        text, reached = messages.summary_text(summary, REQUIRED), (summary.fooling_rates["all"] or 0) > REQUIRED
        image = draw_pattern(self.search.result.change.numpy())
        result = Result(summary, image, missed="" if reached else text, notes=(text,) if reached else ())
        return finish(self.session, job, self.session.recipe(self.search.source), result)


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
