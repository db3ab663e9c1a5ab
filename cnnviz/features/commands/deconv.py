"""``cnnviz deconv``: the strongest units of one layer or several projected back onto a photo."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from click import IntRange

from cnnviz.app.declare import option
from cnnviz.app.options import (
    BareOptions,
    ChannelOptions,
    OutputOptions,
    PhotoOptions,
    RawOptions,
    features_model_option,
    redeclare,
)
from cnnviz.app.param_types import expand_channels
from cnnviz.app.photo_command import photo_command
from cnnviz.app.records import FeatureRecord, RawRecord, Result, field
from cnnviz.app.session import PhotoInput, Session
from cnnviz.control import Control
from cnnviz.features.commands.projection_options import (
    ProjectionMethod,
    ProjectionOptions,
    ReceptiveField,
    field_option,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

    from cnnviz.app.records import Picture
    from cnnviz.features.projections import ProjectedUnit

TOP, TOP_OF_EACH = 6, 4  # channels without --top and --channel: of one layer, of each of several


@dataclass(frozen=True, kw_only=True)
class Options(PhotoOptions, ProjectionOptions, ChannelOptions, BareOptions, RawOptions, OutputOptions):
    """Options of ``cnnviz deconv``."""

    model: str = features_model_option()
    layer: str | None = redeclare(ProjectionOptions.__dataclass_fields__["layer"], help=(
        "Layer of the units, by its name in 'cnnviz layers'. [default: five from the first to the last]"))  # fmt: skip
    receptive_field: ReceptiveField | None = field_option("exact; effective without --layer")
    channel: tuple[str, ...] = redeclare(ChannelOptions.__dataclass_fields__["channel"], requires="layer")
    top: int | None = option("Number of channels of a layer, the strongest first. [default: 6; 4 without --layer]",
                             default=None, type=IntRange(1, 100), metavar="N", excludes=("channel",))  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class UnitRecord:
    """JSON fields of one unit."""

    layer: str = field("Name of its layer.")
    channel: int = field("Number of the channel.", minimum=0)
    class_name: str | None = field("Class that the channel stands for; null unless the layer is the network's last.")
    position: list[int] | None = field("Position of the unit on its feature map: y, x; null in a layer without "
                                       "positions.")  # fmt: skip
    activation: float = field("Its activation, after rectification.", minimum=0)
    box: list[int] = field("The part shown: top, left, bottom, right on the input.", minItems=4, maxItems=4)
    effective: bool = field("Whether that is the effective receptive field.")


@dataclass(frozen=True, kw_only=True)
class Record(FeatureRecord, RawRecord):
    """JSON fields of ``cnnviz deconv``."""

    layer: str | None = field("Name of the layer; null for several.")
    method: ProjectionMethod = field("How the signal passed rectifiers.")
    units: list[UnitRecord] = field("The units shown, in order: layer by layer.", minItems=1)


@photo_command(Options, Record, suffix="-deconv.png")
def deconv(session: Session, photo: PhotoInput, options: Options, control: Control) -> Result[Record]:
    """Project a network's strongest units back onto the pixels of a photo.

    Of each of the strongest channels the figure shows the part of the photo that the strongest unit sees, and beside
    it the projection of the unit: in five layers from the first to the last, or in that of --layer. For the photos of a
    folder that maximise each channel see top-images; for what the score of a class depends on, attribute. INPUTS are
    photos, folders of photos, or - for standard input.

    \b
    Examples:
      cnnviz deconv cat.jpg
      cnnviz deconv cat.jpg --layer blocks.2
      cnnviz deconv cat.jpg --layer blocks.4 --channel 44 -o cat.png
    """
    inputs, _ = session.fit(photo.image)

    network = session.network
    found = [_project_layer(session, inputs, options, layer) for layer in session.layers(options.layer)]
    units, logits = [unit for layer in found for unit in layer.units], found[0].logits
    record = Record(
        network=network.name, top=network.top(logits), layer=options.layer, method=units[0].projection.method,
        units=[_unit_record(session, unit) for unit in units],
    )  # fmt: skip
    return Result(record, _draw(session, inputs, found, options), _arrays(units))


@dataclass(frozen=True)
class ProjectedLayer:
    """The units shown of a layer, and the logits (classes,) of the pass."""

    units: "Sequence[ProjectedUnit]"
    logits: "Tensor"


def _project_layer(session: Session, inputs: "Tensor", options: Options, layer: str) -> ProjectedLayer:
    """Project the chosen or the strongest channels of a layer; remarks go to standard error."""
    from cnnviz.features.projections import Projector

    shown: ReceptiveField = options.receptive_field or ("exact" if options.layer else "effective")
    projector = Projector(session.network, replace(options.settings(layer), receptive_field=shown))
    recorded = projector.record(inputs)
    for remark in projector.remarks(recorded):
        session.console.once(remark)
    top = options.top or (TOP if options.layer else TOP_OF_EACH)
    channels = expand_channels(options.channel, len(recorded.maps), layer) or recorded.strongest(top)
    return ProjectedLayer([projector.project(recorded, inputs, channel) for channel in channels], recorded.logits)


def _draw(session: Session, inputs: "Tensor", found: Sequence[ProjectedLayer], options: Options) -> "Picture":
    network, rows, image = session.network, [layer.units for layer in found], inputs[0].numpy()
    if options.bare:
        from cnnviz.features.figures.projections_bare import draw_bare_projections

        projections = [[unit.projection.projection[0].float().cpu().numpy() for unit in units] for units in rows]
        return draw_bare_projections(projections, colours=options.colors)
    from cnnviz.features.figures.projection_layers import draw_projection_layers
    from cnnviz.features.figures.projections import ProjectionView, draw_projections

    method = rows[0][0].projection.method
    view = ProjectionView(method, strongest=not options.channel, colours=options.colors,
                          for_want_of_pools=options.method is None and method == "guided")  # fmt: skip
    if options.layer:
        return draw_projections(image, network, found[0].logits, rows[0], view, options.look)
    return draw_projection_layers(image, network, found[0].logits, rows, view, options.look)


def _unit_record(session: Session, unit: "ProjectedUnit") -> UnitRecord:
    network, found = session.network, unit.projection
    return UnitRecord(
        layer=found.layer, channel=found.channel, class_name=network.channel_class(found.layer, found.channel),
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
        "layers": np.array([one.layer for one in found]),
    }
