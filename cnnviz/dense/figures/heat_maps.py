"""The figure of class heat maps: the photo, and for each class its logit at each place."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from cnnviz.dense.figures.heat_overlay import heat_scale
from cnnviz.dense.heat import Heat, HeatGrid
from cnnviz.figures.labels import class_label, network_label, number, percent, quoted, signed
from cnnviz.figures.map_rows import Layout, MapPanel, draw_map_rows
from cnnviz.figures.maps import BESIDE, Crop, Words, bar_below, bar_beside, has_contour
from cnnviz.figures.page import INNER, Page, Rect
from cnnviz.figures.scale import Scale
from cnnviz.figures.style import BLACK, MARGIN, WHITE, Look, own_settings
from cnnviz.io.color import Photo
from cnnviz.models.network import Network

HIGHEST = 3.4  # height of a row in inches
FEW = 2  # maps with a bar beside them
LOW = 1.7  # height of a panel in inches below which a bar beside it has no room for its words


@own_settings()
def draw_heat(photo: Photo, network: Network, result: Heat, colormap: str = "auto", look: Look = Look()) -> Figure:
    """Return the photo and a map for each class, on one scale, with a ring around the peak of each."""
    page, crop = Page(look), Crop.of(photo, result.geometry)
    maps, scale = result.maps.numpy(), heat_scale(result, colormap)
    names = [class_label(network, index) for index in result.targets]
    page.heading(f"Where the network finds {quoted(names)}", _method(network, result))
    shares = [percent(share, 1) for share in result.probabilities]
    titles = [f"{name}, {share}" for name, share in zip(names, shares, strict=True)]
    if len(names) == 1:
        titles = ["Logit at each place" if len(result.grids) == 1 else "Geometric mean of the logits"]
    few = len(maps) <= FEW
    panels = [MapPanel(title, crop.sample(values), scale, contour=True)
              for title, values in zip(titles, maps, strict=True)]  # fmt: skip
    layout = Layout(HIGHEST, room=INNER - BESIDE * few, bars=False)
    places = draw_map_rows(page, photo, result.geometry, crop, panels, layout).maps
    for (axes, _), peak in zip(places, result.peaks, strict=True):
        _ring(axes, crop, photo, peak.x, peak.y)
    last = [box for _, box in places if box.y == places[0][1].y][-1]  # of the first row
    _bar(page, last, scale, few, contour=any(has_contour(axes) for axes, _ in places))
    page.note(_note(result, maps))
    return page.finish()


def _ring(axes: Axes, crop: Crop, photo: Photo, x: int, y: int) -> None:
    """Draw a ring around a pixel of the photo."""
    height, width = crop.image.shape[:2]
    place = (x + 0.5) / photo.shape[1] * width, (y + 0.5) / photo.shape[0] * height
    for colour, thickness in ((BLACK, 3.0), (WHITE, 1.4)):
        axes.plot(*([value] for value in place), "o", ms=9, mfc="none", mec=colour, mew=thickness)


def _bar(page: Page, box: Rect, scale: Scale, beside: bool, contour: bool) -> None:
    """Draw the colour bar beside a panel, or below everything so far, as where the panel is too low for its words."""
    parts = (1, 0.5, 0, -0.5, -1) if scale.low < 0 else (1, 0.5, 0)
    ticks = [(part * scale.high, signed(part * scale.high) if scale.low < 0 else number(part * scale.high) if part else
              "0") for part in parts]  # fmt: skip
    if beside and box.height >= LOW:
        against = "opposes it" if scale.low < 0 else ""
        bar_beside(page, box.place, scale, Words(ticks, "logit", against, "supports it"), contour)
        return
    words = "logit; ring: peak" + "; line: half of the scale" * contour
    page.top = bar_below(page, Rect(MARGIN, 0, INNER, 0), page.top + 0.12, scale, Words(ticks[::-1], words))


def _method(network: Network, result: Heat) -> str:
    share = ""
    if len(result.targets) == 1:
        share = f": {class_label(network, result.targets[0])} {percent(result.probabilities[0], 1)}"
    several = len(result.grids) > 1
    sizes = ", ".join(str(min(grid.size)) for grid in result.grids)
    what = f"geometric mean of its logits at {sizes} px" if several else f"its logit at each place at {sizes} px"
    return f"{network_label(network.name)}{share}. Colour: {what} (shorter side of the photo)."


def _note(result: Heat, maps: NDArray[np.float32]) -> str:
    grid = result.grids[-1]
    rows, columns = grid.values.shape[1:]
    several = f"{len(result.grids)} scales, the last with " if len(result.grids) > 1 else ""
    highest, lowest = (number(float(value)) for value in (np.max(maps), np.min(maps)))
    return (
        f"{several}{rows} × {columns} places, {grid.stride} px apart, linear between their centres. Ring: the peak. "
        f"Highest {highest}, lowest {lowest}.{_means(result.grids)}"
    )


def _means(grids: Sequence[HeatGrid]) -> str:
    """Return the mean logit of a single map."""
    if len(grids) > 1 or len(grids[0].values) > 1:
        return ""
    return f" Mean of the places: {number(float(grids[0].values.mean()))}."
