"""The figure of ``cnnviz depth``: the photo, and the depth of its pixels with a legend from far to near."""

import numpy as np
from matplotlib.figure import Figure
from PIL import Image

from cnnviz.dense.depth import Depth
from cnnviz.figures.labels import network_label, number
from cnnviz.figures.maps import Words, bar_below
from cnnviz.figures.page import Page
from cnnviz.figures.scale import Scale
from cnnviz.figures.style import GAP, Look, own_settings
from cnnviz.figures.text import shorten
from cnnviz.io.color import Photo
from cnnviz.models.depth_estimator import DepthKind

HIGHEST = 5.0  # of the panels, in inches
WIDE = 3  # width by height from which the panels are one above the other
ROOM = 3.0  # of a bar with words at three distances, in inches
NAME = 3.0  # room of a network's name in the subtitle, in inches
TITLES: dict[DepthKind, str] = {
    "inverse": "Inverse depth",
    "relative": "Relative depth",
    "metres": "Distance in metres",
}
NOTES: dict[DepthKind, str] = {
    "inverse": "Larger values are nearer. Their scale and their zero are unknown: they say what is in front of what, "
    "and not how far it is.",
    "relative": "Larger values are farther. Their scale and their zero are unknown: they say what is in front of what, "
    "and not how far it is.",
    "metres": "Metres as the network estimates them: their scale is that of the cameras and places of its training.",
}  # fmt: skip


@own_settings()
def draw_depth(found: Depth, network: str, look: Look = Look()) -> Figure:
    """Return the photo beside its depth, in cividis: yellow is near and blue is far, whatever the values are."""
    page, (height, across) = Page(look), found.values.shape
    page.heading(_title(found), f"{shorten(network_label(network), NAME, 10.5)}: {TITLES[found.kind].lower()} of each "
                 f"of {across} × {height} pixels, from an input of {found.size[1]} × {found.size[0]}.")  # fmt: skip
    aspect = across / height
    both = ["Photo", TITLES[found.kind].removesuffix(" in metres")]
    place = page.row([aspect] * 2 if aspect < WIDE else [aspect], both[: 1 + (aspect < WIDE)], height=HIGHEST)
    page.picture(place[0], found.photo)
    if len(place) == 1:
        page.top += GAP
        place += page.row([aspect], both[1:], height=HIGHEST)
    page.picture(place[1], colours(found, page.pixels(place[1])))
    page.top = bar_below(page, place[1].place, page.top + 0.1, _scale(found),
                         _legend(found, place[1].place.width))  # fmt: skip
    page.note(f"{NOTES[found.kind]} Smallest value {number(found.low)}, largest {number(found.high)}.")
    return page.finish()


def colours(found: Depth, size: tuple[int, int]) -> Photo:
    """Return the depth in colours at a size (h, w)."""
    values = np.asarray(Image.fromarray(found.values).resize(size[::-1], Image.Resampling.BILINEAR))
    return _scale(found).over(np.zeros((1, 1, 1), np.float32), values if found.kind == "inverse" else -values)


def _scale(found: Depth) -> Scale:
    """Return the scale from the farthest pixel to the nearest: of the values, or of their negatives."""
    sign = 1 if found.kind == "inverse" else -1
    far, near = sign * found.far, sign * found.near
    return Scale(far, near if near > far else far + 1, "cividis", 1.0)


def _legend(found: Depth, room: float) -> Words:
    """Return the words of the bar: far and near, and of metres also the distances; ``room`` is its length in inches."""
    scale = _scale(found)
    if found.kind != "metres":
        return Words([(scale.low, "far"), (scale.high, "near")])
    far, near, middle = metres(found.far), metres(found.near), (scale.low + scale.high) / 2
    if room < ROOM:
        return Words([(scale.low, far), (scale.high, near)], "far to near")
    return Words([(scale.low, f"{far}, far"), (middle, metres(-middle)), (scale.high, f"{near}, near")])


def metres(value: float) -> str:
    """Return a distance as figures print it: 2.4 m."""
    return f"{number(value)} m"


def _title(found: Depth) -> str:
    if found.kind == "metres":
        return f"Distances from {metres(found.near)} to {metres(found.far)}"
    return "What is near and what is far"
