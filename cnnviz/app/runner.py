"""Run a command's work for every job: failures, statuses, files, lines of ``--json``."""

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from cnnviz.app.jobs import FIGURES, Job, find_inputs, plan_network_job, refuse_clashes
from cnnviz.app.options import CommandOptions
from cnnviz.app.recorder import collective_name, record_value
from cnnviz.app.records import SCHEMA, Result, print_line, to_json
from cnnviz.app.resume import keep_partial, partial_path, remove_partial
from cnnviz.app.session import Session
from cnnviz.app.status_line import LINE
from cnnviz.errors import CnnvizError, InvalidRequest, MethodError, Status, WeightsError, final_status, internal_error
from cnnviz.io import write
from cnnviz.io.recipe import JsonObject, Recipe
from cnnviz.text import printable

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from cnnviz.app.records import Picture


@dataclass(frozen=True)
class Outcome:
    """What one finished job reports.

    JSON ``fields``, None where the line is printed later; ``status`` "ok", "partial" or "missed"; whether -o was
    ``written``; whether Ctrl-C ended it; ``text`` for standard output and ``notes`` for standard error, both for a
    person; whether a part of it ``failed``.
    """

    fields: Recipe | None
    status: str = "ok"
    written: bool = True
    interrupted: bool = False
    text: str = ""
    notes: tuple[str, ...] = ()
    failed: bool = False


def run_jobs(session: Session, jobs: Sequence[Job], work: Callable[[Job], Outcome]) -> Status:
    """Do ``work`` for every job; a job that fails is reported in one line and does not stop the rest.

    With ``--json`` every job prints one JSON object on standard output, failures too; otherwise its text. Unavailable
    weights and wrong usage end the run, since they would fail for every job. Returns the exit status.
    """
    lines = session.options.json
    refuse_two_streams(session, jobs)
    refuse_clashes(jobs)
    statuses = set()
    for number, job in enumerate(jobs):
        started = time.monotonic()
        try:
            outcome = _attempt(session, job, work)
        except (InvalidRequest, WeightsError) as error:
            for rest in jobs[number:] if lines else ():
                print_line(json_line(session, rest, error=str(error)))
            raise
        except CnnvizError as error:
            text = f"{printable(job.source)}: {error}"
            statuses.add(error.status)
            session.console.error(text)
            if lines:
                print_line(json_line(session, job, error=text, seconds=time.monotonic() - started))
            continue
        statuses.add(Status.MISSED if outcome.status == "missed" else Status.FAILED if outcome.failed else Status.OK)
        if lines and outcome.fields is not None:
            print_line(json_line(session, job, outcome, seconds=time.monotonic() - started))
        _report(session, job, outcome)
        if outcome.interrupted:
            statuses.add(Status.INTERRUPTED)
            break
    return final_status(statuses)


def json_line(
    session: Session, job: Job, outcome: Outcome | None = None, *, error: str | None = None, seconds: float = 0.0
) -> JsonObject:
    """Return the JSON object of a finished or failed job."""
    return {
        "schema": SCHEMA,
        "command": session.command,
        "input": job.source,
        "output": job.output if outcome and outcome.written else None,
        "status": outcome.status if outcome else "error",
        "error": error,
        "network": None,
        "seconds": round(seconds, 3),
        "seed": getattr(session.options, "seed", 0),
        **((outcome and outcome.fields) or {}),
    }


def _report(session: Session, job: Job, outcome: Outcome) -> None:
    if outcome.text and not session.options.json and job.output != "-":
        LINE.erase()  # standard output may be the same terminal
        print(outcome.text, flush=True)
    for note in outcome.notes if not session.options.json else ():
        session.console.note(note)
    output = job.output if outcome.written else None
    files = [printable(path) for path in (output, job.second) if path not in (None, "-")]
    if files:
        session.console.note(f"{printable(job.source)} -> {', '.join(files)}")


def _attempt(session: Session, job: Job, work: Callable[[Job], Outcome]) -> Outcome:
    """Do one job; whatever goes wrong, except for a closed pipe, is a CnnvizError."""
    try:
        if job.trouble:
            raise CnnvizError(job.trouble)
        for path in filter(None, (job.output, job.second)):  # before any work
            prepare_output(session, job, path)
        return work(job)
    except (CnnvizError, BrokenPipeError):
        raise
    except MemoryError as error:
        raise MethodError("does not fit into memory") from error
    except Exception as error:
        raise MethodError(internal_error(error)) from error


