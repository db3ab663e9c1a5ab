"""``cnnviz activations``: a layer's feature maps for a photo."""

from dataclasses import dataclass

from click import IntRange

from cnnviz.app.declare import option
from cnnviz.app.options import (
    ChannelOptions,
    FigureOptions,
    OutputOptions,
    PhotoOptions,
    RawOptions,
    features_model_option,
    layer_option,
)
from cnnviz.app.param_types import expand_channels
from cnnviz.app.photo_command import photo_command
from cnnviz.app.records import FeatureRecord, RawRecord, Result, field
from cnnviz.app.session import PhotoInput, Session
from cnnviz.control import Control


@dataclass(frozen=True, kw_only=True)
class Options(PhotoOptions, ChannelOptions, FigureOptions, RawOptions, OutputOptions):
    """Options of ``cnnviz activations``."""

    model: str = features_model_option()
    layer: str | None = layer_option("Layer to show, by its name in 'cnnviz layers'. "
                                     "[default: one with maps of about 50 x 50]")  # fmt: skip
    top: int = option("Number of channels to show, the strongest first, if --channel names none.", default=16,
                      type=IntRange(1), metavar="N")  # fmt: skip
    common_scale: bool = option("One scale for all maps; by default each has its own.", default=False, panel="Figure")
    overlay: bool = option("Draw each feature map over the photo.", default=False, panel="Figure")


@dataclass(frozen=True, kw_only=True)
class Record(FeatureRecord, RawRecord):
    """JSON fields of ``cnnviz activations``."""

    layer: str = field("Name of the layer.")
    shape: list[int] = field("Channels, height and width of its output.", minItems=3, maxItems=3)
    channels: list[int] = field("The channels shown, in order.", minItems=1)
    class_names: list[str] | None = field("Classes that the channels stand for; null unless the layer is the "
                                          "network's last.")  # fmt: skip
    strengths: list[float] = field("Sum of the positive values of each channel shown.")
    maxima: list[float] = field("Largest value of each channel shown.")


@photo_command(Options, Record, suffix="-activations.png")
def activations(session: Session, photo: PhotoInput, options: Options, control: Control) -> Result[Record]:
    """Draw a layer's feature maps for a photo, the strongest first.

    The strength of a channel is the sum of the positive values of its feature map. Each map has a scale of its own.
    INPUTS are photos, folders of photos, or - for standard input.

    \b
    Examples:
      cnnviz activations cat.jpg
      cnnviz activations cat.jpg --layer blocks.2
      cnnviz activations cat.jpg --layer blocks.4 --top 4 --overlay -o cat.png
      cnnviz activations photos/ --layer conv_head --channel 7 --raw maps/ -o maps/
    """
    inputs, geometry = session.fit(photo.image)

    import numpy as np

    from cnnviz.features import activations as method
    from cnnviz.features.figures.activations import MapGrid, draw_activations
    from cnnviz.models.default_layers import middle_layer

    network = session.network
    found = method.activations(network, inputs, layer=options.layer or middle_layer(network))
    shown = expand_channels(options.channel, len(found.maps), found.layer) or found.order[: options.top].tolist()
    names = [network.class_name(channel) for channel in shown]
    record = Record(
        network=network.name, top=network.top(found.logits), layer=found.layer, shape=list(found.maps.shape),
        channels=shown, class_names=names if network.is_output(found.layer) else None,
        strengths=[round(float(value), 6) for value in found.strengths[shown]],
        maxima=[round(float(value), 6) for value in found.maps[shown].amax((1, 2))],
    )  # fmt: skip
    grid = MapGrid(shown, options.common_scale, options.overlay)
    figure = draw_activations(photo.image, geometry, network, found, grid, options.look)
    arrays = {name: getattr(found, name).numpy() for name in ("maps", "order", "strengths")}
    return Result(record, figure, arrays | {"layer": np.array(found.layer)})
