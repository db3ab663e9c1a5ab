"""The figure of ``cnnviz colorize``: the lightness, the colours predicted from it, and how uncertain they are."""

from math import ceil

import numpy as np
from matplotlib.figure import Figure
from PIL import Image

from cnnviz.dense.colorize import Colorization
from cnnviz.figures.labels import network_label, number, percent
from cnnviz.figures.maps import Words, bar_below
from cnnviz.figures.page import Page, Rect, resized
from cnnviz.figures.scale import Scale, map_ground
from cnnviz.figures.style import GAP, Look, own_settings

HIGHEST = 4.2  # of the panels, in inches
WIDE = 3  # width by height from which the panels are one above the other
TITLES = ("Lightness", "Predicted colours", "Uncertainty")


@own_settings()
def draw_colorization(found: Colorization, network: str, look: Look = Look()) -> Figure:
    """Return the photo's lightness, the coloured photo, and the entropy of the colours over the grey photo."""
    page, (height, across) = Page(look), found.entropy.shape
    page.heading("Colours predicted from the lightness alone", f"{network_label(network)}. Annealed mean of "
                 f"{round(2**found.most)} colours at each place, temperature {found.temperature:g}.")  # fmt: skip
    place = _places(page, across / height)
    page.picture(place[0], found.greys)
    page.picture(place[1], found.image)
    scale = Scale(0.0, ceil(10 * found.most) / 10, "cividis")
    size = page.pixels(place[2])
    values = np.asarray(Image.fromarray(found.entropy).resize(size[::-1], Image.Resampling.BILINEAR))
    page.picture(place[2], scale.over(map_ground(resized(found.photo, size)), values))
    ticks = [(0.0, "0"), (scale.high, f"{number(scale.high)} bits")]
    page.top = bar_below(page, place[2].place, page.top + 0.1, scale, Words(ticks, "entropy"))
    page.note(f"The lightness is the photo’s; the colours are plausible, not those that were there. Entropy: "
              f"0 where one colour is certain, {number(found.most)} bits where all are equally probable; its mean is "
              f"{found.entropy.mean():.1f}. sRGB cannot show the chroma of {percent(found.reduced)} of the "
              "pixels: it is reduced there.")  # fmt: skip
    return page.finish()


def _places(page: Page, aspect: float) -> list[Rect]:
    """Return the places of three panels, side by side, or one above the other for a wide photo."""
    if aspect < WIDE:
        return page.row([aspect] * len(TITLES), TITLES, height=HIGHEST)
    place = list[Rect]()
    for title in TITLES:
        page.top += GAP if place else 0
        place += page.row([aspect], [title], height=HIGHEST)
    return place
