"""The figure of one photo's projections: the input with boxes, and for each unit its patch beside its projection."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray
from torch import Tensor

from cnnviz.features.figures.projections_bare import pixels, projection_image
from cnnviz.features.projections import ProjectedUnit
from cnnviz.figures.labels import channel_label, number, placed_layer, prediction_label
from cnnviz.figures.maps import frame
from cnnviz.figures.page import INNER, NARROWEST, Align, Page, Rect
from cnnviz.figures.style import CATEGORIES, GAP, HEAD, LINE, MARGIN, NOTE, OTHERS, WHITE, Look, own_settings
from cnnviz.figures.text import printable, width
from cnnviz.graph.region import Box
from cnnviz.io.color import Photo
from cnnviz.models.network import Network

SEAM = 0.03  # between patch and projection
WIDE = 1.6  # an input wider than this, in heights, stands above the pairs
NEAR = 0.4  # intersection over union from which on two boxes count as one
NAMED = 4  # channels that are named at a box
MERGED = "; of boxes that nearly coincide, that of the strongest"
APART = 0.06  # between lines of two boxes in inches


@dataclass(frozen=True)
class ProjectionView:
    """How projections were made and are drawn.

    ``method``; ``strongest``: of the layer's strongest channels, not of chosen ones; ``colours``: in red, green and
    blue, not their mean; ``for_want_of_pools``: the method was chosen because the network has no max pools.
    """

    method: str
    strongest: bool = True
    colours: bool = False
    for_want_of_pools: bool = False

    @property
    def words(self) -> str:
        """The method as subtitles name it."""
        return f"{self.method} projection{' (the network has no max pools)' * self.for_want_of_pools}"


@own_settings()
def draw_projections(
    image: NDArray[np.floating], network: Network, logits: Tensor, units: Sequence[ProjectedUnit],
    view: ProjectionView, look: Look = Look(),
) -> Figure:  # fmt: skip
    """Return the network's input (3, h, w) with a box for each region, and each unit's patch and projection."""
    page = Page(look)
    page.heading(_title(network, units, view), _subtitle(network, logits, units, view))
    groups = group_boxes([unit.region.box for unit in units])
    seen = pixels(image)
    aspect = seen.shape[1] / seen.shape[0]
    side, high = _sizes(len(units), aspect)
    (photo,) = page.row([aspect], ["Network input"], height=high)
    _draw_photo(page, photo, seen, units, groups)
    top = page.top + GAP if aspect > WIDE else photo.y - HEAD
    left = MARGIN if aspect > WIDE else MARGIN + max(photo.width, NARROWEST) + 1.5 * GAP
    for place, unit, group in zip(_places(len(units), side, (left, top), photo.bottom), units, groups, strict=True):
        _draw_pair(page, place, network, unit, colour_of(group), view)
        page.top = max(page.top, place.bottom)
    merged = "" if len(set(groups)) == len(groups) else MERGED
    page.note(f"{note_of(units, view, merged)} Numbers above the pairs: activations; at boxes: channels.")
    return page.finish()


def group_boxes(boxes: Sequence[Box]) -> list[int]:
    """Return the group of each box, counted from 0: that of the first box that it nearly coincides with."""
    groups, first = list[int](), list[Box]()
    for box in boxes:
        near = next((group for group, other in enumerate(first) if overlap(box, other) >= NEAR), len(first))
        if near == len(first):
            first.append(box)
        groups.append(near)
    return groups


def overlap(box: Box, other: Box) -> float:
    """Return the intersection of two boxes divided by their union."""
    high = min(box[2], other[2]) - max(box[0], other[0])
    wide = min(box[3], other[3]) - max(box[1], other[1])
    common = max(high, 0) * max(wide, 0)
    areas = [(part[2] - part[0]) * (part[3] - part[1]) for part in (box, other)]
    return common / (sum(areas) - common) if common else 0.0


def colour_of(group: int) -> str:
    """Return the colour of a group of boxes."""
    return CATEGORIES[group] if group < len(CATEGORIES) else OTHERS


def _sizes(count: int, aspect: float) -> tuple[float, float]:
    """Return the side of a patch, and the height of the photo, which is that of the pairs beside it."""
    if aspect > WIDE:
        across = min(count, 4)
        return min(((INNER + GAP) / across - GAP - SEAM) / 2, 1.6), 2.8
    across, rows = {1: 1, 2: 1, 3: 2, 4: 2}.get(count, 3), min(count, 2)
    free = INNER - 1.5 * GAP - across * SEAM - (across - 1) * GAP
    between = (rows - 1) * (HEAD + GAP)
    side = (free - aspect * between) / (aspect * rows + 2 * across)
    if aspect * (rows * side + between) < NARROWEST:
        side = min((free - NARROWEST) / (2 * across), 2.4)
    return side, rows * side + between


def _places(count: int, side: float, start: tuple[float, float], below: float) -> list[Rect]:
    """Return the boxes of pairs, row by row, in columns from ``start`` on; ``below`` the photo one more column."""
    wide, places = 2 * side + SEAM, list[Rect]()
    left, y = start
    across = max(1, int((MARGIN + INNER - left + GAP + 1e-6) / (wide + GAP)))
    columns = [left + index * (wide + GAP) for index in range(across)]
    while len(places) < count:
        under = [MARGIN] if y >= below and left - MARGIN >= wide + GAP else []
        places += [Rect(x, y, wide, HEAD + side) for x in (under + columns)[: count - len(places)]]
        y += HEAD + side + GAP
    return places


def _draw_pair(
    page: Page, place: Rect, network: Network, unit: ProjectedUnit, colour: str, view: ProjectionView
) -> None:  # fmt: skip
    """Draw a unit's patch, framed in its colour, and its projection, with the name of its channel above."""
    found = unit.projection
    name = channel_label(network, found.layer, found.channel)
    page.panel_title(place.x, place.y, name, place.width, number(found.activation))
    side = place.height - HEAD
    draw_patch(page, Rect(place.x, place.y + HEAD, side, side), unit, colour, view)


