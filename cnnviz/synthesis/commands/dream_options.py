"""Options and JSON fields of ``cnnviz dream``, over photos and over clips."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

import click
from click import IntRange

from cnnviz.app.clip_plan import ClipRecord
from cnnviz.app.declare import argument, option
from cnnviz.app.options import (
    EXISTING,
    LosslessOptions,
    NetworkOptions,
    OutputOptions,
    ReadingOptions,
    ResumeOptions,
    SaveEveryOptions,
    SeedOptions,
    features_model_option,
    jitter_option,
    step_size_option,
    steps_option,
    tv_weight_option,
)
from cnnviz.app.param_types import Finite, Weighted, weighted
from cnnviz.app.records import field
from cnnviz.errors import InvalidRequest
from cnnviz.synthesis.commands.ascent_options import check_snapshots, read_images
from cnnviz.synthesis.spec import ObjectiveSpec, parse_objective
from cnnviz.text import printable

if TYPE_CHECKING:
    from cnnviz.models.network import Network

NOISE = "noise"  # the input that stands for no photo; a file of that name is ./noise
OBJECTIVE = ("layer", "channel", "targets")
COMPUTE_SIZE = 1600


class LayerNames(click.ParamType):  # type: ignore[type-arg,unused-ignore]
    """Names of layers with commas between them."""

    name = "layers"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, ...]:
        """Return two names or more."""
        names = value if isinstance(value, tuple) else tuple(part.strip() for part in str(value).split(","))
        if len(names) < 2 or not all(names) or any("=" in name for name in names):
            self.fail(f"{value!r} is not two or more layers separated by commas, without weights", param, ctx)
        return names


class ComputeSize(click.ParamType):  # type: ignore[type-arg,unused-ignore]
    """Pixels, at least 16, or full."""

    name = "pixels"

    def convert(
        self, value: str | int, param: click.Parameter | None, ctx: click.Context | None
    ) -> int | Literal["full"]:
        """Return the number or the word."""
        if value == "full":
            return "full"
        pixels: int = IntRange(16)(value, param, ctx)
        return pixels


@dataclass(frozen=True, kw_only=True)
class Options(
    ReadingOptions, NetworkOptions, SaveEveryOptions, LosslessOptions, ResumeOptions, SeedOptions, OutputOptions
):
    """Options of ``cnnviz dream``."""

    model: str = features_model_option()
    inputs: tuple[str, ...] = argument(word=NOISE, nargs=-1, required=True, type=click.Path(allow_dash=True))
    layer: tuple[str, ...] = option(
        "Layer whose activation is increased, by its name in 'cnnviz layers'; can be repeated. "
        "Weights are relative. [default: see docs/dream.md; required for networks not listed there]",
        default=(), type=Weighted(), multiple=True, metavar="NAME[=WEIGHT]")  # fmt: skip
    channel: tuple[str, ...] = option(
        "Channel to maximise in place of its whole layer; can be repeated.", default=(), type=Weighted(), multiple=True,
        metavar="[LAYER:]N[=WEIGHT]")  # fmt: skip
    targets: tuple[str, ...] = option("Class whose logit is increased; can be repeated.", "--class", default=(),
                                      type=Weighted(), multiple=True, metavar="NAME|INDEX[=WEIGHT]")  # fmt: skip
    guide: tuple[str, ...] = option("Image whose features the layer is to take on; can be repeated.",
                                    default=(), type=EXISTING, multiple=True, metavar="FILE", file=True)  # fmt: skip
    caricature: bool = option("Exaggerate the features that the photo itself has.", default=False)
    layer_sequence: tuple[str, ...] | None = option(
        "Layers of a clip that follow one another, each fading into the next.", default=None, type=LayerNames(),
        metavar="NAME,NAME...", excludes=OBJECTIVE)  # fmt: skip
    long_side: int | None = option("Longer side of the result. [default: the photo's own; 512 for noise]", default=None,
                                   type=IntRange(16), metavar="PIXELS", panel="Input")  # fmt: skip
    compute_size: int | Literal["full"] = option(
        "Longer side at which the change of a larger photo is computed; it is then enlarged and added to the photo's "
        "own pixels. full: the photo's own size.", default=COMPUTE_SIZE, type=ComputeSize(), metavar="PIXELS|full",
        panel="Input")  # fmt: skip
    mask: str | None = option("Image of the photo's size: white where the photo may change, black where it may not.",
                              default=None, type=EXISTING, metavar="FILE", panel="Input", file=True)  # fmt: skip
    original_colors: bool = option("Keep the photo's colours: change the brightness alone.", default=False)
    strength: float = option("Factor of the change that is added to the photo.", default=1.0, type=Finite(0),
                             metavar="FACTOR")  # fmt: skip
    approximate_tiles: bool = option(
        "Tile large photos even for layers that see the whole image: each tile then sees only its surroundings.",
        default=False)  # fmt: skip
    steps: int = steps_option(10, "in each octave")
    octaves: int = option("Sizes of the image, from small to large.", default=4, type=IntRange(1, 32), metavar="N")
    octave_scale: float = option("Size of an octave relative to the one before.", default=1.4,
                                 type=Finite(1, 8, min_open=True), metavar="FACTOR")  # fmt: skip
    jitter: int = jitter_option(16)
    step_size: float = step_size_option(0.015)
    tv_weight: float = tv_weight_option(0.0, "0")
    zoom: int | None = option("Make a clip of so many frames that zooms into the photo.", default=None,
                              type=IntRange(2), metavar="FRAMES")  # fmt: skip
    rate: float | None = option("Frames per second of --zoom. [default: 25]", default=None, type=Finite(1, 240),
                                metavar="FRAMES", requires="zoom")  # fmt: skip

    def __post_init__(self) -> None:
        check_snapshots(self.save_every, self.output)
        spec = self.objective  # refuses what is malformed before anything is loaded
        if (self.guide or self.caricature) and not spec.layers:
            raise InvalidRequest("--guide and --caricature go with a --layer that is not reduced to a --channel")

    @property
    def class_words(self) -> list[str]:
        """The classes of --class, without their weights."""
        return [weighted(text)[0] for text in self.targets]

    @cached_property
    def objective(self) -> ObjectiveSpec:
        """What is maximised, as far as it is known without the network and without the guides' files."""
        if self.layer_sequence:
            return ObjectiveSpec(dict.fromkeys(self.layer_sequence, 1.0))
        channels = list(map(weighted, self.channel))
        spec = parse_objective(dict(map(weighted, self.layer)), channels, dict(map(weighted, self.targets)), self.model)
        return replace(spec, caricature=self.caricature)

    def objective_with_guides(self) -> ObjectiveSpec:
        """Return what is maximised, with the images of --guide. Raises MethodError for one that cannot be read."""
        return replace(self.objective, guides=tuple(read_images(self.guide, self)))


