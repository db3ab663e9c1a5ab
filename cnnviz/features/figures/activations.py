"""The figure of a layer's feature maps: the network's input, and a grid of the maps."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from cnnviz.features.activations import Activations
from cnnviz.figures.labels import channel_label, number, placed_layer, prediction_label, with_minus
from cnnviz.figures.maps import Crop, Words, bar_below
from cnnviz.figures.page import INNER, Page, Rect, squares
from cnnviz.figures.sampling import interpolate
from cnnviz.figures.scale import FLAT, MIDDLE, Scale, map_ground, round_end
from cnnviz.figures.style import GAP, HEAD, LINE, MARGIN, Look, own_settings
from cnnviz.figures.tiles import Tile, columns, draw_tiles
from cnnviz.io.color import Photo
from cnnviz.models.network import Network
from cnnviz.models.preprocess import Geometry

WIDE = 1.8  # an input wider than this, in heights, stands above its maps
BAR_WIDTH, BAR_HEIGHT = 2.4, 0.7  # of the colour bar with its words
FEW = 16  # maps beside which the input may be large
COLOURS = "cividis"  # where no value is negative


@dataclass(frozen=True)
class MapGrid:
    """Which maps are drawn and how: channels ``shown``; ``common``, on one scale; ``overlay``, over the photo."""

    shown: Sequence[int]
    common: bool = False
    overlay: bool = False


@own_settings()
def draw_activations(
    photo: Photo, geometry: Geometry, network: Network, found: Activations, grid: MapGrid, look: Look = Look()
) -> Figure:
    """Return the network's input and the chosen maps; of a layer with negative values around 0."""
    page, crop = Page(look), Crop.of(photo, geometry)
    page.heading(_title(network, found, grid), _subtitle(network, found, grid))
    maps = found.maps[list(grid.shown)].numpy()
    scales = _scales(found, maps, grid)
    seen = crop.image if grid.overlay or geometry.on_photo().all() else geometry.see(photo)
    above, aspect = _aspect(seen) > WIDE, crop.aspect if grid.overlay else maps.shape[2] / maps.shape[1]
    across = columns(len(maps), (2.2 if above else 1.2) / aspect)
    small = crop.at_most(round(INNER / across * max(1, 1 / aspect) * page.figure.dpi))
    drawn = [_draw(values, scale, small, geometry, grid) for values, scale in zip(maps, scales, strict=True)]
    tiles = [
        Tile(image, channel_label(network, found.layer, channel), _largest(values, scale), str(channel))
        for image, channel, values, scale in zip(drawn, grid.shown, maps, scales, strict=True)
    ]
    ordered = ", the strongest first" if _is_strongest(found, grid) and len(tiles) > 1 else ""
    draw = _photo_above if above else _photo_beside
    place, boxes = draw(page, seen, tiles, across, f"Feature map{'s' * (len(tiles) > 1)}{ordered}")
    page.top = max(page.top, _bar(page, place, scales[0], grid))
    square = squares(page, boxes, maps.shape[1:], "value")
    page.note(_note(found, grid, scales[0].low < 0, square))
    return page.finish()


def _largest(values: NDArray[np.float32], scale: Scale) -> str:
    """Return the largest activation of a map; where the scale is signed the largest magnitude, at which it ends."""
    if scale.low < 0:
        return f"max ±{number(float(np.abs(values).max()))}"
    return f"max {number(float(values.max()))}"


