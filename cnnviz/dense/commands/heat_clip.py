"""How ``cnnviz heat`` makes clips of clips."""

from functools import partial
from typing import TYPE_CHECKING, cast

from cnnviz.app.clip_command import is_clip_input
from cnnviz.app.clip_plan import ClipPlan, StylizedFrames
from cnnviz.app.jobs import Job
from cnnviz.app.session import Session
from cnnviz.dense.commands.heat_fields import HeatField, Record
from cnnviz.dense.commands.heat_options import Options
from cnnviz.errors import InvalidRequest
from cnnviz.text import printable

if TYPE_CHECKING:
    from cnnviz.app.clip_command import ReadPhoto
    from cnnviz.dense.heat_clip import HeatSurvey
    from cnnviz.models.network import Network


def moving_inputs(options: Options) -> list[str]:
    """Return the inputs that become clips; refuse options that do not fit."""
    moving = [name for name in options.inputs if is_clip_input(name, animations=options.frame is None)]
    if options.lossless and not moving:
        raise InvalidRequest("--lossless goes with a clip")
    photos_only = {"--find": options.find is not None, "--curve": options.curve, "--raw": options.raw is not None,
                   "--frame": options.frame is not None, "--theme": options.theme != "light",
                   "--scale": options.scale != 1}  # fmt: skip
    for flag in (flag for flag, given in photos_only.items() if given and moving):
        raise InvalidRequest(f"{flag} goes with photos, and {printable(moving[0])} is a clip")
    return moving


def plan_clip(session: Session, job: Job, _read: "ReadPhoto") -> ClipPlan:
    """Return how the clip of a job is made: its classes and its colours are those of a survey of its frames."""
    options, network = cast(Options, session.options), session.network
    targets = session.class_indices(options.targets)
    from cnnviz.dense.figures.heat_overlay import draw_maps, scale_to
    from cnnviz.dense.heat_clip import HeatClip, HeatState, survey_clip
    from cnnviz.video.clip import read_clip

    clip = read_clip(job.source, max_pixels=options.max_pixels)
    survey = survey_clip(network, clip, targets, options.sizes, int(options.stride), options.fit)
    scale = scale_to(survey.largest, len(options.sizes) > 1, options.colormap)
    record = _record(network, survey, scale.high)
    names = ", ".join(f"{one.name} {100 * one.probability:.1f} %" for one in record.keywords["classes"])
    session.console.note(f"{printable(job.source)}: {names}; the colours end at a logit of {scale.high:g}")
    frames = HeatClip(network, survey.targets, partial(draw_maps, scale=scale), options.sizes, int(options.stride))
    return StylizedFrames(clip, frames, HeatState).plan(job, session.record_file(job), record)


def _record(network: "Network", survey: "HeatSurvey", end: float) -> "partial[Record]":
    """Return what makes the record of the fields of the finished clip."""
    shares = survey.probabilities
    classes = [HeatField(index, network.class_name(index), round(float(shares[index]), 6), None)
               for index in survey.targets]  # fmt: skip
    return partial(Record, network=network.name, top=network.top(shares.log()), classes=classes, scale_end=end,
                   sizes=[min(grid.size) for grid in survey.grids], stride=survey.grids[0].stride)  # fmt: skip
