"""Commands over photos, and over a network alone: from a module-level function to a click command."""

import contextlib
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, TypeVar

import click

from cnnviz.app.declare import command
from cnnviz.app.interrupts import watch
from cnnviz.app.jobs import VIDEOS, Job, add_second_file, find_inputs, plan_jobs, plan_network_job
from cnnviz.app.network_loading import Loader, model_network
from cnnviz.app.options import FigureOptions
from cnnviz.app.records import Record, Result
from cnnviz.app.resume import finished_numbers, stop_on_interrupt
from cnnviz.app.runner import Outcome, finish, run_jobs, second_option
from cnnviz.app.session import Input, Session
from cnnviz.errors import PhotoError
from cnnviz.io import write
from cnnviz.io.recipe import JsonObject

F = TypeVar("F", bound=Callable[..., Any])
INPUT_NAME = "cnnviz.input_name"  # key of click's context: what the recipe calls the input of a rerun


@dataclass(frozen=True)
class Runner:
    """How a command runs: its function for every photo, or once for a network where ``over_photos`` is False.

    A result is called STEM + ``suffix``; None: nothing is written. ``formats``: endings of names, if not those of
    images. ``stored``: photos are given as their files store them; ``clips``: inputs are clips. ``progress``: label
    and unit of the progress bar. ``stoppable``: Ctrl-C and --time-limit set ``control.stopped``. ``check`` refuses
    options that do not fit the inputs, before any work. ``loader`` loads the network, if it is not a classifier's.
    ``clips_by``: the command to use for a clip, which this one refuses.
    """

    function: Callable[..., Result[Any]]
    record: type[Record]
    suffix: str | None
    formats: Sequence[str] = ()
    over_photos: bool = True
    stored: bool = False
    clips: bool = False
    progress: tuple[str, str] = ("computing", "steps")
    stoppable: bool = False
    check: Callable[[Any, Sequence[Job]], None] | None = None
    loader: Loader = model_network
    clips_by: str = ""

    def __call__(self, options: Any) -> None:
        """Run for every input, and leave with the exit status."""
        session = open_session(command_name(self.function), options, self.loader)
        jobs = self.jobs(options)
        if self.check:
            self.check(options, jobs)
        click.get_current_context().exit(int(run_jobs(session, jobs, lambda job: self.process(session, job))))

    def jobs(self, options: Any) -> list[Job]:
        """Return a job for every input, with the files that it writes."""
        if self.suffix is None:
            return find_inputs(options.inputs)
        if self.over_photos:
            jobs = plan_jobs(options.inputs, options.output, self.suffix, self.endings(options))
        else:
            jobs = plan_network_job(options.model, options.output, self.suffix, self.endings(options))
        return plan_second_files(jobs, options, self.suffix)

    def endings(self, options: Any) -> Sequence[str]:
        """Return how the names of results may end: as the options say; those of figures also in .pdf and .svg."""
        framed = isinstance(options, FigureOptions) and not getattr(options, "bare", False)
        own: Sequence[str] = getattr(options, "endings", ())
        return own or self.formats or (*write.FORMATS, *(write.VECTOR_FORMATS if framed else ()))

    def read(self, session: Session, job: Job) -> Input[Any]:
        """Return a job's photo or clip."""
        if self.clips:
            return session.read_clip(job)
        if self.clips_by and Path(job.source).suffix.lower() in VIDEOS:
            raise PhotoError(f"is a clip; {self.clips_by} makes maps of clips")
        return session.read_stored(job) if self.stored else session.read(job)

    def process(self, session: Session, job: Job) -> Outcome:
        """Run the function for one job, write its files, and return what is reported."""
        photo = self.read(session, job) if self.over_photos else None
        source, arguments = (photo.record, (photo,)) if photo else (None, ())
        recipe = session.recipe(source, moving=self.clips) if job.output is not None else {"options": {}}
        skipped = finished_fields(session, job, recipe, self.record)
        if skipped is not None:
            return skipped
        limit, stop = getattr(session.options, "time_limit", None), None
        with contextlib.ExitStack() as stack:
            if self.stoppable:
                stop = stack.enter_context(stop_on_interrupt(limit, begun=False))
            control = stack.enter_context(session.console.progress(*self.progress))
            if stop:
                control = replace(control, stopped=stop, report=stop.noticing(control.report))
            result = self.function(session, *arguments, session.options, control)
        del photo, arguments  # a large photo is not held while its image is written
        return finish(session, job, recipe, result, stop is not None and stop.interrupted)


def photo_command(options: type, record: type[Record], *, suffix: str | None, **settings: Any) -> Callable[[F], F]:
    """Make a function (session, photo, options, control) -> Result a command over photos; ``settings``: Runner."""
    return lambda function: attach(function, options, Runner(function, record, suffix, **settings))


def network_command(options: type, record: type[Record], *, suffix: str, **settings: Any) -> Callable[[F], F]:
    """Make a function (session, options, control) -> Result a command without photos; ``settings`` of ``Runner``."""
    return lambda function: attach(function, options, Runner(function, record, suffix, over_photos=False, **settings))


@dataclass(frozen=True)
class PlainRunner:
    """How a command runs whose function takes its options and returns the exit status, None for 0.

    ``record`` is the class of its JSON lines, where it prints some; ``summary`` that of a last one about all inputs.
    """

    function: Callable[[Any], int | None]
    record: type[Record] | None = None
    summary: type[Record] | None = None

    def __call__(self, options: Any) -> None:
        """Run, and leave with the exit status."""
        click.get_current_context().exit(int(self.function(options) or 0))


def plain_command(
    options: type, record: type[Record] | None = None, summary: type[Record] | None = None
) -> Callable[[F], F]:
    """Make a function of its options a command that does the rest itself; it returns the exit status, None for 0."""
    return lambda function: attach(function, options, PlainRunner(function, record, summary))


def attach(function: F, options: type, run: Runner | PlainRunner) -> F:
    """Give a function its click command, as ``function.command``, and leave it as it is."""
    function.command = command(options, command_name(function), function.__doc__ or "", run)  # type: ignore[attr-defined]
    return function


def command_name(function: Callable[..., Any]) -> str:
    """Return the name of a function's command: top_images is top-images."""
    return function.__name__.replace("_", "-")


def open_session(name: str, options: Any, loader: Loader = model_network) -> Session:
    """Return the session of the command that click is running; ``loader`` loads its network.

    matplotlib's remarks stay off standard error, and its import does not fail for a backend that does not exist here.
    """
    import logging  # for work alone: the overview and the help start faster without it

    os.environ["MPLBACKEND"] = "agg"
    logging.getLogger("matplotlib").addHandler(logging.NullHandler())
    session = Session(name, options, click.get_current_context().meta.get(INPUT_NAME), loader)
    watch(session.console)
    return session


def plan_second_files(jobs: list[Job], options: Any, suffix: str) -> list[Job]:
    """Return the jobs with the file of the option that asks for a second one, such as --raw."""
    name, ending = second_option(options)
    target = getattr(options, name) if name else None
    return add_second_file(jobs, target, Path(suffix).stem + ending, f"--{name}") if target else jobs


def finished_fields(session: Session, job: Job, recipe: JsonObject, record: type[Record]) -> Outcome | None:
    """Return what is reported of a result that --resume finds finished; None where there is work to do."""
    if not getattr(session.options, "resume", False) or job.second:
        return None
    numbers = finished_numbers(job.output, recipe, record)
    raw = {"raw": None} if any(item.name == "raw" for item in fields(record)) else {}
    return None if numbers is None else Outcome(raw | numbers)