def draw_patch(page: Page, box: Rect, unit: ProjectedUnit, colour: str, view: ProjectionView) -> None:
    """Draw a unit's patch into a box, framed in its colour, and its projection of the same size to the right of it."""
    first, second = (Rect(x, box.y, box.width, box.height).snapped() for x in (box.x, box.right + SEAM))
    patch = pixels(unit.patch)
    axes = page.picture(first, patch)
    frame(axes, (0, 0, *patch.shape[:2]), colour, 5.0)
    page.picture(second, projection_image(unit.part, colours=view.colours))


def _draw_photo(page: Page, box: Rect, seen: Photo, units: Sequence[ProjectedUnit], groups: Sequence[int]) -> None:
    """Draw the input with the box of each group's strongest unit, named by the group's channels."""
    axes = page.picture(box, seen)
    zoom = box.height / seen.shape[0]
    members = [
        [unit for unit, own in zip(units, groups, strict=True) if own == group] for group in range(max(groups) + 1)
    ]
    parts = separated([_on_photo(found[0].region.box, seen, zoom) for found in members])
    names = list[Rect]()
    for group, part in enumerate(parts):
        edges = [edge / zoom for edge in (part.y, part.x, part.bottom, part.right)]
        frame(axes, edges, colour_of(group), 2.2, WHITE)
    for found, part in zip(members, parts, strict=True):
        others = [other for other in parts if other is not part]
        _name(page, axes, box, part, [unit.projection.channel for unit in found], (names, others))


def _on_photo(part: Box, seen: Photo, zoom: float) -> Rect:
    """Return the part of the input, as far as it is on it, in inches; of one beyond, an edge."""
    top, bottom = (min(max(edge, 0), seen.shape[0]) * zoom for edge in (part[0], part[2]))
    left, right = (min(max(edge, 0), seen.shape[1]) * zoom for edge in (part[1], part[3]))
    return Rect(left, top, right - left, bottom - top)


