"""``cnnviz visualize``: images that maximise a layer's channels."""

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import click
from click import IntRange

from cnnviz.app.declare import option
from cnnviz.app.options import (
    BareOptions,
    ChannelOptions,
    NetworkOptions,
    OutputOptions,
    SeedOptions,
    features_model_option,
    layer_option,
    redeclare,
    step_size_option,
    steps_option,
    tv_weight_option,
)
from cnnviz.app.param_types import Weighted, expand_channels, weighted
from cnnviz.app.photo_command import network_command
from cnnviz.app.records import Record as NetworkRecord
from cnnviz.app.records import Result, field
from cnnviz.app.session import Session
from cnnviz.control import Control
from cnnviz.errors import InvalidRequest
from cnnviz.synthesis.commands.ascent_options import settings_of, stopped_note
from cnnviz.synthesis.commands.examples import PATCHES, PatchRecord, search_examples

if TYPE_CHECKING:
    from cnnviz.app.records import Picture
    from cnnviz.synthesis.visualize import Position
DEFAULT_CHANNELS = ("0-7",)
PLACE = re.compile(r"\d{1,6},\d{1,6}")


class UnitPosition(click.ParamType):  # type: ignore[type-arg,unused-ignore]
    """A position on a feature map: middle, or row and column such as 3,5."""

    name = "position"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the text if it can be read: see ``parse_position``."""
        if value != "middle" and not PLACE.fullmatch(value):
            self.fail(f"{value!r} is neither 'middle' nor two whole numbers such as 3,5", param, ctx)
        return value


def parse_position(text: str | None) -> "Position | None":
    """Return "middle", (y, x), or None for no text."""
    if text is None or text == "middle":
        return text  # type: ignore[return-value]
    y, x = map(int, text.split(","))
    return y, x


@dataclass(frozen=True, kw_only=True)
class Options(ChannelOptions, BareOptions, NetworkOptions, SeedOptions, OutputOptions):
    """Options of ``cnnviz visualize``."""

    model: str = features_model_option()
    layer: str | None = layer_option("Layer to visualize, by its name in 'cnnviz layers'. "
                                     "[default: a deep one, the last but one of deconv's]")  # fmt: skip
    channel: tuple[str, ...] = redeclare(
        ChannelOptions.__dataclass_fields__["channel"],
        help="Channels to visualize: a number, a range such as 3-7, or all; can be repeated. "
             "[default: 0-7]")  # fmt: skip
    neuron: str | None = option("One unit of each channel, not the mean of its feature map: that in the middle, or at "
                                "row Y and column X, counted from 0.", default=None, type=UnitPosition(),
                         metavar="middle|Y,X")  # fmt: skip
    direction: tuple[str, ...] = option("Channel of the one direction that is visualized, and its weight; give it "
                                        "several times.", default=(), type=Weighted(), multiple=True,
                                        metavar="N=WEIGHT", excludes=("channel", "neuron"))  # fmt: skip
    examples: tuple[str, ...] = option(
        f"Photos, or folders of them: the {PATCHES} strongest patches of each channel are drawn beside its image. Can "
        "be repeated.", default=(), type=click.Path(exists=True), multiple=True, metavar="FILE|FOLDER/", panel="Input",
        file=True, recorded=False, excludes=("direction", "bare"))  # fmt: skip
    diversity: int = option("Images of each channel, which repel one another.", default=1, type=IntRange(1, 64),
                            metavar="N")  # fmt: skip
    size: int = option("Side of each image.", default=224, type=IntRange(32), metavar="PIXELS")
    steps: int = steps_option(96, "for each channel")
    step_size: float = step_size_option(0.017)
    tv_weight: float = tv_weight_option(0.0, "0")

    def __post_init__(self) -> None:
        for name, _ in map(weighted, self.direction):
            if not name.isdecimal():
                raise InvalidRequest(f"--direction {name}: is not a channel's number")


@dataclass(frozen=True, kw_only=True)
class Record(NetworkRecord):
    """JSON fields of ``cnnviz visualize``."""

    layer: str = field("Name of the layer.")
    unit: Literal["channel", "neuron", "direction"] = field("What each image maximises.")
    channels: list[int] = field("Channel of each unit; the channels of a direction.", minItems=1)
    size: list[int] = field("Height and width of each image.", minItems=2, maxItems=2)
    objectives: list[list[float]] = field("The objective before the last step: a row for each unit, a value for each "
                                          "image.")  # fmt: skip
    examples: list[list[PatchRecord]] | None = field("The patches of --examples, the strongest first: a row for each "
                                                     "channel.", default=None, optional=True)  # fmt: skip
    steps_done: int | None = field("Steps done when the run was stopped.", default=None, progress_of="objectives")


@network_command(Options, Record, suffix="-visualize.png", progress=("optimising", "steps"), stoppable=True)
def visualize(session: Session, options: Options, control: Control) -> Result[Record]:
    """Make images that maximise a layer's channels: feature visualization.

    Each image is optimised from grey noise, in random views. Several channels make one sheet. Ctrl-C stops early and
    keeps the result so far. --examples draws what activates a channel in photos beside what activates it most.

    \b
    Examples:
      cnnviz visualize
      cnnviz visualize --layer blocks.4 --channel 20
      cnnviz visualize --layer blocks.4 --channel 0-15 -o sheet.png
      cnnviz visualize --layer blocks.4 --channel 20 --diversity 4
      cnnviz visualize --layer blocks.4 --channel 20 --examples photos/
      cnnviz visualize --layer blocks.4 --direction 3=1 --direction 20=0.5 --bare -o direction.png
    """
    from cnnviz.synthesis.visualize import VisualizeSettings, channel_count
    from cnnviz.synthesis.visualize import visualize as visualize_layer

    network = session.network
    layer = session.deep_layer(options.layer)
    count = channel_count(network, layer)
    channels = [] if options.direction else expand_channels(options.channel or DEFAULT_CHANNELS, count, layer)
    examples = search_examples(session, options.examples, layer, channels, control) if options.examples else None
    result = visualize_layer(
        network, layer, channels, position=parse_position(options.neuron),
        direction={int(name): weight for name, weight in map(weighted, options.direction)},
        settings=settings_of(VisualizeSettings, options), seed=options.seed, control=control,
    )  # fmt: skip
    stopped = result.done < result.of
    record = Record(
        network=network.name, layer=layer, unit=result.unit, channels=list(result.channels),
        size=list(result.tensor.shape[-2:]),
        objectives=[[round(value, 6) for value in row] for row in result.values.tolist()],
        examples=examples.records(result.channels) if examples else None,
        steps_done=result.done if stopped else None,
    )  # fmt: skip
    image: Picture = result.image
    if not options.bare:
        from cnnviz.synthesis.figures.channel_sheet import draw_channels

        image = draw_channels(result, network, options.look, examples.found if examples else None)
    return Result(
        record, image, partial=stopped, notes=stopped_note(result.done, result.of),
        recorded_files={"examples": examples.used} if examples else {},
        failed=examples is not None and bool(examples.found.failures),
    )  # fmt: skip
