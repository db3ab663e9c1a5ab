"""Every option that two commands share, declared once: one name, one help text, one default."""

from collections.abc import Callable
from typing import Any, TypeVar

import click
from click.core import ParameterSource

from cnnviz.app.param_types import (
    AttributionNames,
    Box,
    ClassName,
    Finite,
    ModelName,
    Survive,
    Triple,
    Weighted,
    joined,
    weighted,
)
from cnnviz.models import catalog

# So that commands find all of an option in one place.
__all__ = [
    "AttributionNames",
    "Box",
    "ClassName",
    "Finite",
    "ModelName",
    "Survive",
    "Triple",
    "Weighted",
    "joined",
    "weighted",
]

F = TypeVar("F", bound=Callable[..., Any])
Decorator = Callable[[F], F]


def together(*decorators: Decorator[Any]) -> Decorator[Any]:
    """Return one decorator for several; the first shows first in the help."""

    def decorate(function: Any) -> Any:
        for decorator in reversed(decorators):
            function = decorator(function)
        return function

    return decorate


def layer(default: str) -> Decorator[Any]:
    """Return the option of which layer is shown; ``default`` says which without it."""
    text = f"Layer to show, by its name in 'cnnviz layers'. {default}"
    return click.option("--layer", default=None, metavar="NAME", help=text)


def require_layer(layer: str | None, model: str) -> str:
    """Return the layer that was named. Raises where none was; the message says where names are to be had."""
    if layer is None:
        raise click.UsageError(f"Missing option '--layer': one of those that cnnviz layers {model} prints")
    return layer


def score(default: str) -> Decorator[Any]:
    """Return the option for the score of a class, whose default is the method's own."""
    return click.option(
        "--score", type=click.Choice(["probability", "logit"]), default=default, show_default=True,
        help="The score of the class that is followed.",
    )  # fmt: skip


FILLS = click.Choice(["grey", "mean", "black", "white", "blur", "noise"])
EXISTING = click.Path(exists=True, dir_okay=False)

inputs = click.argument("inputs", nargs=-1, required=True, type=click.Path(allow_dash=True))


def output_to(default: str) -> Decorator[Any]:
    """Return the options of where a result goes; ``default`` is how its file is called without them."""
    return together(
        click.option("-o", "--output", type=click.Path(allow_dash=True), metavar="FILE|FOLDER/|-",
                     help="Where the result goes: a file, a folder (ending in a slash), or - for standard output. "
                          f"Default: {default} in the current folder."),
        click.option("--overwrite", is_flag=True, help="Replace files that cnnviz did not write."),
    )  # fmt: skip


output = output_to("STEM-COMMAND.png")

model = click.option(
    "-m", "--model", type=ModelName(), default=catalog.DEFAULT, show_default=True, metavar="NAME",
    help="The network: a name from 'cnnviz models', or timm:NAME.",
)  # fmt: skip

weights = click.option(
    "--weights", "weights_file", type=click.Path(), metavar="FILE",
    help="Weights of your own: .safetensors or .pth (tensors alone, no pickled code).",
)  # fmt: skip
std = click.option(
    "--std", type=Triple(), help="Standard deviation of the input, RGB in 0 to 1. [default: the network's own]"
)
offline = click.option("--offline", is_flag=True, help="Make no connection: weights are here, or it fails at once.")

class_names = click.option(
    "--classes", "classes_file", type=EXISTING, metavar="FILE",
    help="Class names of your own, one a line, in the network's order.",
)  # fmt: skip
mean = click.option("--mean", type=Triple(), help="Mean of the input, RGB in 0 to 1. [default: the network's own]")
computing = together(
    click.option("--device", default="auto", show_default=True, metavar="auto|cpu|cuda[:N]|mps",
                 help="Where to compute; auto takes a GPU where there is one."),
    click.option("--dtype", type=click.Choice(["float32", "float64", "bfloat16", "float16"]), default="float32",
                 show_default=True, help="Floating-point type to compute in."),
    offline,
)  # fmt: skip

network = together(
    model,
    weights,
    class_names,
    click.option("--input-size", "size", type=click.IntRange(1), metavar="PIXELS",
                 help="Height and width of the network's input. [default: the network's own]"),
    click.option("--resize", type=click.IntRange(1), metavar="PIXELS",
                 help="Shorter side of the photo before the centre crop. [default: the network's own]"),
    click.option("--interpolation", type=click.Choice(["bilinear", "bicubic"]),
                 help="How the photo is resized. [default: the network's own]"),
    mean,
    std,
    computing,
)  # fmt: skip
network_at_any_size = together(model, weights, class_names, mean, std, computing)  # its input is not the photo fitted

reading = together(
    click.option("--frame", type=click.IntRange(0), metavar="N",
                 help="Frame or page of animated and multi-page files, counted from 0. [default: the first]"),
    click.option("--background", default="white", show_default=True, metavar="COLOR",
                 help="What shows through transparent pixels: a CSS name or #rrggbb."),
    click.option("--max-pixels", type=click.IntRange(1), default=100_000_000, show_default=True, metavar="N",
                 help="Refuse photos of more pixels."),
)  # fmt: skip
photo = together(
    click.option("--fit", type=click.Choice(["crop", "squash", "pad", "whole"]), default="crop", show_default=True,
                 help="How the photo becomes the input: the network's own resize and centre crop; squashed to a "
                      "square; padded to one; or whole, at its own size."),
    reading,
)  # fmt: skip

