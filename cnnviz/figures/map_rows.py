"""The photo beside rows of maps, each with its own scale below it: the layout of several figures."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from cnnviz.figures.maps import Crop, Words, bar_below, draw_map, draw_photo, photo_title
from cnnviz.figures.page import INNER, Page, Rect
from cnnviz.figures.scale import Scale
from cnnviz.figures.style import HEAD, LINE, MARGIN, PANEL, ROW
from cnnviz.io.color import Photo
from cnnviz.models.preprocess import Geometry

WIDEST = 2.2  # width of a photo beside maps, in heights


@dataclass(frozen=True)
class MapPanel:
    """A map (H, W) at the crop's pixels, with its scale; ``below`` is written under its colour bar."""

    title: str
    values: NDArray[np.float32]
    scale: Scale
    below: str = ""
    contour: bool = False


@dataclass(frozen=True)
class Layout:
    """Where panels go: none higher than ``height``, a row in ``room`` inches, with a colour bar below each if ``bars``;
    ``heads`` above rows of equally many panels, instead of a flow.
    """

    height: float
    heads: Sequence[str] = ()
    below_photo: str = ""
    room: float = INNER
    bars: bool = True


@dataclass(frozen=True)
class Drawn:
    """The axes of the photo, whole or its crop alone, and those of the maps with their boxes."""

    photo: Axes
    whole: bool
    maps: Sequence[tuple[Axes, Rect]]


def per_row(crop: Crop) -> int:
    """Return the number of crops in a row, at most."""
    return max(1, min(ROW, int(6.4 / crop.aspect)))


def draw_map_rows(
    page: Page, photo: Photo, geometry: Geometry, crop: Crop, panels: Sequence[MapPanel], layout: Layout
) -> Drawn:  # fmt: skip
    """Draw the photo and the maps in rows; the photo whole beside one or two maps, its crop alone beside more.

    A wide photo has a row of its own.
    """
    beside = max(photo.shape[1] / photo.shape[0], crop.aspect) <= WIDEST
    whole, title = len(panels) <= 2 or not beside, photo_title(photo, geometry)
    title = title if whole or title == "Photo" else "Photo, input only"
    aspect = photo.shape[1] / photo.shape[0] if whole else crop.aspect

    def draw_first(box: Rect) -> Axes:
        return draw_photo(page, box, photo, geometry) if whole else page.picture(box, crop.image)

    if not beside:
        seen = draw_first(page.row([aspect], [title], height=layout.height)[0])
        page.top += 0.2
    columns, drawn = list[Rect](), list[tuple[Axes, Rect]]()
    for number, row in enumerate(_rows(panels, per_row(crop), layout, beside)):
        top = page.top + 0.2 * bool(number)
        page.top = top + 1.3 * LINE * bool(layout.heads)
        if number:
            boxes = _next_row(page, columns, row)
        else:
            titles, aspects = [panel.title for panel in row], [crop.aspect] * len(row)
            columns = page.row([aspect] * beside + aspects, [title] * beside + titles, height=layout.height,
                               room=layout.room)  # fmt: skip
            boxes = columns[beside:]
            if beside:
                seen = draw_first(columns[0])
                page.write_lines(columns[0].x, page.top + 0.1, layout.below_photo, room=columns[0].place.width, lines=3)
            columns = boxes if layout.heads else columns
        if layout.heads:
            page.write(boxes[0].x, top, layout.heads[number], size=PANEL, colour=page.theme.ink,
                       room=MARGIN + INNER - boxes[0].x)  # fmt: skip
        drawn += _draw_panels(page, crop, boxes, row, layout.bars)
    page.top += 0.04
    return Drawn(seen, whole, drawn)


def _rows(panels: Sequence[MapPanel], most: int, layout: Layout, beside: bool) -> list[Sequence[MapPanel]]:
    """Return panels in rows: one for each head, or rows of about one length with the photo at the start."""
    if layout.heads:
        each = len(panels) // len(layout.heads)
        return [panels[first : first + each] for first in range(0, len(panels), each)]
    count = len(panels) + beside
    columns = -(-count // -(-count // most))
    starts = [0, *range(columns - beside, len(panels), columns), len(panels)]
    return [panels[low:high] for low, high in pairwise(starts)]


def _next_row(page: Page, columns: Sequence[Rect], panels: Sequence[MapPanel]) -> list[Rect]:
    """Return boxes below those of the first row, with titles."""
    for box, panel in zip(columns, panels, strict=False):
        page.panel_title(box.x, page.top, panel.title, box.place.width)
    boxes = [Rect(box.x, page.top + HEAD, box.width, box.height).snapped() for box in columns]
    page.top = boxes[0].bottom
    return boxes


def _draw_panels(
    page: Page, crop: Crop, boxes: Sequence[Rect], panels: Sequence[MapPanel], bars: bool
) -> list[tuple[Axes, Rect]]:  # fmt: skip
    """Draw maps, their colour bars and what is written below them."""
    drawn = []
    for box, panel in zip(boxes, panels, strict=False):
        drawn.append((draw_map(page, box, crop, panel.values, panel.scale, panel.contour), box))
        bottom = box.bottom
        if bars:
            bottom = bar_below(page, box.place, bottom + 0.1, panel.scale, Words(_ticks(panel.scale)))
        if panel.below:
            bottom = page.write_lines(box.x, bottom + 0.02, panel.below, room=box.place.width, lines=3)
        page.top = max(page.top, bottom)
    return drawn


def _ticks(scale: Scale) -> list[tuple[float, str]]:
    if scale.low < 0:
        return [(scale.low, "against"), (0.0, "0"), (scale.high, "for")]
    return [(0.0, "0"), (scale.high, "most")]
