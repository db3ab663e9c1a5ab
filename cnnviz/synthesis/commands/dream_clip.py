"""Which inputs of ``cnnviz dream`` give a clip, where it goes, and what of the options a clip has no use for."""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cnnviz.app.jobs import ENDINGS, Job, plan_jobs
from cnnviz.app.session import InputRecord, Session
from cnnviz.errors import MethodError, PhotoError, printable
from cnnviz.synthesis.commands import dream_options

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cnnviz.io.color import Photo
    from cnnviz.models.network import Network
    from cnnviz.synthesis.spec import ObjectiveSpec
    from cnnviz.video.clip import Clip
    from cnnviz.video.coherence import FrameStylizer

    Arrays = Mapping[str, NDArray[Any]]

NAMED = (".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".mpg", ".mpeg", ".ts", ".ogv", ".flv", ".wmv")
MAY_MOVE = (".gif", ".png", ".apng", ".webp")
ENDING = "-dream.mp4"
RATE = 25  # frames a second of a zoom
LEAST = 16  # pixels of a side that optical flow needs
RENEWED = 5  # a frame that goes on from the one before gets this part of the steps


@dataclass(frozen=True)
class Made:
    """A frame, uint8 (H, W, 3), or None where it was made before; when it shows; what the next one is made from."""

    picture: "Photo | None"
    time: Fraction
    duration: Fraction
    state: "Callable[[], Arrays]" = dict


@dataclass(frozen=True)
class Plan:
    """How a clip is to be made.

    ``frames`` makes them, from the arrays ``names`` that an interrupted run has kept, or from the first one on;
    ``count`` of them where it is known; ``rate``, ``time_base`` and ``sound`` (a file that has some) as
    ``video.write`` wants them.
    """

    source: InputRecord | None
    aim: "ObjectiveSpec"
    count: int | None
    rate: Fraction
    time_base: Fraction | None
    sound: Path | None
    names: Sequence[str]
    frames: "Callable[[Arrays | None], Iterator[Made]]"


def jobs(inputs: Sequence[str], output: str | None, options: Mapping[str, Any]) -> tuple[list[Job], set[str]]:
    """Return a job for every input, and the sources of those that give a clip.

    Clips are taken where they are named; what a folder holds are photos.
    """
    if options["zoom"]:
        moving = list(inputs)
    else:
        moving = [given for given in inputs if moves(given, of_pictures=options["frame"] is None)]
    check(options, moving)
    if not moving:
        return plan_jobs(inputs, output, "-dream.png"), set()
    from cnnviz.video.writing import KINDS

    still = [given for given in inputs if given not in moving]
    planned = plan_jobs(moving, output, ENDING, tuple(KINDS))
    taken = {job.source for job in planned}
    return (plan_jobs(still, output, "-dream.png") if still else []) + planned, taken


def moves(path: str, *, of_pictures: bool = True) -> bool:
    """Return whether an input is a clip: by its ending, or by what is in it where that may be either.

    Without ``of_pictures`` moving pictures, such as GIF, do not count.
    """
    ending = Path(path).suffix.lower()
    if ending in NAMED and not os.path.isdir(path):
        return True
    if not of_pictures or not os.path.isfile(path) or ending in ENDINGS.difference(MAY_MOVE):
        return False
    from cnnviz.video.clip import is_clip

    return is_clip(path)


def check(options: Mapping[str, Any], moving: Sequence[str]) -> None:
    """Refuse options that clips have no use for, and options of clips without one."""
    if not moving:
        for name in ("layers", "resume"):
            if options[name]:
                raise click.UsageError(f"--{name} goes with a clip or with --zoom")
    if options["rate"] and not options["zoom"]:
        raise click.UsageError("--rate goes with --zoom: a clip keeps its own")
    if options["layers"] and (options["layer"] or options["channels"] or options["targets"]):
        raise click.UsageError("--layers stands in place of --layer, --channel and --class")
    unfit = {"--mask": options["mask_file"], "--caricature": options["caricature"], "--approx": options["approx"],
             "--save-every": options["save_every"]}  # fmt: skip
    for flag in (flag for flag, value in unfit.items() if value and moving):
        raise click.UsageError(f"{flag} goes with a photo alone: not with a clip, nor with --zoom")
    if options["zoom"] and (clips := [given for given in moving if Path(given).suffix.lower() in NAMED]):
        raise click.UsageError(f"--zoom goes into a photo, and {printable(clips[0])} is a clip")
    films = [] if options["zoom"] else list(moving)
    for flag, given in (("--frame", options["frame"] is not None), ("--background", options["background"] != "white")):
        if given and films:
            raise click.UsageError(f"{flag} goes with pictures, and {printable(films[0])} is a clip")


def planned(run: Session, job: Job, photo: "Callable[[Job], tuple[Photo, InputRecord | None]]") -> Plan:
    """Return the plan of a clip or of a zoom; ``photo`` reads what a zoom begins with."""
    return _zoom(run, *photo(job)) if run.options["zoom"] else _clip(run, job)


def _dreamer(run: Session, first: "Photo", count: int) -> "tuple[ObjectiveSpec, FrameStylizer]":
    """Return what is dreamt of and what dreams a frame; ``count`` of them, over which --layers follow each other."""
    from cnnviz.synthesis.dream import frame_stylizer
    from cnnviz.synthesis.zoom import crossfade

    o, layers = run.options, run.options["layers"]
    guides = [dream_options.read_guide(path, o) for path in o["guides"]]
    aim = dream_options.aim(run.network, {**o, "layer": layers} if layers else o, guides)
    start = dream_options.tensor(first).to(run.network.device).float().div_(255)
    if layers:
        _try_layers(run.network, aim)

    def aim_at(number: int) -> "ObjectiveSpec":
        if not layers:
            return aim
        weights = zip(layers, crossfade(len(layers), number / max(count - 1, 1)), strict=True)
        return replace(aim, layers={name: weight for name, weight in weights if weight > 0})

    names = ("octaves", "octave_scale", "jitter", "step_size", "tv_weight", "strength", "original_colors", "seed")
    return aim, frame_stylizer(run.network, start, aim_at, **{name: o[name] for name in names})


def _try_layers(network: "Network", aim: "ObjectiveSpec") -> None:
    """See that all of --layers can be climbed before the first frame: the last one would fail after hours."""
    import torch

    from cnnviz.models.features import FeatureExtractor
    from cnnviz.synthesis import ascent
    from cnnviz.synthesis.spec import build_objective

    trunk, grey = FeatureExtractor(network, aim.names), torch.full((1, 3, *network.size), 0.5, device=network.device)
    ascent.full_gradient(trunk, build_objective(trunk, aim, grey))(grey)


def _clip(run: Session, job: Job) -> Plan:
    from cnnviz.video.clip import read_clip

    o = run.options
    clip = read_clip(job.source, max_pixels=o["max_pixels"])
    size = min(dream_options.resize(next(clip.frames()).picture, o["longer"]).shape[:2])
    if size < LEAST:
        raise PhotoError(f"has frames of {size} pixels a side; a film needs {LEAST}: see --size")
    count = clip.count
    if o["layers"] and count is None:
        count = sum(1 for _ in clip.frames())
    first = dream_options.resize(next(clip.frames()).picture, o["longer"])
    source = run.source(job)
    aim, dream = _dreamer(run, first, count or 1)
    sound = Path(job.source) if clip.sound else None
    names = ("number", "frame", "hallucination", "owed", "strength", "shift")

    def frames(known: "Arrays | None") -> Iterator[Made]:
        return _filmed(run, clip, dream, known)

    return Plan(source, aim, count, clip.rate, clip.time_base, sound, names, frames)


def _filmed(run: Session, clip: "Clip", dream: "FrameStylizer", known: "Arrays | None") -> Iterator[Made]:
    from cnnviz.video.coherence import CoherenceState, stylize_clip

    state = CoherenceState.restored(known) if known else None
    moments = clip.frames()
    for _ in range(state.number + 1 if state else 0):
        if (passed := next(moments, None)) is None:
            raise MethodError("has fewer frames than were dreamt; remove what was kept to start anew")
        yield Made(None, passed.time, passed.duration)
    times: list[tuple[Fraction, Fraction]] = []

    def pictures() -> "Iterator[Photo]":
        for moment in moments:
            times.append((moment.time, moment.duration))
            yield dream_options.resize(moment.picture, run.options["longer"])

    steps = run.options["steps"]
    for shot in stylize_clip(
        pictures(), dream, steps=steps, renew=_renewed(steps), state=state, device=run.network.device
    ):
        yield Made(shot.picture, *times.pop(), shot.state.arrays)


def _renewed(steps: int) -> int:
    return max(1, round(steps / RENEWED))


def _zoom(run: Session, photo: "Photo", source: InputRecord | None) -> Plan:
    from cnnviz.synthesis.zoom import match_color_statistics

    o = run.options
    first = dream_options.resize(photo, o["longer"])
    aim, dream = _dreamer(run, first, o["zoom"])
    rate = Fraction(o["rate"] or RATE).limit_denominator(1001)
    start = dream_options.tensor(first).to(run.network.device).float().div_(255)
    steady = match_color_statistics(dream, start)

    def frames(known: "Arrays | None") -> Iterator[Made]:
        import torch

        from cnnviz.synthesis.zoom import zoom

        at = int(known["number"]) if known else 0
        picture = torch.from_numpy(known["picture"]).to(start.device) if known else start
        for number in range(at + 1 if known else 0):
            yield Made(None, number / rate, 1 / rate)
        going = zoom(picture, steady, o["zoom"], steps=_renewed(o["steps"]), start=at)
        for number, shot in enumerate(going, at + 1 if known else 0):
            kept = {"number": torch.tensor(number).numpy(), "picture": shot.picture.float().cpu().numpy()}
            yield Made(dream_options.pixels(shot.picture[0]), number / rate, 1 / rate, lambda kept=kept: kept)  # type: ignore[misc]

    return Plan(source, aim, o["zoom"], rate, None, None, ("number", "picture"), frames)
