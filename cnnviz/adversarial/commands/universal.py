"""How ``adversarial --method universal`` goes over photographs: one change sought on some, a file of each judged."""

import os
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from cnnviz.adversarial import diagnostics, file_attack
from cnnviz.adversarial.commands.external_methods import UNIVERSAL
from cnnviz.app.jobs import Job, Line
from cnnviz.app.session import InputRecord, Session, collective_name, collective_record, sheet_recipe
from cnnviz.errors import CnnvizError, InvalidRequest, Status, WeightsError, printable

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from cnnviz.adversarial.target import Criterion, QueryCount
    from cnnviz.io.color import Photo
    from cnnviz.models.preprocess import Geometry

EPS, ROUNDS = 10, 10  # those of the paper's xi, and what more of them add little to
KEPT_OUT = 3  # each third photograph has no part in the search
MOST = 0.5  # of the photographs must be fooled
SHORTER = 480  # pixels of the shorter side of the pattern's picture, at least


def settled(options: Mapping[str, Any], jobs: Sequence[Job], fit: str) -> None:
    """Put this method's own defaults where nobody asked for others. Raises UsageMistake for what it does not know."""
    context = click.get_current_context()
    for key in ("goal", "thorough", "survive", "transfer", "margin"):
        if options[key]:
            flag = next(param.opts[0] for param in context.command.params if param.name == key)
            raise InvalidRequest(f"--method {UNIVERSAL} knows no {flag}")
    if options["norm"] != "linf":
        raise InvalidRequest(f"--method {UNIVERSAL} knows no --norm {options['norm']}, only linf")
    if fit == "whole":
        raise InvalidRequest(f"--method {UNIVERSAL} needs one size of input: --fit crop, squash or pad")
    if len(jobs) < 2 or any(job.name == "-" for job in jobs):
        raise InvalidRequest(f"--method {UNIVERSAL} needs several photos in files: they are read twice")
    own = {"eps": EPS, "steps": ROUNDS}
    context.params |= {k: v for k, v in own.items() if context.get_parameter_source(k) is ParameterSource.DEFAULT}


@dataclass(frozen=True)
class Read:
    """What the search needs of a photograph: where it comes from, ``seen`` (h, w, 3), uint8, how, and what fools."""

    source: InputRecord
    seen: "Photo"
    geometry: "Geometry"
    aim: "Criterion"


@dataclass(frozen=True)
class Found:
    """The ``change`` (3, h, w), int16, the passes of each photograph that it was sought on, and all that were read."""

    change: "NDArray[np.int16]"
    passes: "Mapping[str, QueryCount]"
    source: InputRecord
    photos: int


class Universal:
    """One run over ``jobs``, which are photographs and the files that they become."""

    def __init__(self, jobs: Sequence[Job], fit: str, keep_failed: bool) -> None:
        self.run, self.jobs, self.fit, self.keep_failed = Session(list(jobs)), jobs, fit, keep_failed
        self.lines: list[Line] = []
        self.name = collective_name(self.run.options["inputs"])
        self.pattern = str(Path(self.run.options["output"] or ".") / f"{self.name}-{UNIVERSAL}-adversarial.png")
        taken = {os.path.realpath(path) for job in jobs for path in (job.source, job.output, job.extra) if path}
        if os.path.realpath(self.pattern) in taken:
            raise InvalidRequest(f"{printable(self.pattern)}: is the change's own file; rename the photo of this name")

    def over(self) -> None:
        """Do all of it, and leave with the exit status: 4 where not more than half of the files fool."""
        from cnnviz.io import write

        o, started = self.run.options, time.monotonic()
        if o["output"] and not os.path.isdir(o["output"]):
            write.make_folder(Path(o["output"]))
        write.check_output(self.pattern, overwrite=o["overwrite"])
        status = self.run.each(self.one, tell=lambda job, line: tell(self.run, job, line))
        if self.lines:
            missed = self._finish(time.monotonic() - started)
            if status in (Status.OK, Status.MISSED):
                status = missed
        self.run.context.exit(int(status))

    def one(self, job: Job) -> Line:
        """Return the line of a photograph whose file, with the change laid onto it, was written and judged."""
        import torch

        from cnnviz.adversarial.target import QueryCount
        from cnnviz.adversarial.universal_pattern import add_pattern
        from cnnviz.io import write

        run = self.run
        original, _ = run.original(job)
        subject = file_attack.attacked_photo(original, run.network, self.fit, str(job.output))
        clean = subject.logits(original.photo(original.values))
        aim = file_attack.criterion_for(run.network, clean, true=run.options["true"])
        passes = self.found.passes.get(job.source, QueryCount())
        warned = diagnostics.diagnose(subject, clean, passes, aim.target)
        diagnostics.say(run.console, job, warned)
        values = torch.from_numpy(add_pattern(original, subject.geometry, self.found.change))
        made = file_attack.WrittenAttack(subject, aim, values)
        numbers = {
            "network": run.network.name, "clean_top": run.network.top(clean), "method": UNIVERSAL, "finish": None,
            "part": "search" if job.source in self.found.passes else "held_out",
            "passes": {"forward": passes.forward, "backward": passes.backward}, "warnings": warned, **made.judge(run),
        }  # fmt: skip
        recipe = self._recipe(numbers)
        kept = numbers["fooled"] or self.keep_failed
        if kept:
            made.write(recipe)
        if job.extra:
            write.write_picture(
                job.extra,
                made.report(numbers, [] if numbers["fooled"] else ["not fooled"]),
                sheet_recipe(recipe, "report", str(job.output)),
            )
        self.lines.append(numbers)
        return numbers if numbers["fooled"] else numbers | {"status": "missed", "output": job.output if kept else None}

    @cached_property
    def found(self) -> Found:
        """The change, sought on two of three photographs."""
        from cnnviz.adversarial.universal import universal
        from cnnviz.models.features import LOGITS
        from cnnviz.models.preprocess import to_inputs

        run, read = self.run, self._read()
        part = {job: row for number, (job, row) in enumerate(read.items()) if number % KEPT_OUT != KEPT_OUT - 1}
        trunk, rows = run.trunk(run.network), list(part.values())
        with run.console.progress("seeking one change", "rounds") as tick:
            made = universal(
                lambda x: trunk(x)[LOGITS].float().cpu(), to_inputs([row.seen for row in rows]),
                aims=[row.aim for row in rows], ways=[_ways(row.geometry) for row in rows],
                **{key: run.options[key] for key in ("eps", "steps", "seed")},
                progress=lambda step, of, share: tick(step, of, f"{share:.0%} fooled"),
            )  # fmt: skip
        passes = dict(zip(part, made.passes, strict=True))
        return Found(
            made.change.numpy(), passes, collective_record(self.name, [row.source for row in read.values()]), len(read)
        )

    def _read(self) -> "dict[str, Read]":
        """Return what the search needs of each photograph that can be read and written; ``one`` tells of the others."""
        from cnnviz.io import write

        rows = {}
        for job in self.jobs:
            try:
                for path in filter(None, (job.output, job.extra)):
                    write.check_output(path, overwrite=self.run.options["overwrite"])
                original, source = self.run.original(job)
                subject = file_attack.attacked_photo(original, self.run.network, self.fit)
            except (InvalidRequest, WeightsError):
                raise
            except CnnvizError:
                continue
            photo = original.photo(original.values)
            aim = file_attack.criterion_for(self.run.network, subject.logits(photo), true=self.run.options["true"])
            rows[job.source] = Read(source, subject.geometry.see(photo), subject.geometry, aim)
        return rows

    def _recipe(self, numbers: Line) -> dict[str, Any]:
        """Return the recipe of a file: it is made of all the photographs."""
        recipe = self.run.recipe(self.found.source, numbers)
        recipe["input"]["photos"] = self.found.photos
        return recipe

    def _finish(self, seconds: float) -> Status:
        """Write the change as a picture, tell of all photographs, and return the exit status."""
        from cnnviz.io import write

        run, numbers = self.run, summary(self.lines)
        reached = numbers["fooling_rates"]["all"] > MOST
        written = self.pattern if reached or self.keep_failed else None
        if written:
            write.write_picture(written, picture(self.found.change), self._recipe(numbers))
        if run.options["lines"]:
            run.print_last(numbers, written, seconds, "ok" if reached else "missed")
        say(run, numbers, written)
        return Status.OK if reached else Status.MISSED


