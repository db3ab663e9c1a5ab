"""The figure of ``cnnviz segment``: the photo, and its classes over it with a legend."""

import numpy as np
from matplotlib.figure import Figure
from PIL import Image

from cnnviz.dense.palette import voc_palette
from cnnviz.dense.segment import ClassArea, Segmentation
from cnnviz.figures.labels import network_label, percent, printable_name, title_of
from cnnviz.figures.page import INNER, Page, Rect
from cnnviz.figures.scale import map_ground
from cnnviz.figures.style import GAP, LINE, MARGIN, WHITE, Look, own_settings
from cnnviz.figures.text import printable, width
from cnnviz.io.color import Photo

OPACITY = 0.6  # of the classes over the grey photo
SWATCH = 0.13  # side of a colour of the legend, in inches
LISTED = 20  # classes of the legend, the largest
HIGHEST = 5.0  # of the panels, in inches
EACH = "The class of each of {} × {} pixels."
ESTIMATE = "An estimate: from its heat map of the class, completed by colour (GrabCut)."


@own_settings()
def draw_segmentation(found: Segmentation, network: str, look: Look = Look()) -> Figure:
    """Return the photo beside its classes in the colours of the mask; the areas stand in the legend."""
    page, (height, across) = Page(look), found.classes.shape
    shown = [one for one in found.areas if one.index in found.targets]
    what = ESTIMATE if found.estimate else EACH.format(across, height)
    page.heading(_title(shown), f"{network_label(network)}. {what}")
    aspect = across / height
    place = page.row([aspect] * 2 if aspect < 3 else [aspect], ["Photo", "Classes"][: 1 + (aspect < 3)],
                     height=HIGHEST)  # fmt: skip
    page.picture(place[0], found.photo)
    if len(place) == 1:
        page.top += GAP
        place += page.row([aspect], ["Classes"], height=HIGHEST)
    page.picture(place[1], overlay(found, page.pixels(place[1])))
    _draw_legend(page, shown[:LISTED])
    page.note("Areas are shares of the photo’s pixels. Grey: the background and the classes that are not shown.")
    return page.finish()


def overlay(found: Segmentation, size: tuple[int, int]) -> Photo:
    """Return the classes ``targets`` in colour over the grey photo, at a size (h, w), with white borders."""
    photo = np.asarray(Image.fromarray(found.photo).resize(size[::-1], Image.Resampling.LANCZOS))
    classes = np.asarray(Image.fromarray(found.classes).resize(size[::-1], Image.Resampling.NEAREST))
    inside = np.isin(classes, found.targets)[..., None]
    mixed = map_ground(photo) * np.where(inside, 1 - OPACITY, 1) + voc_palette()[classes] / 255 * OPACITY * inside
    drawn: Photo = np.rint(255 * mixed).clip(0, 255).astype(np.uint8)
    labels = np.where(inside[..., 0], classes.astype(np.int16), -1)
    border = np.zeros(size, bool)
    for axis in (0, 1):
        for step in (-1, 1):
            border |= labels != np.roll(labels, step, axis)
    border[[0, -1]] = border[:, [0, -1]] = False  # of the photo
    drawn[border] = [int(WHITE[at : at + 2], 16) for at in (1, 3, 5)]
    return drawn


def _title(shown: list[ClassArea]) -> str:
    if not shown:
        return "Nothing but background was found"
    first = printable_name(shown[0].name, shown[0].index)
    more = f", with {len(shown) - 1} more class{'es' * (len(shown) > 2)}" if len(shown) > 1 else ""
    return title_of(f"{{}} covers {percent(shown[0].area, 1)} of the photo{more}", first)


def _draw_legend(page: Page, shown: list[ClassArea]) -> None:
    """Write colour, name and area of the classes, in as many lines as they need."""
    x, y = MARGIN, page.top + 0.12
    for one in shown:
        words = printable(f"{printable_name(one.name, one.index)} {percent(one.area, 1)}")
        room = SWATCH + 0.08 + width(words, 9.5) + GAP
        if x > MARGIN and x + room > MARGIN + INNER:
            x, y = MARGIN, y + LINE + 0.04
        box = Rect(x, y + (LINE - SWATCH) / 2, SWATCH, SWATCH).snapped()
        page.picture(box, voc_palette()[one.index][None, None])
        page.write(x + SWATCH + 0.08, y, words, colour=page.theme.ink, room=MARGIN + INNER - x - SWATCH - 0.08)
        x += room
    page.top = y + LINE if shown else page.top
