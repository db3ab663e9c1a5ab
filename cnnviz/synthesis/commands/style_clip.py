"""How ``cnnviz style`` makes clips of clips."""

from functools import partial
from typing import TYPE_CHECKING, cast

from cnnviz.app.clip_command import is_clip_input
from cnnviz.app.clip_plan import ClipPlan, StylizedFrames
from cnnviz.app.jobs import Job
from cnnviz.app.session import Session
from cnnviz.control import Control
from cnnviz.errors import InvalidRequest
from cnnviz.synthesis.commands.style_options import Options, Record, layer_weights
from cnnviz.text import printable

if TYPE_CHECKING:
    from cnnviz.app.clip_command import ReadPhoto


def moving_inputs(options: Options) -> list[str]:
    """Return the inputs that become clips; refuse options that do not fit."""
    moving = [name for name in options.inputs if is_clip_input(name, animations=options.frame is None)]
    clips_only = {"--temporal-weight": options.temporal_weight is not None, "--lossless": options.lossless,
                  "--resume": options.resume}  # fmt: skip
    photos_only = {"--style-mask": options.style_mask, "--save-every": options.save_every,
                   "--frame": options.frame is not None, "--both-ways": options.both_ways,
                   "--method mrf": options.method == "mrf"}  # fmt: skip
    for flag in (flag for flag, given in clips_only.items() if given and not moving):
        raise InvalidRequest(f"{flag} goes with a clip")
    for flag in (flag for flag, given in photos_only.items() if given and moving):
        raise InvalidRequest(f"{flag} goes with photos, and {printable(moving[0])} is a clip")
    return moving


def plan_clip(session: Session, job: Job, _read: "ReadPhoto") -> ClipPlan:
    """Return how the clip of a job is made."""
    from cnnviz.synthesis.style_clip import TEMPORAL_WEIGHT, StyleClip
    from cnnviz.video.clip_state import open_clip
    from cnnviz.video.temporal_consistency import FrameHistory

    options, network = cast(Options, session.options), session.network
    clip, first = open_clip(job.source, options.long_side, max_pixels=options.max_pixels)
    weight = TEMPORAL_WEIGHT if options.temporal_weight is None else options.temporal_weight
    stylize = StyleClip(
        network, first, options.read_styles(), style_weights=options.style_weight,
        settings=options.settings, temporal_weight=weight, seed=options.seed,
        control=Control(note=session.console.note),
    )  # fmt: skip
    record = partial(Record, network=network.name, style_layers=layer_weights(stylize.layers.style),
                     content_layers=layer_weights(stylize.layers.content))  # fmt: skip
    return StylizedFrames(clip, stylize, FrameHistory).plan(job, session.record_file(job), record)