def _ways(geometry: "Geometry") -> "Any":
    import torch

    from cnnviz.adversarial.universal_pattern import resize_matrices

    return tuple(map(torch.from_numpy, resize_matrices(geometry)))


def summary(lines: Sequence[Line]) -> Line:
    """Return the share of files that fool, of all and of both parts, and that of noise of the same size."""

    def rate(key: str, *parts: str) -> float | None:
        found = [line[key] for line in lines if line["part"] in parts]
        return round(sum(found) / len(found), 6) if found else None

    both = ("search", "held_out")
    return {
        "network": lines[0]["network"],
        "method": UNIVERSAL,
        "photos": len(lines),
        "parts": {part: sum(line["part"] == part for line in lines) for part in both},
        "fooling_rates": {"all": rate("fooled", *both)} | {part: rate("fooled", part) for part in both},
        "control_rate": rate("control", *both),
        "levels": max(line["levels"] for line in lines),
        "passes": {way: sum(line["passes"][way] for line in lines) for way in ("forward", "backward")},
        "warned": dict(Counter(kind for line in lines for kind in line["warnings"])),
    }


def picture(change: "NDArray[np.int16]") -> "Photo":
    """Return a change (3, h, w) made visible: its largest value is black or white, around grey; enlarged whole."""
    import numpy as np

    factor = 127 // max(int(np.abs(change).max()), 1)
    by = -(-SHORTER // min(change.shape[1:]))
    small = (change.transpose(1, 2, 0) * factor + 128).astype(np.uint8)
    return small.repeat(by, 0).repeat(by, 1)


def tell(run: Session, job: Job, line: Line) -> None:
    """Tell a person what a photograph is taken for with the change, and whether it had a part in the search."""
    before, after = line["clean_top"][0], line["top"][0]
    words = "" if line["part"] == "search" else ", kept out"
    became = f"-> {after['name']} {after['probability']:.0%}" if line["fooled"] else "is not fooled"
    run.console.note(f"{printable(job.source)}: {before['name']} {before['probability']:.0%} {became}{words}")


def say(run: Session, numbers: Line, pattern: str | None) -> None:
    """Tell a person how many of the files fool."""
    rates, parts = numbers["fooling_rates"], numbers["parts"]
    each = [("search", "it was sought on"), ("held_out", "kept out")]
    said = ", ".join(
        f"on {rates[part]:.0%} of the {parts[part]} photo{'s' * (parts[part] != 1)} {what}"
        for part, what in each if parts[part]
    )  # fmt: skip
    size = f"{numbers['levels']} level{'s' * (numbers['levels'] != 1)}"
    text = f"one change of {size} at most fools {said}; noise of its size on {numbers['control_rate']:.0%}"
    (run.console.error if pattern is None else run.console.note)(text)
    if pattern:
        run.console.note(f"the change -> {printable(pattern)}")
