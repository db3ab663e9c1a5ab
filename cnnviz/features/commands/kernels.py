"""``cnnviz kernels``: a convolution's filters as images."""

from dataclasses import dataclass

from cnnviz.app.options import (
    ChannelOptions,
    FigureOptions,
    NetworkOptions,
    OutputOptions,
    features_model_option,
    layer_option,
)
from cnnviz.app.param_types import expand_channels
from cnnviz.app.photo_command import network_command
from cnnviz.app.records import Record as NetworkRecord
from cnnviz.app.records import Result, field
from cnnviz.app.session import Session
from cnnviz.control import Control


@dataclass(frozen=True, kw_only=True)
class Options(NetworkOptions, ChannelOptions, FigureOptions, OutputOptions):
    """Options of ``cnnviz kernels``."""

    model: str = features_model_option()
    layer: str | None = layer_option("Convolution to show, by its name in 'cnnviz layers'. "
                                     "[default: the first convolution]")  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Record(NetworkRecord):
    """JSON fields of ``cnnviz kernels``."""

    layer: str = field("Name of the layer.")
    shape: list[int] = field("Output channels, input channels of one filter, height, width.", minItems=4, maxItems=4)
    groups: int = field("Groups of the convolution.", minimum=1)
    channels: list[int] = field("The output channels shown, in order.", minItems=1)
    input_channels: int = field("Input channels shown of each filter.", minimum=1)


@network_command(Options, Record, suffix="-kernels.png")
def kernels(session: Session, options: Options, control: Control) -> Result[Record]:
    """Draw the filters of a network's first convolution, or of another layer.

    Filters over red, green and blue are shown in those colours, each on its own scale, mid-grey for zero. Deeper
    layers show one tile for each pair of an output and an input channel, layers of 1x1 one matrix: red for positive
    weights, blue for negative ones.

    \b
    Examples:
      cnnviz kernels
      cnnviz kernels -m alexnet --layer features.3 --channel 5 --channel 7 -o two.png
    """
    network = session.network

    from cnnviz.features import kernels as method
    from cnnviz.features.figures.kernels import draw_kernels

    found = method.kernels(network, layer=options.layer)
    channels = expand_channels(options.channel, len(found.weights), found.layer) or found.default_channels()
    record = Record(
        network=network.name, layer=found.layer, shape=list(found.weights.shape), groups=found.groups,
        channels=channels, input_channels=found.shown_inputs,
    )  # fmt: skip
    return Result(record, draw_kernels(network, found, channels, options.look))