def separated(parts: Sequence[Rect]) -> list[Rect]:
    """Return boxes with an edge moved inwards for every earlier box that has it within APART: none is hidden."""
    done = list[Rect]()
    for index, part in enumerate(parts):
        before = parts[:index]
        left, top, right, bottom = (
            APART * sum(abs(getattr(part, edge) - getattr(other, edge)) < APART for other in before)
            for edge in ("x", "y", "right", "bottom")
        )
        wide, high = part.width - left - right, part.height - top - bottom
        inside = wide > APART and high > APART
        done.append(Rect(part.x + left, part.y + top, wide, high) if inside else part)
    return done


def _name(
    page: Page, axes: Axes, box: Rect, part: Rect, channels: Sequence[int], around: tuple[list[Rect], list[Rect]]
) -> None:
    """Write the channels of a box at it, where no other name and as few other boxes as possible are (``around``)."""
    names, others = around
    words = ", ".join(map(str, channels[:NAMED])) + "…" * (len(channels) > NAMED)
    long = width(printable(words), NOTE)
    align: Align = "left" if part.x + long + 0.15 < box.width else "right"
    x = part.x + 0.05 if align == "left" else part.right - 0.05
    places = [
        Rect(x if align == "left" else x - long, bottom - LINE, long, LINE)
        for bottom in (part.y - 0.04, part.bottom + LINE, part.y + LINE + 0.02, part.bottom - 0.05)
    ]
    free = [place for place in places if place.y >= 0 and place.bottom <= box.height and not _touched(place, names)]
    if free:
        best = min(free, key=lambda place: _touched(place, others))
        names.append(best)
        page.label(axes, box, (x, best.bottom), words, align)


def _touched(place: Rect, boxes: Sequence[Rect]) -> int:
    """Return how many boxes a place overlaps."""
    return sum(
        place.x < box.right and box.x < place.right and place.y < box.bottom and box.y < place.bottom for box in boxes
    )


def _title(network: Network, units: Sequence[ProjectedUnit], view: ProjectionView) -> str:
    layer, count = units[0].projection.layer, len(units)
    if count == 1:
        return f"What activates {channel_label(network, layer, units[0].projection.channel)} of {layer}"
    return f"What activates {'the ' * view.strongest}{count} {'strongest ' * view.strongest}channels of {layer}"


def _subtitle(network: Network, logits: Tensor, units: Sequence[ProjectedUnit], view: ProjectionView) -> str:
    layer = placed_layer(network, units[0].projection.layer)
    shown = "each channel’s strongest unit" if len(units) > 1 else "its strongest unit"
    return (
        f"{prediction_label(network, logits)}. {layer}. Left: the patch that {shown} sees; right: the unit’s "
        f"{view.words}."
    )


def note_of(units: Sequence[ProjectedUnit], view: ProjectionView, merged: str = "") -> str:
    """Return how to read projections and boxes; ``merged``: what is said of boxes that nearly coincide."""
    values = "Projections:" if view.colours else "Projections: mean of the three colours;"
    effective = [unit.region.effective for unit in units]
    box = "95 % of a projection’s energy" if all(effective) else "receptive fields"
    if any(effective) and not all(effective):
        box += " (where that is most of the photo, 95 % of the projection’s energy)"
    beyond = any(_reaches_beyond(unit) for unit in units)
    padding = " Grey in a patch: beyond the photo." if beyond else ""
    return f"{values} grey is 0, each on its own scale. Boxes: {box}{merged}.{padding}"


def _reaches_beyond(unit: ProjectedUnit) -> bool:
    top, left, bottom, right = unit.region.box
    height, width = unit.projection.projection.shape[-2:]
    return top < 0 or left < 0 or bottom > height or right > width
