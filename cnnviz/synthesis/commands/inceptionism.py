"""``cnnviz inceptionism``: images of classes, optimised from grey."""

import re
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cnnviz.app.jobs import FIGURES, Job, is_folder, plan_network_job
from cnnviz.app.photo_command import Runner, attach, open_session
from cnnviz.app.records import Result
from cnnviz.app.runner import Outcome, is_refused, run_jobs
from cnnviz.app.session import Session
from cnnviz.control import Control
from cnnviz.synthesis.commands.ascent_options import settings_of, snapshots, stopped_note
from cnnviz.synthesis.commands.inceptionism_options import ClassFields, Options, Record
from cnnviz.synthesis.held_out import check_same_classes

if TYPE_CHECKING:
    from cnnviz.app.records import Picture
    from cnnviz.models.network import Network
    from cnnviz.synthesis.inceptionism import ClassVisualization


def inceptionism(session: Session, options: Options, control: Control) -> Result[Record]:
    """Make an image of a class.

    The logit of the class is maximised, from plain grey; --steps 1024 gives finer images in twice the time. One class
    gives its bare image, or a figure with --figure and in a PDF or SVG file; several give a sheet, or an image each
    with -o FOLDER/. Ctrl-C stops early and keeps the result so far; --resume skips finished images of a folder.

    \b
    Examples:
      cnnviz inceptionism --class banana
      cnnviz inceptionism --class banana --class starfish -o sheet.png
      cnnviz inceptionism --class all --resume -o classes/
      cnnviz inceptionism --class banana --method plain --check-with resnet50
    """
    from cnnviz.synthesis.held_out import rank_class

    network, count = session.network, len(options.targets)
    results = _visualize_classes(session, options, control)
    rows = [ClassFields(
        target=result.target, class_name=network.class_name(result.target), probability=round(result.probability, 6),
        start_probability=round(result.start_probability, 6), size=list(result.tensor.shape[-2:]),
        held_out=[rank_class(session.load_network(name), result.image, result.target) for name in options.check_with],
    ) for result in results]  # fmt: skip
    done, steps = sum(result.done for result in results), count * options.steps
    steps_done = done if done < steps else None
    image: Picture = results[0].image
    if count == 1:
        record = Record(network=network.name, **vars(rows[0]), steps_done=steps_done)
    else:
        record = Record(network=network.name, images=rows, steps_done=steps_done)
    if options.is_sheet:
        first = [row.held_out[0] for row in rows if row.held_out]
        from cnnviz.synthesis.figures.class_sheet import draw_classes

        image = draw_classes(results, [row.class_name for row in rows], network.name, options.look, first)
    notes = (*stopped_note(done, steps), *(note for row in rows for note in _rank_notes(row)))
    return Result(record, image, partial=steps_done is not None, notes=notes)


@dataclass(frozen=True)
class ClassRunner(Runner):
    """Runs one job for a file, or one for each class for a folder.

    Networks and classes are checked before the first step: weights may be unavailable, held-out classes others.
    """

    def __call__(self, options: Options) -> None:
        """Run, and leave with the exit status."""
        session = open_session("inceptionism", options)
        (job,) = plan_network_job(options.model, options.output, "-inceptionism.png", FIGURES)
        if not is_folder(options.output) and is_refused(session, job):  # reported before the network is loaded
            click.get_current_context().exit(int(run_jobs(session, [job], partial(self.process, session))))
        for name in options.check_with:
            check_same_classes(session.load_network(name), session.network)
        work = dict(plan_classes(session.network, options, options.choose_classes(session.network)))
        options.check_look(min(map(len, work.values())))

        def process(job: Job) -> Outcome:
            own = replace(options, targets=tuple(map(str, work[job])), random=None, output=job.output)
            return self.process(session.with_options(own), job)

        click.get_current_context().exit(int(run_jobs(session, list(work), process)))


attach(inceptionism, Options, ClassRunner(inceptionism, Record, "-inceptionism.png", over_photos=False,
                                          progress=("optimising", "steps"), stoppable=True))  # fmt: skip


def plan_classes(network: "Network", options: Options, chosen: list[int]) -> list[tuple[Job, list[int]]]:
    """Return the jobs and the classes of each: one job for a file, one for each class for a folder."""
    (job,) = plan_network_job(options.model, options.output, "-inceptionism.png", FIGURES)
    if options.output is None or not is_folder(options.output):
        return [(job, chosen)]
    folder, jobs = Path(str(job.output)).parent, []
    for index in chosen:
        slug = re.sub(r"[^a-z0-9]+", "-", network.class_name(index).lower())
        jobs.append((Job(options.model, output=str(folder / f"{index:03}-{slug}.png"), tree=True), [index]))
    return jobs


def _visualize_classes(session: Session, options: Options, control: Control) -> "list[ClassVisualization]":
    from cnnviz.synthesis.inceptionism import ClassSettings
    from cnnviz.synthesis.inceptionism import inceptionism as visualize_class

    count = len(options.targets)
    results: list[ClassVisualization] = []
    for number, target in enumerate(options.targets):
        if results and control.stopped():
            break
        results.append(visualize_class(
            session.network, target, settings=settings_of(ClassSettings, options), seed=options.seed,
            control=_part(control, number, count),
            on_step=snapshots(session, options.output, None, options.save_every if count == 1 else None),
        ))  # fmt: skip
    return results


def _part(control: Control, before: int, count: int) -> Control:
    """Return the control of one image of ``count``, ``before`` of which are done."""
    return replace(control, report=lambda done, of, text="": control.report(before * of + done, count * of, text))


def _rank_notes(row: ClassFields) -> list[str]:
    """Return how the held-out networks rank a class, for a person."""
    notes = []
    for own in row.held_out:
        above = "" if own.rank == 1 else f"; most probable: {own.top[0].name}"
        notes.append(f"{row.class_name}: rank {own.rank} by {own.network}, probability {own.probability:.3f}{above}")
    return notes