@dataclass(frozen=True, kw_only=True)
class ObjectiveTerm:
    """A term of the objective: a layer, a channel of it, or a class."""

    weight: float = field("Weight: a share of a step.")
    layer: str | None = field("Name of the layer.", default=None, optional=True)
    channel: int | None = field("Number of the channel.", default=None, optional=True)
    target: int | None = field("Index of the class.", default=None, optional=True)
    class_name: str | None = field("Name of the class.", default=None, optional=True)


@dataclass(frozen=True, kw_only=True)
class Record(ClipRecord):
    """JSON fields of ``cnnviz dream``."""

    objective: list[ObjectiveTerm] = field("What was maximised.", minItems=1)
    octaves: list[list[int]] | None = field("Height and width of each octave; not of clips.", default=None,
                                            optional=True)  # fmt: skip
    values: list[float] | None = field("The objective before the last step of each octave; not of clips.", default=None,
                                       optional=True)  # fmt: skip
    steps_done: int | None = field("Steps done when the run was stopped.", default=None, progress_of="octaves",
                                   minimum=0)  # fmt: skip


def objective_terms(spec: ObjectiveSpec, network: "Network") -> list[ObjectiveTerm]:
    """Return the terms of a spec for the record."""
    terms = [ObjectiveTerm(layer=name, weight=weight) for name, weight in spec.layers.items()]
    terms += [ObjectiveTerm(layer=name, channel=number, weight=weight)
              for (name, number), weight in spec.channels.items()]  # fmt: skip
    classes = spec.for_network(network).classes
    return terms + [ObjectiveTerm(target=int(index), class_name=network.class_name(int(index)), weight=weight)
                    for index, weight in classes.items()]  # fmt: skip


def check_clip_options(options: Options, moving: Sequence[str], clips: Sequence[str]) -> None:
    """Refuse options that do not fit the inputs that become clips, ``clips`` among them, or need one."""
    clips_only = {"--layer-sequence": options.layer_sequence, "--lossless": options.lossless,
                  "--resume": options.resume}  # fmt: skip
    for flag, value in clips_only.items():
        if value and not moving:
            raise InvalidRequest(f"{flag} goes with a clip or with --zoom")
    photos_only = {"--mask": options.mask, "--caricature": options.caricature,
                   "--approximate-tiles": options.approximate_tiles, "--save-every": options.save_every,
                   "--compute-size": options.compute_size != COMPUTE_SIZE}  # fmt: skip
    for flag in (flag for flag, value in photos_only.items() if value and moving):
        raise InvalidRequest(f"{flag} goes with photos only, not with clips or --zoom")
    if options.zoom and clips:
        raise InvalidRequest(f"--zoom goes with photos, and {printable(clips[0])} is a clip")
    for flag, given in (("--frame", options.frame is not None), ("--background", options.background != "white")):
        if given and clips:
            raise InvalidRequest(f"{flag} goes with photos, and {printable(clips[0])} is a clip")
