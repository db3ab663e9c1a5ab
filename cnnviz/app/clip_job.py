"""A clip made frame by frame: kept without loss on the way, stopped by Ctrl-C, gone on with by --resume, written."""

import contextlib
import tempfile
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cnnviz.app import jobs, resume
from cnnviz.app.jobs import Job, Line
from cnnviz.app.resume import StopRequest
from cnnviz.app.session import Session
from cnnviz.errors import CnnvizError, printable
from cnnviz.io import write
from cnnviz.synthesis.commands import dream_options
from cnnviz.synthesis.commands.dream_clip import Plan

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from cnnviz.video.frame_store import FrameStore

    Arrays = Mapping[str, NDArray[Any]]

ENDING = ".partial.frames"
Times = list[tuple[Fraction, Fraction]]


def make(run: Session, job: Job, plan: Plan) -> Line:
    """Make a clip and write it; return the numbers of it."""
    recipe = run.recipe(plan.source, {}, moving=True)
    if run.options["resume"] and (numbers := resume.finished_numbers(job.output, recipe)):
        return numbers
    place = resume.partial_path(job.output)
    known = resume.find_partial(place, recipe, run.console, plan.names) if run.options["resume"] else None
    if known is None:  # what an earlier run kept goes with its frames
        resume.remove_partial(place)
    with _reel(job, known) as reel, resume.stop_on_interrupt(None) as stop:
        times, state, whole = _frames(
            run, plan, reel, known, stop, lambda state: resume.keep_partial(place, state, recipe)
        )
        numbers = _numbers(run, plan, reel, times) | ({} if whole else {"frames_done": len(times)})
        if state:  # also of what is whole: should writing fail, nothing is lost
            resume.keep_partial(place, state(), recipe)
        _write(run, job, plan, reel, times, {**recipe, "numbers": numbers}, whole=whole)
        if whole:
            resume.remove_partial(place)
            reel.remove()
            return numbers | {jobs.INTERRUPTED: stop.interrupted}
    again = "; --resume goes on" if place else ""
    run.console.note(f"stopped after {len(times)} frames{again}; the clip is what there was, without sound")
    return numbers | {"status": "partial", jobs.INTERRUPTED: True}


@contextlib.contextmanager
def _reel(job: Job, known: "Arrays | None") -> "Iterator[FrameStore]":
    """Yield the reel beside the result, or one that nobody sees for standard output."""
    from cnnviz.video.frame_store import FrameStore

    with tempfile.TemporaryDirectory() if job.output in write.STDOUT else contextlib.nullcontext() as spare:
        path = Path(spare) / "reel" if spare else Path(str(job.output) + ENDING)
        with contextlib.closing(FrameStore(path, int(known["number"]) + 1 if known else 0)) as reel:
            yield reel


def _frames(
    run: Session,
    plan: Plan,
    reel: "FrameStore",
    known: "Arrays | None",
    stop: StopRequest,
    keep: "Callable[[Arrays], None]",
) -> "tuple[Times, Callable[[], Arrays] | None, bool]":
    """Make the frames that are missing; return the times of all, what gives the last one's state, and whether all are.

    Terminated, it keeps what there is for --resume; where a clip breaks, what was kept before stays, and nothing else.
    """
    times: Times = []
    state = None
    try:
        with run.console.progress("dreaming", "frames") as tick:
            for made in plan.frames(known):
                times.append((made.time, made.duration))
                if made.picture is None:
                    continue
                reel.add(made.picture)
                state = made.state
                tick(len(times), plan.count or 0)
                if stop() and len(times) != plan.count:
                    return times, state, False
    except BaseException as end:
        if state and not isinstance(end, CnnvizError):
            keep(state())
        elif known is None:
            reel.remove()
        raise
    return times, state, True


def _numbers(run: Session, plan: Plan, reel: "FrameStore", times: Times) -> Line:
    height, width = next(reel.pictures()).shape[:2]
    duration = times[-1][0] + times[-1][1] - times[0][0]
    return {
        "network": run.network.name,
        "aim": dream_options.terms(plan.aim, run.network),
        "size": [height, width],
        "frames": len(times),
        "rate": round(float(plan.rate), 6),
        "duration": round(float(duration), 6),
    }


def _write(
    run: Session, job: Job, plan: Plan, reel: "FrameStore", times: Times, recipe: dict[str, Any], *, whole: bool
) -> None:  # fmt: skip
    from cnnviz.video import writing
    from cnnviz.video.clip import Frame

    frames = (Frame(picture, *time) for picture, time in zip(reel.pictures(), times, strict=True))
    writing.write_clip(
        str(job.output), frames, rate=plan.rate, recipe=recipe, time_base=plan.time_base,
        sound_from=plan.sound if whole else None,
        note=lambda text: run.console.note(f"{printable(job.source)}: {text}"),
    )  # fmt: skip
