"""The film strip of ``cnnviz thumbnail``: the chosen frames in order of time, and where they are in the clip."""

from itertools import pairwise

from matplotlib.figure import Figure

from cnnviz.dense.thumbnail import Thumbnails
from cnnviz.figures.labels import network_label, with_minus
from cnnviz.figures.page import INNER, Page, Rect
from cnnviz.figures.style import LINE, MARGIN, Look, own_settings
from cnnviz.figures.tiles import Tile, draw_tiles
from cnnviz.text import plural

PER_ROW = 5
BAR = 0.14  # height of the bar of scenes, in inches
NUMBER = 0.16  # least distance of two numbers above it, in inches


@own_settings()
def draw_film_strip(found: Thumbnails, network: str, look: Look = Look()) -> Figure:
    """Return the frames in order of time, numbered from the best, and a bar of the clip's scenes."""
    page, ordered = Page(look), sorted(enumerate(found.frames, 1), key=lambda entry: entry[1].time)
    scenes = plural(len(found.cuts) + 1, "scene")
    page.heading(f"{plural(len(ordered), 'frame')} that stand{'s' * (len(ordered) == 1)} for the clip",
                 f"{network_label(network)}. {clock(found.duration)}, {plural(found.count, 'frame')}, {scenes}. "
                 "In order of time; 1 is the best.")  # fmt: skip
    tiles = [
        Tile(one.image, f"{place} at {clock(one.time)}", f"score {with_minus(f'{one.score:.1f}')}")
        for place, one in ordered
        if one.image is not None
    ]
    draw_tiles(page, tiles, min(len(tiles), PER_ROW))
    _draw_scenes(page, found)
    page.note("Score: log confidence + log sharpness, less for noise and clipped pixels. "
              "Frames differ: the cosine of their features is below 0.7.")  # fmt: skip
    return page.finish()


def _draw_scenes(page: Page, found: Thumbnails) -> None:
    """Draw a bar of the scenes in alternating greys, with the frames' numbers above and the ends of the clip below."""
    box = Rect(MARGIN, page.top + 0.12 + LINE, INNER, BAR).snapped()
    axes, last = page.axes(box), max(found.duration, 1e-6)
    axes.set_xlim(0, last)
    axes.set_ylim(0, 1)
    starts = (0.0, *found.cuts, last)
    for number, (start, end) in enumerate(pairwise(starts)):
        axes.axvspan(start, end, color=page.theme.rule if number % 2 else page.theme.faint, lw=0)
    taken: list[float] = []
    for place, one in enumerate(found.frames, 1):
        x = box.x + box.width * min(one.time / last, 1)
        axes.axvline(one.time, color=page.theme.accent, lw=2)
        if all(abs(x - other) > NUMBER for other in taken):
            page.write(x, box.y - LINE, str(place), colour=page.theme.accent, align="center", bold=True)
            taken.append(x)
    page.write(box.x, box.bottom, clock(0))
    page.write(box.right, box.bottom, clock(found.duration), align="right")
    page.top = box.bottom + LINE


def clock(seconds: float) -> str:
    """Return a time as minutes and seconds: 1:02.5."""
    tenths = round(seconds * 10)
    return f"{tenths // 600}:{tenths % 600 / 10:04.1f}"