def plan_collection(session: Session, inputs: Sequence[str], target: str | None, suffix: str) -> tuple[list[Job], Job]:
    """Return a job for each photo, and that of one figure of them all, whose file may be written; as ``plan_jobs``."""
    [figure] = plan_network_job(collective_name(inputs), target, suffix, FIGURES)
    own = os.path.realpath(str(figure.output))
    jobs = find_inputs(inputs, lambda path: os.path.realpath(path) == own)
    refuse_two_streams(session, [figure])
    refuse_clashes([*jobs, figure])
    prepare_output(session, figure, str(figure.output))
    return jobs, figure


def refuse_two_streams(session: Session, jobs: Sequence[Job]) -> None:
    """Refuse to write both a picture and the lines of ``--json`` to standard output."""
    if session.options.json and any("-" in (job.output, job.second) for job in jobs):
        raise InvalidRequest("standard output takes the picture (-o -) or the lines of --json, not both")


def prepare_output(session: Session, job: Job, path: str) -> None:
    """Make the folder of a result where the job may, and raise where the file must not be written."""
    if job.tree:
        write.make_folder(Path(path).parent)
    write.check_output(path, overwrite=getattr(session.options, "overwrite", False))


def is_refused(session: Session, job: Job) -> bool:
    """Return whether the file of a job must not be written."""
    try:
        prepare_output(session, job, str(job.output))
    except CnnvizError:
        return True
    return False


def finish(session: Session, job: Job, recipe: JsonObject, result: Result[Any], interrupted: bool = False) -> Outcome:
    """Write the files of a result with their recipe, keep or remove unfinished work, and return what is reported."""
    numbers = to_json(result.record, recorded=True)
    options = {key: record_value(value, file=True) for key, value in result.recorded_files.items()}
    recipe = recipe | {"options": recipe["options"] | options, "numbers": numbers}
    own, second = without_sheet(recipe, session.options), second_option(session.options)[0]
    drawn = result.image is not None or result.encode is not None
    written = drawn and job.output is not None and (not result.missed or getattr(session.options, "keep_failed", False))
    if written and result.encode is not None:
        write.write_bytes(str(job.output), result.encode(own))
    elif written and result.image is not None:
        write_picture(str(job.output), result.image, own)
    if job.second and result.arrays is not None:
        write.write_arrays(job.second, result.arrays, recipe)
    elif job.second and result.sheet is not None:  # its numbers depend on the format of the first image
        sheet = {"option": second, "picture": Path(str(job.output)).suffix.lower()}
        write_picture(job.second, result.sheet, recipe | {"sheet": sheet})
    if getattr(session.options, "resume", None) is not None:
        place = partial_path(job.output)
        if result.kept is not None:
            keep_partial(place, result.kept, recipe)
        else:
            remove_partial(place)
    status = "missed" if result.missed else "partial" if result.partial else "ok"
    if result.missed:
        session.console.error(f"{printable(job.source)}: {result.missed}")
    line = to_json(result.record)
    line |= {"raw": job.second} if "raw" in line else {}
    return Outcome(line, status, written, interrupted, result.text, result.notes, result.failed)


def without_sheet(recipe: JsonObject, options: CommandOptions) -> JsonObject:
    """Return a recipe without the options that only the second image of a command depends on."""
    second, items = second_option(options)[0], [item for item in fields(options) if "option" in item.metadata]
    others = {item.name for item in items if second and item.metadata["option"].requires == second}
    return recipe | {"options": {name: value for name, value in recipe["options"].items() if name not in others}}


def write_picture(path: str, picture: "Picture", recipe: Recipe) -> None:
    """Write a figure or an image with its recipe; matplotlib is imported for a figure alone."""
    if not hasattr(picture, "savefig"):
        write.write_image(path, cast("Any", picture), recipe)
        return
    from cnnviz.figures.output import write_figure

    write_figure(path, cast("Figure", picture), recipe)


def second_option(options: CommandOptions | type[CommandOptions]) -> tuple[str, str]:
    """Return the name of the option that asks for a second file, and that file's ending; "" twice without one."""
    declared = ((item.name, item.metadata["option"]) for item in fields(options) if "option" in item.metadata)
    return next(((name, spec.beside) for name, spec in declared if spec.beside), ("", ""))
