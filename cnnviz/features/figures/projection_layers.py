"""The figure of several layers' projections: a row for each, the input with boxes, and patches beside projections."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray
from torch import Tensor

from cnnviz.features.figures.projections import (
    SEAM,
    ProjectionView,
    colour_of,
    draw_patch,
    group_boxes,
    note_of,
)
from cnnviz.features.figures.projections_bare import pixels
from cnnviz.features.projections import ProjectedUnit
from cnnviz.figures.labels import channel_label, layer_place, network_label, number, prediction_label
from cnnviz.figures.maps import frame
from cnnviz.figures.page import INNER, Page, Rect
from cnnviz.figures.style import GAP, HEAD, LINE, MARGIN, NOTE, WHITE, Look, own_settings
from cnnviz.figures.text import printable, width
from cnnviz.io.color import Photo
from cnnviz.models.network import Network
from cnnviz.text import plural

NAMES = 1.45  # width of the column with the layers' names
ACROSS = 4  # pairs in a line, at most
INDENT = 0.06  # of the pairs, beside the gap
WIDEST = 2.0  # width of an input, in heights
SIDE = 1.0  # of a patch, at most


@own_settings()
def draw_projection_layers(
    image: NDArray[np.floating], network: Network, logits: Tensor, rows: Sequence[Sequence[ProjectedUnit]],
    view: ProjectionView, look: Look = Look(),
) -> Figure:  # fmt: skip
    """Return a row for each layer: its name, the network's input (3, h, w) with the units' boxes, and the units."""
    page, seen = Page(look), pixels(image)
    page.heading(_title(network, rows), _subtitle(network, logits, view))
    most = max(map(len, rows))
    across = ceil(most / ceil(most / ACROSS))
    aspect = min(seen.shape[1] / seen.shape[0], WIDEST)
    free = INNER - NAMES - INDENT - across * (GAP + SEAM)
    side = min(free / (aspect + 2 * across), SIDE)
    for units in rows:
        _draw_layer(page, network, seen, units, view, Grid(side, aspect, across))
    page.top -= 0.08
    page.note(f"{note_of([unit for units in rows for unit in units], view)} Numbers: activations.")
    return page.finish()


@dataclass(frozen=True)
class Grid:
    """Side of the patches, width of the input in sides, pairs in a line."""

    side: float
    aspect: float
    across: int


def _draw_layer(
    page: Page, network: Network, seen: Photo, units: Sequence[ProjectedUnit], view: ProjectionView, grid: Grid
) -> None:
    """Draw the row of a layer, and move the page's top below it."""
    side, top = grid.side, page.top
    groups = group_boxes([unit.region.box for unit in units])
    below = _write_layer(page, network, units[0].projection.layer)
    place = Rect(MARGIN + NAMES, top + LINE, grid.aspect * side, side)
    _draw_boxes(page, place, seen, units, groups)
    left = place.right + GAP + INDENT
    for index, (unit, group) in enumerate(zip(units, groups, strict=True)):
        line, column = divmod(index, grid.across)
        box = Rect(left + column * (2 * side + SEAM + GAP), top + line * (LINE + side + 0.1), side, side)
        _draw_unit(page, box, network, unit, colour_of(group), view)
        below = max(below, box.bottom + LINE)
    page.top = below + 0.16


def _write_layer(page: Page, network: Network, layer: str) -> float:
    """Write a layer's place in the network and its name, broken at dots; return where the words end."""
    place, room = layer_place(network, layer) or ["layer"], NAMES - 0.1
    page.panel_title(MARGIN, page.top + LINE, place[0].capitalize(), room)
    y = page.top + LINE + HEAD
    for words in (*broken_name(layer, room), *place[1:]):
        y = page.write(MARGIN, y, words, room=room)
    return y


def broken_name(name: str, room: float) -> list[str]:
    """Return a layer's name in lines of at most ``room`` inches, broken after dots; a long part is a line."""
    lines = [""]
    for part in printable(name).replace(".", ".\n").split("\n"):
        if lines[-1] and width(lines[-1] + part, NOTE) > room:
            lines.append("")
        lines[-1] += part
    return lines


def _draw_boxes(page: Page, place: Rect, seen: Photo, units: Sequence[ProjectedUnit], groups: Sequence[int]) -> None:
    """Draw the input, fitted into ``place``, with the box of each group's strongest unit."""
    zoom = min(place.height / seen.shape[0], place.width / seen.shape[1])
    axes = page.picture(Rect(place.x, place.y, zoom * seen.shape[1], zoom * seen.shape[0]).snapped(), seen)
    limits = (*seen.shape[:2], *seen.shape[:2])
    for group in range(max(groups) + 1):
        box = units[groups.index(group)].region.box
        edges = [min(max(edge, 0), limit) for edge, limit in zip(box, limits, strict=True)]
        frame(axes, edges, colour_of(group), 1.2, WHITE)


def _draw_unit(
    page: Page, box: Rect, network: Network, unit: ProjectedUnit, colour: str, view: ProjectionView
) -> None:  # fmt: skip
    """Draw a unit's patch and projection with its channel and activation above; ``box`` of the patch and its name."""
    found = unit.projection
    name, value = channel_label(network, found.layer, found.channel), number(found.activation)
    room = 2 * box.width + SEAM
    page.write(box.x, box.y, name, room=room, colour=page.theme.ink)
    if width(printable(name) + value, NOTE) + 0.1 < room:
        page.write(box.x + room, box.y, value, align="right")
    draw_patch(page, Rect(box.x, box.y + LINE, box.width, box.height), unit, colour, view)


def _title(network: Network, rows: Sequence[Sequence[ProjectedUnit]]) -> str:
    return f"What activates {plural(len(rows), 'layer')} of {network_label(network.name)}"


def _subtitle(network: Network, logits: Tensor, view: ProjectionView) -> str:
    return (
        f"{prediction_label(network, logits)}. Each layer’s strongest channels. Left: the patch that the channel’s "
        f"strongest unit sees; right: the unit’s {view.words}."
    )
