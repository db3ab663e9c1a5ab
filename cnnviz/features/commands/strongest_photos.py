"""The search of ``deconv`` over a folder: failures told, what was found kept to go on from."""

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cnnviz.app import resume
from cnnviz.app.jobs import SCHEMA, Job, Line, print_line
from cnnviz.app.session import InputRecord, Session
from cnnviz.errors import CnnvizError, InvalidRequest, MethodError, Status, printable

if TYPE_CHECKING:
    from torch import Tensor

    from cnnviz.features.top_activations import TopActivations
    from cnnviz.graph.receptive_field import LayerInfo

KEPT = ("values", "numbers", "places", "widths", "taken")
DRAWING = ("span", "method", "rule", "field")  # options that the search does not depend on
KEEP_EVERY = 30.0  # seconds


@dataclass
class Task:
    """One search: the photos in order of their names, where results go, and the settings.

    ``given`` the folders as named; ``statuses`` what came of it; ``failed`` how many photos could not be read, or were
    refused by the network; ``fields`` what is known of the layer, by the size of the input.
    """

    run: Session
    jobs: list[Job]
    root: Path
    fit: str
    options: Mapping[str, Any]
    source: InputRecord
    given: str
    statuses: set[Status] = field(default_factory=lambda: {Status.OK})
    failed: int = 0
    fields: "dict[tuple[int, int], LayerInfo | None]" = field(default_factory=dict)

    @property
    def layer(self) -> str:
        """The layer's name."""
        return str(self.options["layer"])

    def file(self, ending: str) -> Path:
        """Return where a result lies: the layer's name, and an ending."""
        return self.root / f"{self.layer}{ending}"

    def recipe(self, numbers: Line) -> dict[str, Any]:
        """Return the recipe of a result of the whole folder."""
        made = self.run.recipe(self.source, numbers)
        return made | {"input": made["input"] | {"photos": len(self.jobs)}}

    def searching(self) -> dict[str, Any]:
        """Return the recipe of the search alone, whatever is drawn of it."""
        made = self.recipe({})
        return made | {"options": {key: value for key, value in made["options"].items() if key not in DRAWING}}

    def read(self, job: Job) -> "tuple[Tensor, str]":
        """Return a photo as the network's input, and its sha256."""
        from cnnviz.models import preprocess

        if job.trouble:
            raise MethodError(job.trouble)
        photo, source = self.run.read(job)
        return preprocess.fit(photo, self.run.network, self.fit)[0], source.sha256


def best_photos(task: Task, stop: resume.StopRequest) -> "TopActivations | None":
    """Return each map's strongest photos, with those of a search that was stopped before; None where there are none."""
    import torch

    from cnnviz.features.top_activations import TopActivations, top_activations

    best, unfinished = None, task.file(".partial.npz")
    if task.options["resume"] and (known := resume.find_partial(unfinished, task.searching(), task.run.console, KEPT)):
        arrays = [torch.from_numpy(known[key]) for key in KEPT]
        done, last, task.failed = arrays[4].tolist()
        best = TopActivations(arrays[0], arrays[1], arrays[2], arrays[3], done, last)
        if task.failed:
            task.statuses.add(Status.FAILED)
            task.run.console.note(f"{task.failed} photos failed before")
    kept = time.monotonic()

    def tell(found: TopActivations) -> None:
        nonlocal kept
        tick(found.done, len(task.jobs))
        if time.monotonic() - kept > KEEP_EVERY:
            keep(task, found)
            kept = time.monotonic()

    with task.run.console.progress("searching", "photos") as tick:
        return top_activations(
            task.run.network, _pictures(task, best.last + 1 if best else 0), layer=task.layer, top=task.options["top"],
            known=best, stop=stop, progress=tell, failed=lambda number, error: _fail(task, number, error),
        )  # fmt: skip


def keep(task: Task, best: "TopActivations") -> None:
    """Keep what has been found, to go on from."""
    import numpy as np

    arrays = {key: getattr(best, key).numpy() for key in KEPT[:4]}
    arrays["taken"] = np.array([best.done, best.last, task.failed])
    resume.keep_partial(task.file(".partial.npz"), arrays, task.searching())


def _pictures(task: Task, first: int) -> "Iterator[tuple[int, Tensor]]":
    """Yield photos by number; one that cannot be read is told and left out.

    Not read ahead in threads: decoding silences the C libraries' standard error, which is the whole process's.
    """
    for number, job in enumerate(task.jobs[first:], first):
        try:
            x = task.read(job)[0]
        except InvalidRequest:  # it would be the same for all
            raise
        except CnnvizError as error:
            _fail(task, number, error)
        else:
            yield number, x


def _fail(task: Task, number: int, error: CnnvizError) -> None:
    """Tell of a photo that failed; the others go on."""
    task.statuses.add(error.status)
    task.failed += 1
    told = f"{printable(task.jobs[number].source)}: {error}"
    task.run.console.error(told)
    if task.options["lines"]:
        print_line(line_of(task) | {"input": task.jobs[number].source, "status": "error", "error": told})


def line_of(task: Task) -> Line:
    """Return what every line of ``--json`` has, to be filled in."""
    return {"schema": SCHEMA, "command": task.run.command, "input": None, "output": None, "status": "ok",
            "error": None, "network": task.run.network.name, "seconds": 0.0, "seed": 0}  # fmt: skip
