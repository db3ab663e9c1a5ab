"""The options that several commands share, in groups: one name, one help text, one default.

Groups are bases alone: without eq and repr, which their commands' classes have, they are made in half the time.
"""

from dataclasses import dataclass, field, replace
from typing import Any, Literal

import click
from click import Choice, IntRange

from cnnviz.app.declare import Declared, argument, option
from cnnviz.app.param_types import ChannelRange, Finite, ModelName, Triple, complete_class, complete_layer
from cnnviz.figures.style import COLORMAPS, Look, ThemeName
from cnnviz.models import catalog

Fill = Literal["grey", "mean", "black", "white", "blur", "noise"]
Score = Literal["probability", "logit"]
Dtype = Literal["float32", "float64", "bfloat16", "float16"]
Fit = Literal["crop", "squash", "pad", "whole"]
CLASS_FIELDS = ("targets", "target", "goal", "ground_truth", "find")  # of options that name classes
EXISTING = click.Path(exists=True, dir_okay=False)


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class CommandOptions:
    """Options of every command over photos or a network."""

    json: bool = option("Print one JSON object per input, one per line, on standard output.", default=False,
                        panel="Output", recorded=False)  # fmt: skip
    quiet: bool = option("Print errors only; show no progress.", "-q", "--quiet", default=False, panel="Output",
                         recorded=False)  # fmt: skip
    debug: bool = option("Show where in the program an error arose.", default=False, panel="Output", recorded=False)


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class OutputOptions(CommandOptions):
    """Options of every command that writes a file."""

    output: str | None = option(
        "Where the result goes: a file, a folder (ending in a slash), or - for standard output. "
        "[default: STEM-COMMAND.png in the current folder]",
        "-o", "--output", default=None, type=click.Path(allow_dash=True), metavar="FILE|FOLDER/|-", panel="Output",
        recorded=False,
    )  # fmt: skip
    overwrite: bool = option("Replace files that cnnviz did not write.", default=False, panel="Output", recorded=False)


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class NetworkOptions(CommandOptions):
    """Options of every command that runs a network."""

    model: str = option("The network: a name from 'cnnviz models', or timm:NAME.", "-m", "--model",
                        default=catalog.DEFAULT, type=ModelName(), metavar="NAME", panel="Network")  # fmt: skip
    weights: str | None = option("Your own weights: .safetensors or .pth (tensors, no pickled code).", default=None,
                                 type=click.Path(), metavar="FILE", panel="Network", file=True)  # fmt: skip
    class_names: str | None = option("Your own class names, one per line, in the network's order.", default=None,
                                     type=EXISTING, metavar="FILE", panel="Network", file=True)  # fmt: skip
    device: str = option("Where to compute; auto takes a GPU if there is one.", default="auto",
                         metavar="auto|cpu|cuda[:N]|mps", panel="Network")  # fmt: skip
    dtype: Dtype = option("Floating-point type to compute in.", default="float32", panel="Network")
    offline: bool = option("Make no connection: fail if the weights are not on this machine.", default=False,
                           panel="Network", recorded=False)  # fmt: skip
    mean: tuple[float, ...] | None = option("Mean of the input, RGB in 0 to 1. [default: the network's own]",
                                            default=None, type=Triple(), panel="Network")  # fmt: skip
    std: tuple[float, ...] | None = option("Standard deviation of the input, RGB in 0 to 1. "
                                           "[default: the network's own]", default=None, type=Triple(),
                                           panel="Network")  # fmt: skip

    @property
    def class_words(self) -> list[str]:
        """The classes that the options name, by name or index."""
        given = (getattr(self, name, None) or () for name in CLASS_FIELDS)
        return [word for words in given for word in ([words] if isinstance(words, str) else words)]


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class FitOptions(NetworkOptions):
    """Options of a network that is given photos, resized and cropped."""

    input_size: int | None = option("Height and width of the network's input. [default: the network's own]",
                                    default=None, type=IntRange(1), metavar="PIXELS", panel="Network")  # fmt: skip
    resize: int | None = option("Shorter side of the photo before the centre crop. [default: the network's own]",
                                default=None, type=IntRange(1), metavar="PIXELS", panel="Network")  # fmt: skip
    interpolation: str | None = option("How the photo is resized. [default: the network's own]", default=None,
                                       type=Choice(["bilinear", "bicubic"]), panel="Network")  # fmt: skip
    fit: Fit = option("How the photo becomes the input. crop: the network's own resize and centre crop; squash: to a "
                      "square; pad: to a square; whole: at its own size.", default="crop", panel="Input")  # fmt: skip


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class ReadingOptions(CommandOptions):
    """Options of how photos are read."""

    inputs: tuple[str, ...] = argument(nargs=-1, required=True, type=click.Path(allow_dash=True))
    frame: int | None = option("Frame or page of animated and multi-page files, counted from 0. [default: the first]",
                               default=None, type=IntRange(0), metavar="N", panel="Input")  # fmt: skip
    background: str = option("What shows through transparent pixels: a CSS name or #rrggbb.", default="white",
                             metavar="COLOR", panel="Input")  # fmt: skip
    max_pixels: int = option("Refuse photos of more than N pixels.", default=100_000_000, type=IntRange(1), metavar="N",
                             panel="Input")  # fmt: skip


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class PhotoOptions(ReadingOptions, FitOptions):
    """Options of every command that gives photos to a network."""


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class TargetOptions:
    """The classes of interest."""

    targets: tuple[str, ...] = option(
        "Class of interest; can be repeated. [default: the network's top class]", "--class", default=(),
        multiple=True, shell_complete=complete_class, metavar="NAME|INDEX", panel="Input")  # fmt: skip


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class FigureOptions:
    """How a figure is drawn."""

    theme: ThemeName = option("Colours of the background and the text.", default="light", panel="Figure")
    scale: int = option("Resolution: the figure is 1920 pixels wide, times 1, 2 or 3.", default=1, type=IntRange(1, 3),
                        metavar="N", panel="Figure")  # fmt: skip

    @property
    def look(self) -> Look:
        """Theme and resolution."""
        return Look(self.theme, self.scale)


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class BareOptions(FigureOptions):
    """A figure, or its images without any frame."""

    bare: bool = option("The result alone, at its own size: no caption, no colour bar.", default=False,
                        panel="Figure", excludes=("theme", "scale"))  # fmt: skip


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class ColormapOptions:
    """Colours of a map."""

    colormap: str = option("Colours of the map; auto: red and blue, or orange where no value is negative.",
                           default="auto", panel="Figure", type=Choice(COLORMAPS))  # fmt: skip


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class SeedOptions:
    """Reproducible randomness."""

    seed: int = option("Seed of all randomness.", default=0, type=IntRange(0), metavar="N")


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class RawOptions:
    """The numbers behind an image."""

    raw: str | None = option("Also store the numbers behind the image, as NumPy arrays.", default=None,
                             type=click.Path(), metavar="FILE.npz|FOLDER/", panel="Output", recorded=False,
                             beside=".npz")  # fmt: skip


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class LosslessOptions:
    """Encoding of clips."""

    lossless: bool = option("Encode a clip without loss: FFV1 in .mkv, also .png, .apng and .webp.", default=False,
                            panel="Output")  # fmt: skip


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class ResumeOptions:
    """Interrupted runs."""

    resume: bool = option("Continue an interrupted run; skip finished results.", default=False, panel="Output",
                          recorded=False)  # fmt: skip


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class ChannelOptions:
    """Channels of a layer."""

    channel: tuple[str, ...] = option("Channels to show: a number, a range such as 3-7, or all; can be repeated.",
                                      default=(), type=ChannelRange(), multiple=True, metavar="N|N-N|all")  # fmt: skip


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class KeepFailedOptions:
    """What an attack leaves where it missed its aim."""

    keep_failed: bool = option("Write the best attempt even if the attack failed.", default=False, panel="Output")


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class SaveEveryOptions:
    """Intermediate results."""

    save_every: int | None = option("Also write the image after every N-th step, beside the last.", default=None,
                                    type=IntRange(1), metavar="N", panel="Output", recorded=False)  # fmt: skip


