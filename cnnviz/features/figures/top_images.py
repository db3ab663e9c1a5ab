"""Zeiler & Fergus' figure 2: for each channel the patches that activate it most, beside their projections."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure

from cnnviz.features.figures.projections_bare import pixels, projection_image
from cnnviz.features.top_images import TopImage
from cnnviz.figures.labels import channel_label, network_label, number, placed_layer
from cnnviz.figures.page import INNER, Page, Rect
from cnnviz.figures.scale import percentile_scale
from cnnviz.figures.style import GAP, HEAD, MARGIN, Look, own_settings
from cnnviz.figures.tiles import draw_images
from cnnviz.io.color import Photo
from cnnviz.models.network import Network
from cnnviz.text import plural

SEAM, SHEET_SEAM = 0.05, 0.02  # between tiles in inches
MIDDLE = 0.24  # between patches and projections of a page
SMALLEST, LARGEST = 0.8, 3.0  # side of a page's tile in inches
SMALL = 0.4  # side of a sheet's tile in inches, at least: 80 pixels
HITS, CHANNELS = 9, 48  # most of a sheet: photos of a channel, channels


@dataclass(frozen=True)
class SearchedLayer:
    """What was searched: the ``layer``, its number of ``channels``, how many ``photos``, the ``method``."""

    layer: str
    channels: int
    photos: int
    method: str


@dataclass(frozen=True)
class MapTiles:
    """The images that maximise a channel, the strongest first, ready to draw, in a quarter of their memory.

    ``patches`` and ``projections`` (side, side, 3), the projections on one scale; ``activations``; ``effective``:
    whether any patch is an effective receptive field.
    """

    channel: int
    patches: tuple[Photo, ...]
    projections: tuple[Photo, ...]
    activations: tuple[float, ...]
    effective: bool = False

    @classmethod
    def of(cls, channel: int, hits: Sequence[TopImage], *, colours: bool = False) -> "MapTiles":
        """Return the tiles of a channel; projections are the mean of the three colours unless ``colours``."""
        kept = [hit.projection if colours else hit.projection.mean(0, keepdims=True) for hit in hits]
        scale = percentile_scale(np.concatenate([part.ravel() for part in kept]))
        return cls(
            channel, tuple(pixels(hit.patch) for hit in hits),
            tuple(projection_image(hit.projection, scale, colours=colours) for hit in hits),
            tuple(hit.activation for hit in hits), any(hit.region.effective for hit in hits),
        )  # fmt: skip


@own_settings()
def draw_top_images(network: Network, tiles: MapTiles, searched: SearchedLayer, look: Look = Look()) -> Figure:
    """Return the patches of one channel, and their projections in the same order."""
    page, count = Page(look), len(tiles.patches)
    name = channel_label(network, searched.layer, tiles.channel)
    page.heading(f"What activates {name} of {searched.layer}", _subtitle(network, tiles, searched))
    room = (INNER - MIDDLE) / 2
    across = min(_across(count), int((room + SEAM) / (SMALLEST + SEAM)))
    side = min((room + SEAM) / across - SEAM, LARGEST)
    second = MARGIN + across * (side + SEAM) - SEAM + MIDDLE
    page.panel_title(MARGIN, page.top, "Patches", room)
    page.panel_title(second, page.top, f"{searched.method.capitalize()} projections", room)
    page.top += HEAD
    boxes = [
        *_grid(count, across, side, SEAM, (MARGIN, page.top)),
        *_grid(count, across, side, SEAM, (second, page.top)),
    ]
    draw_images(page, [*tiles.patches, *tiles.projections], boxes)
    page.top = max(box.bottom for box in boxes)
    page.note(_note(tiles))
    return page.finish()


@own_settings()
def draw_sheet(network: Network, maps: Sequence[MapTiles], searched: SearchedLayer, look: Look = Look()) -> Figure:
    """Return the patches and projections of up to CHANNELS channels, three or four in a row."""
    page, shown = Page(look), maps[:CHANNELS]
    count = min(max(len(tiles.patches) for tiles in shown), HITS)
    page.heading(
        f"What activates {plural(len(shown), 'channel')} of {searched.layer}", _sheet_subtitle(network, shown, searched)
    )
    across = _across(count)
    per_row = min(3 if across * (SMALL + SHEET_SEAM) > (INNER - 3 * GAP) / 8 else 4, max(len(shown), 2))
    half = ((INNER + GAP) / per_row - GAP - SEAM) / 2
    side = (half + SHEET_SEAM) / across - SHEET_SEAM
    images, boxes, top = list[Photo](), list[Rect](), page.top
    for index, tiles in enumerate(shown):
        x = MARGIN + index % per_row * (2 * half + SEAM + GAP)
        if index % per_row == 0 and boxes:
            top = max(box.bottom for box in boxes) + GAP
        name, value = channel_label(network, searched.layer, tiles.channel), number(tiles.activations[0])
        page.panel_title(x, top, name, 2 * half + SEAM, value)
        for left, found in ((x, tiles.patches[:count]), (x + half + SEAM, tiles.projections[:count])):
            images += found
            boxes += _grid(len(found), across, side, SHEET_SEAM, (left, top + HEAD))
    draw_images(page, images, boxes)
    page.top = max(box.bottom for box in boxes)
    page.note(_sheet_note(count))
    return page.finish()


def _across(count: int) -> int:
    """Return the number of columns of patches: a row of up to three, a square of more."""
    return count if count <= 3 else math.ceil(math.sqrt(count))


def _grid(count: int, across: int, side: float, seam: float, start: tuple[float, float]) -> list[Rect]:
    """Return the boxes of square tiles row by row, from ``start`` (x, y) on."""
    x, y = start
    return [
        Rect(x + index % across * (side + seam), y + index // across * (side + seam), side, side).snapped()
        for index in range(count)
    ]


def _subtitle(network: Network, tiles: MapTiles, searched: SearchedLayer) -> str:
    values, count = [number(value) for value in tiles.activations], len(tiles.patches)
    which = f"the {count} strongest of {searched.photos} photos" if count > 1 else f"1 of {searched.photos} photos"
    span = f"activations {values[0]} to {values[-1]}, the largest first" if count > 1 else f"activation {values[0]}"
    return f"{network_label(network.name)}, {placed_layer(network, searched.layer)}: {which}, {span}."


def _sheet_subtitle(network: Network, shown: Sequence[MapTiles], searched: SearchedLayer) -> str:
    return (
        f"{network_label(network.name)}, {placed_layer(network, searched.layer)}: {len(shown)} of {searched.channels} "
        f"channels, searched in {plural(searched.photos, 'photo')}. Left: the patches of the strongest units; right: "
        f"their {searched.method} projections."
    )


def _note(tiles: MapTiles) -> str:
    part = "the box that holds 95 % of its projection’s energy" if tiles.effective else "its receptive field"
    return (
        f"A patch is what the photo’s strongest unit sees: {part}. Projections stand in the order of the patches; grey "
        "is 0, one scale for all."
    )


def _sheet_note(count: int) -> str:
    photos = f"Up to {count} photos a channel, the strongest first. Number: activation of the first."
    return f"{photos if count > 1 else 'Number: activation.'} Projections: grey is 0, one scale for each channel."
