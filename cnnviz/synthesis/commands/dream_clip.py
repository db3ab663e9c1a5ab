"""How ``cnnviz dream`` makes clips: of a clip frame by frame, of a photo with --zoom."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, cast

from cnnviz.app.clip_command import is_clip_input
from cnnviz.app.clip_plan import ClipFrame, ClipPlan, StylizedFrames
from cnnviz.app.jobs import VIDEOS, Job
from cnnviz.app.session import PhotoInput, Session
from cnnviz.synthesis.commands.ascent_options import settings_of
from cnnviz.synthesis.commands.dream_options import Options, Record, check_clip_options, objective_terms

if TYPE_CHECKING:
    from cnnviz.app.clip_command import ReadPhoto
    from cnnviz.app.clip_plan import Arrays
    from cnnviz.io.convert import Photo
    from cnnviz.synthesis.dream import DreamSettings
    from cnnviz.synthesis.dream_clip import DreamStylizer
    from cnnviz.synthesis.zoom import Zoom

RATE = 25  # frames per second of a zoom


def moving_inputs(options: Options) -> list[str]:
    """Return the inputs that become clips: all with --zoom; refuse options that do not fit."""
    if options.zoom:
        moving = list(options.inputs)
        clips = [name for name in moving if Path(name).suffix.lower() in VIDEOS]
    else:
        moving = clips = [name for name in options.inputs if is_clip_input(name, animations=options.frame is None)]
    check_clip_options(options, moving, clips)
    return moving


def dream_settings(options: Options, *, noise: bool) -> "DreamSettings":
    """Return the settings of a dream; from noise its colours are smooth."""
    from cnnviz.synthesis.dream import DreamSettings

    return replace(settings_of(DreamSettings, options), smooth_colors=noise)


def plan_clip(session: Session, job: Job, read: "ReadPhoto") -> ClipPlan:
    """Return how the clip of a job is made: of a clip, or with --zoom of a photo, which ``read`` reads."""
    options = cast(Options, session.options)
    return _plan_zoom(session, options, read(job)) if options.zoom else _plan_frames(session, options, job)


def _plan_frames(session: Session, options: Options, job: Job) -> ClipPlan:
    from cnnviz.io.convert import resize_long_side
    from cnnviz.video.clip_state import open_clip
    from cnnviz.video.coherence import CoherenceState, stylize_frame

    clip, first = open_clip(job.source, options.long_side, max_pixels=options.max_pixels)
    if options.layer_sequence and clip.count is None:
        clip = replace(clip, count=sum(1 for _ in clip.frames()))
    source = session.record_file(job)
    stylizer, record = _stylizer(session, options, first, clip.count or 1)

    def advance(frame: "Photo", last: CoherenceState | None) -> CoherenceState:
        image = resize_long_side(frame, options.long_side)
        return stylize_frame(image, stylizer, options.steps, last, session.network.device)

    return StylizedFrames(clip, advance, CoherenceState).plan(job, source, record)


def _plan_zoom(session: Session, options: Options, photo: PhotoInput) -> ClipPlan:
    from cnnviz.io.convert import resize_long_side
    from cnnviz.synthesis.zoom import Zoom

    count = options.zoom or 0
    first = resize_long_side(photo.image, options.long_side)
    stylizer, record = _stylizer(session, options, first, count, noise=photo.record is None)
    rate = Fraction(options.rate or RATE).limit_denominator(1001)
    frames = ZoomFrames(Zoom(stylizer.first, stylizer, options.steps), count, rate)
    return ClipPlan(photo.record, record, frames, ("number", "frame"), count, rate)


def _stylizer(
    session: Session, options: Options, first: "Photo", count: int, *, noise: bool = False
) -> "tuple[DreamStylizer, partial[Record]]":
    """Return the stylizer of ``count`` frames, and what makes the record of the fields of the finished clip."""
    from cnnviz.synthesis.dream_clip import DreamStylizer

    network, spec = session.network, options.objective_with_guides()
    stylizer = DreamStylizer(network, first, spec, dream_settings(options, noise=noise), options.seed,
                             sequence_over=count if options.layer_sequence else 0)  # fmt: skip
    return stylizer, partial(Record, network=network.name, objective=objective_terms(spec, network))


@dataclass(frozen=True)
class ZoomFrames:
    """The ``count`` frames of a zoom, for ``ClipPlan``."""

    zoom: "Zoom"
    count: int
    rate: Fraction

    def __call__(self, kept: "Arrays | None") -> Iterator[ClipFrame]:
        """Yield the frames; those up to the one in ``kept`` without their image."""
        import numpy as np
        import torch

        from cnnviz.io.convert import to_image

        image, done = self.zoom.first, 0
        if kept:
            image, done = torch.from_numpy(kept["frame"]).to(image.device), int(kept["number"]) + 1
        for number in range(self.count):
            time = number / self.rate, 1 / self.rate
            if number < done:
                yield ClipFrame(None, *time)
                continue
            image = self.zoom.next_frame(image, number) if number else image
            state = {"number": np.array(number), "frame": image.float().cpu().numpy()}
            yield ClipFrame(to_image(image), *time, state)