def _photo_beside(page: Page, seen: Photo, tiles: Sequence[Tile], across: int, title: str) -> tuple[Rect, list[Rect]]:
    """Draw the input left of its maps, about as high as they are; return the places of the colour bar and the maps."""
    top, aspect, count = page.top, _aspect(seen), len(tiles)
    down = -(-count // across)
    free = INNER - 1.5 * GAP - 0.12 * (across - 1)
    ratio = down / across / _aspect(tiles[0].image)  # height of the grid is about free * ratio + the gaps between rows
    gaps = (down - 1) * (LINE + 0.1) - BAR_HEIGHT * (down > 1)
    wide = min((free * ratio + gaps) / (1 / aspect + ratio), 4.2 if count <= FEW else 3.0, 5 * aspect)
    left = MARGIN + max(wide, BAR_WIDTH) + 1.5 * GAP
    (box,) = page.row([aspect], ["Network input"], height=wide / aspect)
    page.picture(box, seen)
    page.panel_title(left, top, title, MARGIN + INNER - left)
    page.top = box.y
    boxes = draw_tiles(page, tiles, across, left=left, room=MARGIN + INNER - left, smooth=False,
                       largest=max(box.height, 2.0))  # fmt: skip
    page.top = max(page.top, box.bottom, top)
    return Rect(MARGIN, box.bottom + 0.2, max(box.width, BAR_WIDTH), 0), boxes


def _photo_above(page: Page, seen: Photo, tiles: Sequence[Tile], across: int, title: str) -> tuple[Rect, list[Rect]]:
    """Draw a wide input above its maps; return the places of the colour bar and the maps."""
    (box,) = page.row([_aspect(seen)], ["Network input"], height=2.4)
    page.picture(box, seen)
    page.panel_title(MARGIN, page.top + 0.16, title, INNER)
    page.top += 0.16 + HEAD
    boxes = draw_tiles(page, tiles, across, smooth=False)
    return Rect(MARGIN, page.top + 0.2, BAR_WIDTH, 0), boxes


def _bar(page: Page, place: Rect, scale: Scale, grid: MapGrid) -> float:
    """Draw the colour bar, and return the top of what follows."""
    signed = scale.low < 0
    unit = "activation, one scale for all" if grid.common else "activation, each map on its own scale"
    ends = [with_minus(f"{end:g}") if grid.common else word
            for end, word in ((scale.low, "−max" if signed else "0"), (scale.high, "max"))]  # fmt: skip
    middle = [(0.0, "0")] if signed else []
    ticks = [(scale.low, ends[0]), *middle, (scale.high, ends[1])]
    return bar_below(page, place, place.y, scale, Words(ticks, unit))


def _scales(found: Activations, maps: NDArray[np.float32], grid: MapGrid) -> list[Scale]:
    """Return the scale of each map: around 0 where any value of the layer is negative."""
    signed = bool((found.maps < 0).any())
    largest = [float(np.abs(values).max()) or 1.0 for values in maps]
    if grid.common:
        largest = [round_end(max(largest))] * len(largest)
    if signed:
        return [Scale(-end, end) for end in largest]
    return [Scale(0, end, COLOURS, FLAT if grid.overlay else 1.0) for end in largest]


def _draw(values: NDArray[np.float32], scale: Scale, crop: Crop, geometry: Geometry, grid: MapGrid) -> Photo:
    """Return a map (h, w) in colours: a pixel for each value, or over the photo, linear between the values."""
    if not grid.overlay:
        return scale.over(np.full((1, 1, 1), MIDDLE, np.float32), values)
    rows, across = (
        (np.arange(count) + 0.5) * side / count - 0.5 for count, side in zip(values.shape, geometry.size, strict=True)
    )
    return scale.over(map_ground(crop.image), interpolate(values, rows, across, crop.ys, crop.xs))


def _aspect(image: Photo) -> float:
    return float(image.shape[1] / image.shape[0])


def _is_strongest(found: Activations, grid: MapGrid) -> bool:
    return list(grid.shown) == found.order[: len(grid.shown)].tolist()


def _title(network: Network, found: Activations, grid: MapGrid) -> str:
    count = len(grid.shown)
    if count == 1:
        return f"Where {channel_label(network, found.layer, grid.shown[0])} of {found.layer} is active"
    which = f"the {count} strongest" if _is_strongest(found, grid) and count < len(found.maps) else str(count)
    return f"Where {which} channels of {found.layer} are active"


def _subtitle(network: Network, found: Activations, grid: MapGrid) -> str:
    _, height, width = found.maps.shape
    return (
        f"{prediction_label(network, found.logits)}. {placed_layer(network, found.layer)}: {len(grid.shown)} of "
        f"{len(found.maps)} channels; {height} × {width} values each."
    )


def _note(found: Activations, grid: MapGrid, signed: bool, square: str) -> str:
    first = f"Number: channel; max: its largest {'magnitude' if signed else 'activation'}. "
    order = "Strength: sum of the positive values. " if _is_strongest(found, grid) and len(grid.shown) > 1 else ""
    return first + order + ("Values lie over the photo, linear between the cells." if grid.overlay else square)
