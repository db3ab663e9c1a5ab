"""Panels of the report of ``cnnviz adversarial``: pictures as a sum, bars of classes, the change with its patch."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from cnnviz.adversarial.figures.change import Change
from cnnviz.adversarial.results import Top
from cnnviz.figures.labels import percent, printable_name
from cnnviz.figures.maps import frame
from cnnviz.figures.page import INNER, Page, Rect
from cnnviz.figures.style import BLACK, CATEGORIES, HEAD, LEADING, LINE, MARGIN, NOTE, OTHERS, PANEL, WHITE
from cnnviz.figures.text import width
from cnnviz.io.color import Photo
from cnnviz.models.catalog import ClassProbability

SIGN, SIGN_SIZE = 0.42, 24.0  # room of a plus or equals sign in inches, its font size
COLUMN = (INNER - 2 * SIGN) / 3
HIGHEST, WIDEST = 3.4, 3.0  # height of a picture in inches; width of pictures side by side, in heights
STACKED = 6.2  # width of pictures below one another
FOOT, FOOT_WIDTH = 1.25, 1.7  # height of what is below a picture; width of what is beside it, at least
CLASSES = 5
SMALL = 100  # pixels of a photo's side below which its pixels are drawn as squares
FEW_SHARE = 0.01  # share of changed pixels up to which they are drawn larger
DOTS = ((60, 7.0), (400, 4.5), (2500, 2.6))  # diameter in points of up to so many changed pixels


@dataclass(frozen=True)
class Summand:
    """Where one picture of the sum is, and the words or bars that belong to it."""

    picture: Rect
    foot: Rect


def draw_sum(page: Page, titles: Sequence[str], before: Photo, after: Photo) -> list[Summand]:
    """Draw two photos, and between them room for their change, with a plus and an equals sign; return the panels.

    Side by side, or below one another where the photos are very wide.
    """
    aspect = before.shape[1] / before.shape[0]
    panels = _stacked(page, titles, aspect) if aspect > WIDEST else _beside(page, titles, aspect)
    for panel, photo in ((panels[0], before), (panels[2], after)):
        page.picture(panel.picture, photo, smooth=max(photo.shape[:2]) >= SMALL)
    return panels


def _beside(page: Page, titles: Sequence[str], aspect: float) -> list[Summand]:
    height, top = min(COLUMN / aspect, HIGHEST), page.top + HEAD
    panels = []
    for index, title in enumerate(titles):
        x = MARGIN + index * (COLUMN + SIGN)
        page.panel_title(x, page.top, title, COLUMN)
        picture = Rect(x, top, height * aspect, height).snapped()
        foot = Rect(x, picture.bottom + 0.16, COLUMN, FOOT)
        if COLUMN - picture.width - 0.15 >= FOOT_WIDTH:
            foot = Rect(picture.right + 0.15, top, COLUMN - picture.width - 0.15, picture.height)
        panels.append(Summand(picture, foot))
        if index:
            _sign(page, x - SIGN / 2, top + height / 2, " +="[index])
    page.top = panels[0].foot.bottom
    return panels


def _stacked(page: Page, titles: Sequence[str], aspect: float) -> list[Summand]:
    panels = []
    for index, title in enumerate(titles):
        title_top = page.top
        page.panel_title(MARGIN, title_top, title, STACKED / 2 - SIGN)
        if index:
            _sign(page, MARGIN + STACKED / 2, title_top + PANEL * LEADING / 144, " +="[index])
        top = title_top + HEAD
        picture = Rect(MARGIN, top, STACKED, STACKED / aspect).snapped()
        panels.append(Summand(picture, Rect(picture.right + 0.25, top, INNER - STACKED - 0.25, FOOT)))
        page.top = max(picture.bottom, top + FOOT) + 0.16
    page.top -= 0.16
    return panels


def _sign(page: Page, x: float, y: float, sign: str) -> None:
    """Write a sign whose middle is at x, y."""
    page.write(x, y - SIGN_SIZE * LEADING / 144, sign, size=SIGN_SIZE, align="center")


@dataclass(frozen=True)
class ClassBars:
    """Bars of the most probable classes, of one length per probability in all panels.

    ``names``: share of the panel's width for the names; ``colours`` of the goal and of the classes that are first.
    """

    names: float
    colours: dict[int, str]

    @classmethod
    def of(cls, *tops: Top, goal: int | None = None) -> "ClassBars":
        """Return how the classes of several panels are drawn, and the class ``goal``."""
        firsts = dict.fromkeys([*(top[0].index for top in tops), *([goal] if goal is not None else [])])
        longest = max(width(_name(row), NOTE, bold=True) for top in tops for row in top[:CLASSES])
        return cls(min(longest + 0.02, 0.46 * COLUMN) / COLUMN, dict(zip(firsts, CATEGORIES, strict=False)))

    def draw(self, page: Page, foot: Rect, top: Top) -> None:
        """Draw the bars of one panel."""
        rows, start = top[:CLASSES], self.names * foot.width + 0.08
        full = foot.width - start - 0.62
        pitch = FOOT / CLASSES
        axes = page.axes(Rect(foot.x + start, foot.y, full, pitch * len(rows)))
        axes.set_xlim(0, 1)
        axes.set_ylim(len(rows), 0)
        axes.plot([0, 0], [0.1, len(rows) - 0.1], color=page.theme.rule, lw=0.8, clip_on=False)
        for number, row in enumerate(rows):
            colour, first = self.colours.get(row.index, OTHERS), row.index in self.colours
            ink, y = page.theme.ink if first else page.theme.faint, foot.y + pitch * number + (pitch - LINE) / 2
            axes.add_patch(Rectangle((0, number + 0.2), row.probability, 0.6, color=colour, lw=0))
            page.write(foot.x + start - 0.08, y, _name(row), bold=first, colour=ink, align="right", room=start - 0.08)
            page.write(foot.x + start + row.probability * full + 0.07, y, percent(row.probability, 1), bold=first,
                       colour=ink)  # fmt: skip


def _name(row: ClassProbability) -> str:
    return printable_name(row.name, row.index)


def draw_change(page: Page, panel: Summand, change: Change) -> bool:
    """Draw a change into a panel, below it a patch in which single pixels can be seen, and how to read both.

    Return whether changed pixels are drawn larger than they are.
    """
    height, wide = change.values.shape[:2]
    axes = page.picture(panel.picture, change.image(page.pixels(panel.picture)), (height, wide))
    larger = _draw_larger(axes, panel.picture, change)
    patch, foot = change.patch(), panel.foot
    words, x, y, room = _reading(change), foot.x, foot.y, foot.width
    if patch:
        side = min(FOOT, foot.width)
        loupe = Rect(foot.x, foot.y, side, side).snapped()
        page.picture(loupe, change.colours(change.values[patch[0] : patch[2], patch[1] : patch[3]]), smooth=False)
        _connect(page, panel.picture, loupe, patch, (height, wide))
        words = f"Patch: {patch[2] - patch[0]} × {patch[3] - patch[1]} pixels. {words}"
        if foot.height > FOOT:
            y = loupe.bottom + 0.08
        else:
            x, room = loupe.right + 0.14, foot.width - side - 0.14
    page.write_lines(x, y - 0.03, words, room=room, lines=int((foot.bottom - y + 0.06) / LINE))
    return larger


def _reading(change: Change) -> str:
    """Return how the colours of a change are to be read."""
    more = (" or more", " or less") if change.strongest > change.strong else ("", "")
    levels = "level" if change.strong == 1 else "levels"
    words = f"Grey: no change; white: +{change.strong}{more[0]}, black: −{change.strong}{more[1]} {levels}"
    return f"{words}." if change.is_grey else f"{words}; colour: channels differ."


def _draw_larger(axes: Axes, box: Rect, change: Change) -> bool:
    """Draw changed pixels as discs with a rim, and return True, where they are few and smaller than a disc."""
    rows, columns = change.places()
    height, wide = change.values.shape[:2]
    size = next((diameter for count, diameter in DOTS if len(rows) <= count), 0.0)
    if not 0 < len(rows) <= FEW_SHARE * height * wide or box.height / height * 72 >= size:
        return False
    colours, rim = change.colours(change.values[rows, columns]) / 255, size / 8
    for edge, thickness in ((BLACK, 3 * rim), (WHITE, rim)):
        axes.scatter(columns + 0.5, rows + 0.5, s=size**2, c=colours, edgecolors=edge, linewidths=thickness)
    axes.set_xlim(0, wide)
    axes.set_ylim(height, 0)
    return True


def _connect(page: Page, picture: Rect, loupe: Rect, patch: tuple[int, int, int, int], shape: tuple[int, int]) -> None:
    """Frame a patch of a picture and its enlargement, and draw lines between them."""
    around = Rect(MARGIN, min(picture.y, loupe.y), INNER, max(picture.bottom, loupe.bottom) - min(picture.y, loupe.y))
    axes = page.axes(around)
    axes.set_xlim(around.x, around.right)
    axes.set_ylim(around.bottom, around.y)
    ys, xs = (
        start + np.array([patch[axis], patch[axis + 2]]) / side * length
        for axis, start, side, length in ((0, picture.y, shape[0], picture.height), (1, picture.x, shape[1],
                                                                                   picture.width))
    )  # fmt: skip
    ends = [((xs[1], y), (loupe.x, end)) for y, end in zip(ys, (loupe.y, loupe.bottom), strict=True)]
    if loupe.x <= picture.right:  # below the picture, not beside it
        ends = [((x, ys[1]), (end, loupe.y)) for x, end in zip(xs, (loupe.x, loupe.right), strict=True)]
    for (x, y), (end_x, end_y) in ends:
        for thickness, colour in ((2.2, WHITE), (0.9, BLACK)):
            axes.plot([x, end_x], [y, end_y], color=colour, lw=thickness, clip_on=False)
    for top, left, bottom, right in ((ys[0], xs[0], ys[1], xs[1]), (loupe.y, loupe.x, loupe.bottom, loupe.right)):
        frame(axes, (top, left, bottom, right), BLACK, 1.0, WHITE)
