"""``cnnviz deconv``: a layer's strongest units projected back onto a photo."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from click import IntRange

from cnnviz.app.declare import option
from cnnviz.app.options import BareOptions, ChannelOptions, OutputOptions, PhotoOptions, RawOptions
from cnnviz.app.param_types import expand_channels
from cnnviz.app.photo_command import photo_command
from cnnviz.app.records import PhotoRecord, RawRecord, Result, field
from cnnviz.app.session import PhotoInput, Session
from cnnviz.control import Control
from cnnviz.features.commands.projection_options import ProjectionMethod, ProjectionOptions

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cnnviz.app.records import Picture
    from cnnviz.features.projections import ProjectedUnit
    from cnnviz.models.network import Network

TOP = 6  # channels without --top and --channel


@dataclass(frozen=True, kw_only=True)
class Options(PhotoOptions, ProjectionOptions, ChannelOptions, BareOptions, RawOptions, OutputOptions):
    """Options of ``cnnviz deconv``."""

    top: int | None = option("Number of channels, the strongest first. [default: 6]", default=None,
                             type=IntRange(1, 100), metavar="N", excludes=("channel",))  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class UnitRecord:
    """JSON fields of one unit."""

    channel: int = field("Number of the channel.", minimum=0)
    class_name: str | None = field("Class that the channel stands for; null unless the layer is the network's last.")
    position: list[int] | None = field("Position of the unit on its feature map: y, x; null in a layer without "
                                       "positions.")  # fmt: skip
    activation: float = field("Its activation, after rectification.", minimum=0)
    box: list[int] = field("The part shown: top, left, bottom, right on the input.", minItems=4, maxItems=4)
    effective: bool = field("Whether that is the effective receptive field.")


@dataclass(frozen=True, kw_only=True)
class Record(PhotoRecord, RawRecord):
    """JSON fields of ``cnnviz deconv``."""

    layer: str = field("Name of the layer.")
    method: ProjectionMethod = field("How the signal passed rectifiers.")
    units: list[UnitRecord] = field("The units shown, in order.", minItems=1)


@photo_command(Options, Record, suffix="-deconv.png")
def deconv(session: Session, photo: PhotoInput, options: Options, control: Control) -> Result[Record]:
    """Project a layer's strongest units back onto the pixels of a photo.

    Of each of the strongest channels the figure shows the part of the photo that the strongest unit sees, and beside
    it the projection of the unit. For the photos of a folder that maximise each channel see top-images; for what the
    score of a class depends on, attribute. INPUTS are photos, folders of photos, or - for standard input.

    \b
    Examples:
      cnnviz deconv cat.jpg --layer blocks.2
      cnnviz deconv cat.jpg --layer blocks.4 --channel 44 --method guided -o cat.png
    """
    inputs, _ = session.fit(photo.image)

    from cnnviz.features.projections import Projector

    network, layer = session.network, str(options.layer)
    projector = Projector(network, options.settings())
    recorded = projector.record(inputs)
    for remark in projector.remarks(recorded):
        session.console.once(remark)
    channels = expand_channels(options.channel, len(recorded.maps), layer) or recorded.strongest(options.top or TOP)
    units = [projector.project(recorded, inputs, channel) for channel in channels]
    record = Record(
        network=network.name, top=network.top(recorded.logits), layer=layer, method=options.method,
        units=[_unit_record(network, unit) for unit in units],
    )  # fmt: skip
    if options.bare:
        from cnnviz.features.figures.projections_bare import draw_bare_projections

        found = [unit.projection.projection[0].float().cpu().numpy() for unit in units]
        image: Picture = draw_bare_projections(found, colours=options.colors)
    else:
        from cnnviz.features.figures.projections import ProjectionView, draw_projections

        view = ProjectionView(options.method, strongest=not options.channel, colours=options.colors)
        image = draw_projections(inputs[0].numpy(), network, recorded.logits, units, view, options.look)
    return Result(record, image, _arrays(units))


def _unit_record(network: "Network", unit: "ProjectedUnit") -> UnitRecord:
    found = unit.projection
    return UnitRecord(
        channel=found.channel, class_name=network.channel_class(found.layer, found.channel),
        position=list(found.position) if network.has_positions(found.layer) else None,
        activation=round(found.activation, 6), box=list(unit.region.box), effective=unit.region.effective,
    )  # fmt: skip


def _arrays(units: "Sequence[ProjectedUnit]") -> "dict[str, NDArray[Any]]":
    import numpy as np

    found = [unit.projection for unit in units]
    return {
        "projections": np.concatenate([one.projection.float().cpu().numpy() for one in found]),
        "channels": np.array([one.channel for one in found]),
        "positions": np.array([one.position for one in found]),
        "activations": np.array([one.activation for one in found], np.float32),
        "layer": np.array(found[0].layer),
    }