targets = click.option(
    "--class", "targets", type=ClassName(), multiple=True, metavar="NAME|INDEX",
    help="Class of interest; give it several times for several. [default: the network's own first]",
)  # fmt: skip

raw = click.option(
    "--raw", type=click.Path(), metavar="FILE.npz|FOLDER/",
    help="Also store the numbers behind the picture, as NumPy arrays; evaluate reads its maps.",
)  # fmt: skip

colormap = click.option(
    "--colormap", type=click.Choice(["signed", "viridis", "inferno", "magma", "plasma", "cividis", "turbo", "jet"]),
    default="signed", show_default=True, help="Colours of the map.",
)  # fmt: skip

bare = click.option("--bare", is_flag=True, help="The picture alone, at its own size: no caption, no colour bar.")
figure = together(colormap, bare)

resume = click.option(
    "--resume", is_flag=True, help="Go on with what was stopped before its end; leave alone what is whole already."
)


def tv_weight_of(default: float | None, shown: str) -> Decorator[Any]:
    """Return the option for how much is smoothed; ``default`` is the method's own, ``shown`` what the help says."""
    return click.option(
        "--tv-weight", type=Finite(0), default=default, metavar="WEIGHT",
        help=f"Smoothing: the strength of total variation's gradient beside that of a step. [default: {shown}]",
    )  # fmt: skip


tv_weight = tv_weight_of(0.0, "0")
octaves = together(
    click.option("--octaves", type=click.IntRange(1, 32), default=4, show_default=True, metavar="N",
                 help="Sizes climbed one after the other, the smallest first."),
    click.option("--octave-scale", type=Finite(1, 8, min_open=True), default=1.4, show_default=True,
                 metavar="FACTOR", help="How many times larger an octave is than the one before."),
)  # fmt: skip


def jitter(default: int) -> Decorator[Any]:
    """Return the option for how far the picture is moved before each step; ``default`` is the method's own."""
    return click.option(
        "--jitter", type=click.IntRange(0), default=default, show_default=True, metavar="PIXELS",
        help="Move the picture by up to so many pixels, at random, before each step.",
    )  # fmt: skip


def steps(default: int, of: str) -> Decorator[Any]:
    """Return the option for the number of steps; ``of`` says in what, ``default`` is the method's own."""
    return click.option(
        "--steps", type=click.IntRange(1), default=default, show_default=True, metavar="N", help=f"Steps {of}."
    )


def eps(default: int) -> Decorator[Any]:
    """Return the option for the largest change of a value; ``default`` is the method's own."""
    return click.option(
        "--eps", type=click.IntRange(1, 255), default=default, show_default=True, metavar="LEVELS",
        help="Largest change of one value, in levels of 255.",
    )  # fmt: skip


def asked(name: str) -> bool:
    """Return whether an option was given a value that is not its default: a recipe that is run again gives all."""
    context = click.get_current_context()
    param = next(param for param in context.command.params if param.name == name)
    given = context.get_parameter_source(name) is not ParameterSource.DEFAULT
    return given and context.params[name] != param.type_cast_value(context, param.get_default(context))


def step_size(default: float) -> Decorator[Any]:
    """Return the option for how long a step is; ``default`` is the method's own."""
    return click.option(
        "--step-size", type=Finite(0, 1, min_open=True), default=default, show_default=True,
        metavar="SHARE", help="Root mean square of a step's changes, as a share of the range from black to white.",
    )  # fmt: skip


def goal(default: str | None) -> Decorator[Any]:
    """Return the option of the class to be fooled into; ``default`` says what without it, None: it must be given."""
    end = "" if default is None else f" [default: {default}]"
    return click.option("--target-class", "goal", type=ClassName(), required=default is None, metavar="NAME|INDEX",
                        help=f"Class to be fooled into.{end}")  # fmt: skip


true_class = click.option(
    "--true-class", "true", type=ClassName(), metavar="NAME|INDEX",
    help="Class that the photos show; others as a first answer count as fooled. [default: the network's own first]",
)  # fmt: skip
keep_failed = click.option("--keep-failed", is_flag=True, help="Write the nearest attempt where nothing fooled.")
judges = click.option(
    "--judge", "judges", type=ModelName(), multiple=True, metavar="MODEL",
    help="Print what this network, which has no part in the picture, makes of it.",
)  # fmt: skip
save_every = click.option(
    "--save-every", type=click.IntRange(1), metavar="N", help="Also write every N-th step's picture, beside the last."
)

channels = click.option(
    "--channel", "channels", type=click.IntRange(0), multiple=True, metavar="N",
    help="Output channel to show, by its number; give it several times for several.",
)  # fmt: skip

json_lines = click.option(
    "--json", "lines", is_flag=True, help="Print one JSON object a line for every input on standard output."
)
seed = click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Seed of all randomness.")
talk = together(
    click.option("-q", "--quiet", is_flag=True, help="Say nothing but errors; show no progress."),
    click.option("--debug", is_flag=True, help="Show where in the program an error arose."),
)