def features_model_option() -> Declared:
    """Declare ``--model`` of a command that takes networks without classes too."""
    declared = NetworkOptions.__dataclass_fields__["model"]
    attrs = declared.metadata["option"].attrs
    return redeclare(declared, attrs=attrs | {"type": ModelName("classification", "features")})


def layer_option(help: str, default: str | None = None) -> Declared:
    """Declare ``--layer``, one layer by its name; ``help`` ends with what is taken without it."""
    return option(help, default=default, shell_complete=complete_layer, metavar="NAME")


def look_option(name: str, requires: str) -> Declared:
    """Declare ``--theme`` or ``--scale`` of a command that draws a figure for the option ``requires`` alone."""
    return redeclare(FigureOptions.__dataclass_fields__[name], requires=requires)


def score_option(default: str) -> Declared:
    """Declare ``--score``, the score of a class; the default is the method's own."""
    return option("The score of the class that is explained.", default=default)


def steps_option(default: int, unit: str) -> Declared:
    """Declare ``--steps``; ``unit`` completes "Steps ...", ``default`` is the method's own."""
    return option(f"Steps {unit}.", default=default, type=IntRange(1), metavar="N")


def eps_option(default: int) -> Declared:
    """Declare ``--eps``, the largest change of one value, in levels of 1/255."""
    return option("Largest change of one value, in levels of 1/255.", default=default, type=IntRange(1, 255),
                  metavar="LEVELS")  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class RatingOptions:
    """Whether the network rates photos."""

    rating: bool = option("The network of --weights rates photos: its rating is the score.", default=False,
                          requires="weights")  # fmt: skip


def class_option(help: str, flag: str, **attrs: Any) -> Declared:
    """Declare an option that takes one class by name or index."""
    return option(help, flag, shell_complete=complete_class, metavar="NAME|INDEX", **{"default": None} | attrs)


def check_with_option() -> Declared:
    """Declare ``--check-with``, networks that have no part in the result."""
    return option("Report how this held-out network classifies the result; can be repeated.",
                  default=(), type=ModelName(), multiple=True, metavar="MODEL")  # fmt: skip


def step_size_option(default: float) -> Declared:
    """Declare ``--step-size`` of an ascent, a share of the range from black to white."""
    return option("Root mean square of a step's changes, as a share of the range from black to white.", default=default,
                  type=Finite(0, 1, min_open=True), metavar="SHARE")  # fmt: skip


def jitter_option(default: int) -> Declared:
    """Declare ``--jitter`` of an ascent, in pixels."""
    return option("Shift the image by up to this many pixels, at random, before each step.", default=default,
                  type=IntRange(0), metavar="PIXELS")  # fmt: skip


def tv_weight_option(default: float | None, shown: str) -> Declared:
    """Declare ``--tv-weight``; ``shown`` is the default as the help names it."""
    return option(f"Weight of the total variation's gradient, relative to a step. [default: {shown}]", default=default,
                  type=Finite(0), metavar="WEIGHT", show_default=False)  # fmt: skip


def redeclare(declared: Declared, **changes: Any) -> Declared:
    """Return an option with another ``help``, default or flags: for a command whose meaning differs."""
    spec, default = declared.metadata["option"], changes.pop("default", declared.default)
    return field(default=default, metadata={"option": replace(spec, **changes)})
