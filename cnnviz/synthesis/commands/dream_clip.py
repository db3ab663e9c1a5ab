"""How ``cnnviz dream`` makes clips: of a clip frame by frame, of a photo with --zoom."""

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, cast

from cnnviz.app.clip_command import VIDEOS, is_clip_input
from cnnviz.app.clip_plan import ClipPlan, StylizedFrames
from cnnviz.app.jobs import Job
from cnnviz.app.session import Session
from cnnviz.synthesis.commands.ascent_options import settings_of
from cnnviz.synthesis.commands.dream_inputs import objective_with_guides
from cnnviz.synthesis.commands.dream_options import Options, Record, check_clip_options, objective_terms
from cnnviz.synthesis.commands.dream_zoom import plan_zoom

if TYPE_CHECKING:
    from cnnviz.app.clip_command import ReadPhoto


def moving_inputs(options: Options) -> list[str]:
    """Return the inputs that become clips: all with --zoom; refuse options that do not fit."""
    if options.zoom:
        moving = list(options.inputs)
        clips = [name for name in moving if Path(name).suffix.lower() in VIDEOS]
    else:
        moving = [name for name in options.inputs if is_clip_input(name, animations=options.frame is None)]
        clips = moving
    check_clip_options(options, moving, clips)
    return moving


def plan_clip(session: Session, job: Job, read: "ReadPhoto") -> ClipPlan:
    """Return how the clip of a job is made: of a clip, or with --zoom of a photo, which ``read`` reads."""
    options = cast(Options, session.options)
    return plan_zoom(session, options, read(job)) if options.zoom else _plan_frames(session, options, job)


def _plan_frames(session: Session, options: Options, job: Job) -> ClipPlan:
    from cnnviz.io.convert import resize_long_side
    from cnnviz.synthesis.dream import DreamSettings
    from cnnviz.synthesis.dream_clip import first_frame
    from cnnviz.synthesis.frame_dream import coherence_settings, make_stylizer
    from cnnviz.video.clip import read_clip

    clip = read_clip(job.source, max_pixels=options.max_pixels)
    first = first_frame(clip, options.long_side)
    count = clip.count
    if options.layer_sequence and count is None:
        count = sum(1 for _ in clip.frames())
    source = session.record_file(job)
    network, spec = session.network, objective_with_guides(options)
    stylizer = make_stylizer(network, first, spec, settings_of(DreamSettings, options), options.seed,
                             sequence_over=(count or 1) if options.layer_sequence else 0)  # fmt: skip
    frames = StylizedFrames(
        clip, stylizer, coherence_settings(options.steps), partial(resize_long_side, long_side=options.long_side),
        network.device,
    )  # fmt: skip
    record = partial(Record, network=network.name, objective=objective_terms(spec, network))
    sound = Path(job.source) if clip.sound else None
    return ClipPlan(source, record, frames, frames.state_names, count, clip.rate, clip.time_base, sound)
