"""The figure of an occlusion: the photo, and for each class the change of its score where the window covers it."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from cnnviz.attribution.figures.shown_maps import occlusion_on, occlusion_scale
from cnnviz.attribution.fills import fill_label
from cnnviz.attribution.occlusion import Occlusion
from cnnviz.figures.labels import class_label, network_label, percent, quoted, signed
from cnnviz.figures.map_rows import Layout, MapPanel, draw_map_rows
from cnnviz.figures.maps import BESIDE, Crop, Words, bar_below, bar_beside, draw_window, has_contour
from cnnviz.figures.page import INNER, Page, Rect
from cnnviz.figures.scale import Scale
from cnnviz.figures.style import MARGIN, Look, own_settings
from cnnviz.io.color import Photo
from cnnviz.models.network import Network
from cnnviz.models.preprocess import Geometry

HIGHEST = 3.4  # height of a row in inches
FEW = 2  # maps with a bar beside them
LOW = 1.7  # height of a panel in inches below which a bar beside it has no room for its words


@dataclass(frozen=True)
class MapStyle:
    """How occlusion was computed and is drawn: ``fill``, ``score``, ``colormap``; ``cells`` not interpolated."""

    fill: str
    score: str
    colormap: str = "auto"
    cells: bool = False


@own_settings()
def draw_occlusion(
    photo: Photo, geometry: Geometry, network: Network, result: Occlusion, style: MapStyle, look: Look = Look()
) -> Figure:
    """Return the photo with the network's crop, and a map for each class, on one scale."""
    page, crop = Page(look), Crop.of(photo, geometry)
    factor, unit = (100, "points") if style.score == "probability" else (1, "logits")
    maps = [values * factor for values in result.maps.numpy()]
    scale = occlusion_scale(maps, style.colormap)
    shares = result.clean_logits.double().softmax(0)
    names = [class_label(network, index) for index in result.targets]
    page.heading(f"Regions that {quoted(names)} depend{'s' * (len(names) == 1)} on", _method(network, result, style))
    known = not any(np.isnan(values).any() for values in maps)
    smooth = known and not style.cells
    drawn = [occlusion_on(values, result, crop.ys, crop.xs) if smooth else crop.nearest(values).astype(np.float32)
             for values in maps]  # fmt: skip
    titles = [
        f"{name}, {percent(share, 1)}" for name, share in zip(names, shares[list(result.targets)].tolist(), strict=True)
    ]
    if len(names) == 1:
        titles = ["Drop of the probability" if factor == 100 else "Drop of the logit"]
    few = len(maps) <= FEW
    panels = [MapPanel(*one, scale, contour=True) for one in zip(titles, drawn, strict=True)]
    layout = Layout(HIGHEST, room=INNER - BESIDE * few, bars=False)
    places = draw_map_rows(page, photo, geometry, crop, panels, layout).maps
    draw_window(places[0][0], crop, result.window)
    last = [box for _, box in places if box.y == places[0][1].y][-1]  # of the first row
    _bar(page, last, scale, unit, few, contour=any(has_contour(axes) for axes, _ in places))
    page.note(_note(result, maps, unit, smooth))
    return page.finish()


def _bar(page: Page, box: Rect, scale: Scale, unit: str, beside: bool, contour: bool) -> None:
    """Draw the colour bar beside a panel, or below everything so far, as where the panel is too low for its words."""
    ticks = [(part * scale.high, signed(part * scale.high)) for part in (1, 0.5, 0, -0.5, -1)]
    if beside and box.height >= LOW:
        bar_beside(page, box.place, scale, Words(ticks, unit, "covering raises it", "covering lowers it"), contour)
        return
    ends = ("red", "blue") if scale.colormap == "auto" else ("+", "−")
    words = f"{unit}; {ends[0]}: covering lowers it, {ends[1]}: raises it" + "; line: half of the scale" * contour
    page.top = bar_below(page, Rect(MARGIN, 0, INNER, 0), page.top + 0.12, scale, Words(ticks[::-1], words))


def _method(network: Network, result: Occlusion, style: MapStyle) -> str:
    share = ""
    if len(result.targets) == 1:
        (index,) = result.targets
        share = f": {class_label(network, index)} {percent(float(result.clean_logits.double().softmax(0)[index]), 1)}"
    return (
        f"{network_label(network.name)}{share}. Colour: drop of the {style.score} when a {fill_label(style.fill)} "
        f"{result.window} px window covers the place."
    )


def _note(result: Occlusion, maps: Sequence[NDArray[np.float32]], unit: str, smooth: bool) -> str:
    rows, columns = (len(centres) for centres in result.grid.cells())
    drop, rise = (max(float(np.nanmax(sign * values, initial=0)) for values in maps) for sign in (1, -1))
    drawn = "linear between their centres" if smooth else "not interpolated"
    done = float(result.done.float().mean())
    unknown = f"Partial result: {percent(done)} of the positions; hatched: not measured. " if done < 1 else ""
    if not unknown and any(np.isnan(values).any() for values in maps):
        unknown = "Hatched: covered by no window. "
    return (
        f"{unknown}Window (outlined) {result.window} px, stride {result.stride} px. {rows} × {columns} cells, {drawn}. "
        f"Largest drop {drop:.3g}, largest rise {rise:.3g} {unit}."
    )
