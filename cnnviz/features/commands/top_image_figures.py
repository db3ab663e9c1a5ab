"""What ``cnnviz top-images`` writes for each channel: a figure with its recipe, and the JSON fields."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from cnnviz.app.records import Record as NetworkRecord
from cnnviz.app.records import field, to_json
from cnnviz.app.resume import StopRequest
from cnnviz.features.commands.folder_search import FolderSearch
from cnnviz.features.commands.projection_options import ProjectionMethod

if TYPE_CHECKING:
    from cnnviz.features.figures.top_images import MapTiles, SearchedLayer
    from cnnviz.features.projections import Projector
    from cnnviz.features.top_activations import TopActivations
    from cnnviz.features.top_images import TopImage

AT_ONCE = 32  # channels whose figures are drawn together: their patches are held in memory


@dataclass(frozen=True, kw_only=True)
class HitRecord:
    """JSON fields of one photo of a channel; of a stopped run without the part shown."""

    file: str = field("The photo as found.")
    sha256: str | None = field("Its digest.")
    position: list[int] | None = field("Position of its strongest unit on the feature map: y, x; null in a layer "
                                       "without positions.")  # fmt: skip
    activation: float = field("Activation of the unit, after rectification.", minimum=0)
    box: list[int] | None = field("The part shown: top, left, bottom, right on the input.")
    effective: bool | None = field("Whether that is the effective receptive field.")


@dataclass(frozen=True, kw_only=True)
class Record(NetworkRecord):
    """JSON fields of ``cnnviz top-images``, a line for each channel."""

    layer: str = field("Name of the layer.")
    channel: int = field("Number of the channel.", minimum=0)
    class_name: str | None = field("Class that the channel stands for; null unless the layer is the network's last.")
    method: ProjectionMethod = field("How the signal passed rectifiers.")
    photos: int = field("Photos evaluated.", minimum=1)
    hits: list[HitRecord] = field("The photos that maximise the channel, the strongest first.")


def record_of(search: FolderSearch, best: "TopActivations", channel: int, hits: "Sequence[TopImage]" = ()) -> Record:
    """Return the record of a channel; of one that is not drawn, its hits as far as they are known."""
    jobs, digests = search.images.jobs, search.images.digests
    network, layer = search.session.network, search.layer
    placed = network.has_positions(layer)
    records = [
        HitRecord(file=jobs[hit.number].source, sha256=digests[hit.number],
                  position=list(hit.position) if placed else None,
                  activation=round(hit.activation, 6), box=list(hit.region.box), effective=hit.region.effective)
        for hit in hits
    ] or [
        HitRecord(file=jobs[number].source, sha256=None, position=list(position) if placed else None,
                  activation=round(max(value, 0.0), 6), box=None, effective=None)
        for number, position, value in best.hits(channel)
    ]  # fmt: skip
    return Record(network=network.name, layer=layer, channel=channel, class_name=network.channel_class(layer, channel),
                  method=search.method, photos=best.done, hits=records)  # fmt: skip


def _searched(search: FolderSearch, best: "TopActivations") -> "SearchedLayer":
    """Return what the figures say of the search."""
    from cnnviz.features.figures.top_images import SearchedLayer

    return SearchedLayer(search.layer, len(best.values), best.done, search.method)


def write_figures(
    search: FolderSearch, projector: "Projector", best: "TopActivations", channels: Sequence[int], stop: StopRequest
) -> "tuple[list[Record], list[MapTiles]]":
    """Write the figure of every channel; return their records, and the tiles of as many as the overview shows."""
    from cnnviz.features.figures.top_images import CHANNELS, MapTiles
    from cnnviz.features.top_images import project_top_images

    records, tiles = [], list[MapTiles]()
    for first in range(0, len(channels), AT_ONCE):
        chosen = channels[first : first + AT_ONCE]
        with search.session.console.progress("projecting", "patches") as control:
            control = replace(control, stopped=stop)
            found = project_top_images(projector, search.images.read, best, chosen, control)
        for channel, hits in found.items():
            records.append(record_of(search, best, channel, hits))
            made = MapTiles.of(channel, hits, colours=search.options.colors)
            _write_figure(search, best, records[-1], made)
            tiles += [made] if len(tiles) < CHANNELS else []
    return records, tiles


def write_sheet(
    search: FolderSearch, best: "TopActivations", channels: Sequence[int], tiles: "Sequence[MapTiles]"
) -> None:
    """Write the overview of the ``channels`` that were drawn."""
    from cnnviz.features.figures.top_images import draw_sheet
    from cnnviz.figures.output import write_figure

    figure = draw_sheet(search.session.network, tiles, _searched(search, best), search.options.look)
    write_figure(str(search.file(".png")), figure, search.recipe({"channels": channels}))


def _write_figure(search: FolderSearch, best: "TopActivations", record: Record, tiles: "MapTiles") -> None:
    from cnnviz.features.figures.top_images import draw_top_images
    from cnnviz.figures.output import write_figure

    named = [replace(hit, file=Path(hit.file).name) for hit in record.hits]  # a recipe holds no folder
    write_figure(
        str(search.file(f"-{record.channel:04}.png")),
        draw_top_images(search.session.network, tiles, _searched(search, best), search.options.look),
        search.recipe({"channel": record.channel, "hits": to_json(named)}),
    )  # fmt: skip
