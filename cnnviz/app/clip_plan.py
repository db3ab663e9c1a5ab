"""How a clip is made: its frames, what the next one needs, its JSON record; clips stylized frame by frame."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cnnviz.app.jobs import Job
from cnnviz.app.recorder import InputRecord
from cnnviz.app.records import Record, field
from cnnviz.errors import MethodError

if TYPE_CHECKING:
    from cnnviz.app.records import Arrays as Arrays
    from cnnviz.io.color import Photo
    from cnnviz.video.clip_state import Advance, ClipState
    from cnnviz.video.frame import Clip


@dataclass(frozen=True, kw_only=True)
class ClipRecord(Record):
    """JSON fields of a command that also makes clips."""

    size: list[int] = field("Height and width of the result.", minItems=2, maxItems=2)
    frames: int | None = field("Frames of a clip.", default=None, optional=True, minimum=1)
    rate: float | None = field("Frames per second of a clip.", default=None, optional=True)
    duration: float | None = field("Duration of a clip in seconds.", default=None, optional=True)
    frames_done: int | None = field("Frames of a clip that was stopped.", default=None, progress_of="frames", minimum=1)


@dataclass(frozen=True)
class ClipFrame:
    """A frame, uint8 (H, W, 3), None if an earlier run stored it; its time; the arrays that the next one needs."""

    image: "Photo | None"
    time: Fraction
    duration: Fraction
    state: "Arrays | None" = None


@dataclass(frozen=True)
class ClipPlan:
    """How a clip is made.

    ``record`` returns the JSON record for the fields of ``ClipRecord``. ``frames`` yields the frames, from the first or
    after those of the arrays ``state_names`` that an interrupted run kept; ``count`` of them if known. ``source``,
    ``rate``, ``time_base`` and ``sound`` (a file that has some) as ``write_clip`` takes them.
    """

    source: InputRecord | None
    record: Callable[..., ClipRecord]
    frames: "Callable[[Arrays | None], Iterator[ClipFrame]]"
    state_names: Sequence[str]
    count: int | None
    rate: Fraction
    time_base: Fraction | None = None
    sound: Path | None = None


@dataclass(frozen=True)
class StylizedFrames:
    """The frames of a clip, each made from the state before it by ``advance``, as ``ClipPlan.frames``."""

    clip: "Clip"
    advance: "Advance[Any]"
    state: "type[ClipState]"

    def plan(self, job: Job, source: InputRecord, record: Callable[..., ClipRecord]) -> ClipPlan:
        """Return how the clip of a job is made, with the times and the sound of its input."""
        clip, sound = self.clip, Path(job.source) if self.clip.sound else None
        return ClipPlan(source, record, self, self.state.names(), clip.count, clip.rate, clip.time_base, sound)

    def __call__(self, kept: "Arrays | None") -> Iterator[ClipFrame]:
        """Yield the frames; those up to the state in ``kept`` without their image."""
        state = self.state.from_arrays(kept) if kept else None
        frames = self.clip.frames()
        for _ in range(state.number + 1 if state else 0):
            if (stored := next(frames, None)) is None:
                raise MethodError("has fewer frames than were stored; remove the partial files to start anew")
            yield ClipFrame(None, stored.time, stored.duration)
        for frame in frames:
            state = self.advance(frame.picture, state)
            yield ClipFrame(state.image, frame.time, frame.duration, state.arrays())
