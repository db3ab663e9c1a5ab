"""Clips made frame by frame: frames are stored without loss, Ctrl-C stops, --resume continues, sound is kept."""

import contextlib
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cnnviz.app import resume
from cnnviz.app.clip_plan import ClipPlan, ClipRecord
from cnnviz.app.jobs import Job
from cnnviz.app.records import to_json
from cnnviz.app.runner import Outcome
from cnnviz.app.session import Session
from cnnviz.errors import CnnvizError
from cnnviz.io import write
from cnnviz.text import printable

if TYPE_CHECKING:
    from cnnviz.app.clip_plan import Arrays
    from cnnviz.video.frame_store import FrameStore

ENDING = ".partial.frames"
Times = list[tuple[Fraction, Fraction]]


def make_clip(session: Session, job: Job, plan: ClipPlan, recipe: dict[str, Any], label: str) -> Outcome:
    """Make a clip and write it, or continue one that was interrupted; return what is reported."""
    place = resume.partial_path(job.output)
    resumed = bool(getattr(session.options, "resume", False))
    kept = resume.find_partial(place, recipe, session.console, plan.state_names) if resumed else None
    if kept is None:  # an earlier run's state belongs to its frames
        resume.remove_partial(place)
    with _open_store(job, kept) as store, resume.stop_on_interrupt() as stop:
        work = _Work(session, plan, store, place, recipe, label)
        times, finished = work.store_frames(kept, stop)
        recipe["numbers"] = numbers = to_json(_record(plan, store, times, finished))
        work.write(job, times, finished=finished)
        if finished:
            resume.remove_partial(place)
            store.remove()
            return Outcome(numbers, interrupted=stop.interrupted)
    again = "; --resume continues" if place else ""
    session.console.note(f"stopped after {len(times)} frames{again}; the clip ends there, without sound")
    return Outcome(numbers, "partial", interrupted=True)


def _record(plan: ClipPlan, store: "FrameStore", times: Times, finished: bool) -> ClipRecord:
    height, width = next(store.frames()).shape[:2]
    duration = times[-1][0] + times[-1][1] - times[0][0]
    return plan.record(
        size=[height, width], frames=len(times), rate=round(float(plan.rate), 6), duration=round(float(duration), 6),
        frames_done=None if finished else len(times),
    )  # fmt: skip


@contextlib.contextmanager
def _open_store(job: Job, kept: "Arrays | None") -> "Iterator[FrameStore]":
    """Yield the store of frames beside the result, or a temporary one for standard output."""
    from cnnviz.video.frame_store import FrameStore

    with tempfile.TemporaryDirectory() if job.output in write.STDOUT else contextlib.nullcontext() as spare:
        path = Path(spare) / "frames" if spare else Path(str(job.output) + ENDING)
        with contextlib.closing(FrameStore(path, int(kept["number"]) + 1 if kept else 0)) as store:
            yield store


@dataclass(frozen=True)
class _Work:
    session: Session
    plan: ClipPlan
    store: "FrameStore"
    place: Path | None
    recipe: dict[str, Any]
    label: str

    def store_frames(self, kept: "Arrays | None", stop: Callable[[], bool]) -> tuple[Times, bool]:
        """Store the missing frames; return the times of all, and whether all are done.

        The state of each frame is kept at once, so that --resume continues a process that was killed. If the clip turns
        out to be broken, only what an earlier run kept stays.
        """
        times: Times = []
        try:
            with self.session.console.progress(self.label, "frames") as control:
                for frame in self.plan.frames(kept):
                    times.append((frame.time, frame.duration))
                    if frame.image is None or frame.state is None:
                        continue
                    self.store.add(frame.image)
                    resume.keep_partial(self.place, frame.state, self.recipe)
                    control.report(len(times), self.plan.count or 0)
                    if stop() and len(times) != self.plan.count:
                        return times, False
        except BaseException as end:
            if kept is None and (isinstance(end, CnnvizError) or not self.store.done):
                resume.remove_partial(self.place)
                self.store.remove()
            raise
        return times, True

    def write(self, job: Job, times: Times, *, finished: bool) -> None:
        """Encode the stored frames; with the sound if they are all."""
        from cnnviz.video.clip import write_clip
        from cnnviz.video.frame import Frame

        frames = (Frame(image, *time) for image, time in zip(self.store.frames(), times, strict=True))
        write_clip(
            str(job.output), frames, rate=self.plan.rate, recipe=self.recipe, time_base=self.plan.time_base,
            sound_from=self.plan.sound if finished else None,
            lossless=bool(getattr(self.session.options, "lossless", False)),
            note=lambda text: self.session.console.note(f"{printable(job.source)}: {text}"),
        )  # fmt: skip
