"""A figure that is filled from top to bottom: heading, panels in rows, notes. Lengths are inches from the top left."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain, product
from string import ascii_lowercase
from typing import Any, Literal

import numpy as np
from matplotlib import patheffects
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text
from PIL import Image

from cnnviz.figures import text
from cnnviz.figures.output import png
from cnnviz.figures.style import (
    BLACK,
    DPI,
    GAP,
    HEAD,
    LEADING,
    MARGIN,
    NOTE,
    PANEL,
    SUBTITLE,
    THEMES,
    TITLE,
    WHITE,
    WIDTH,
    Look,
    own_settings,
)
from cnnviz.io.color import Photo

Align = Literal["left", "center", "right"]
INNER = WIDTH - 2 * MARGIN  # between the margins
NARROWEST = 1.3  # place of a panel in a row, at least


@dataclass(frozen=True)
class Rect:
    """A rectangle: left, top, width and height."""

    x: float
    y: float
    width: float
    height: float

    @property
    def right(self) -> float:
        """Right edge."""
        return self.x + self.width

    @property
    def bottom(self) -> float:
        """Bottom edge."""
        return self.y + self.height

    @property
    def place(self) -> "Rect":
        """The rectangle, at least as wide as words need."""
        return Rect(self.x, self.y, max(self.width, NARROWEST), self.height)

    def snapped(self) -> "Rect":
        """Return the rectangle with its edges on whole pixels, so that images are not resampled."""
        left, top, right, bottom = (round(edge * DPI) / DPI for edge in (self.x, self.y, self.right, self.bottom))
        return Rect(left, top, right - left, bottom - top)


class ShownFigure(Figure):
    """A figure that shows itself in Jupyter without pyplot, and is saved as drawn whatever the user's settings."""

    def _repr_png_(self) -> bytes:
        return png(self)

    @own_settings()
    def savefig(self, *args: Any, **options: Any) -> None:
        """Save the figure as ``matplotlib.figure.Figure.savefig`` does, with matplotlib's default settings."""
        super().savefig(*args, **options)


class Page:
    """A matplotlib figure under construction; ``top`` is where the next part begins."""

    def __init__(self, look: Look = Look()) -> None:
        self.look, self.theme = look, THEMES[look.theme]
        self.figure = ShownFigure(figsize=(WIDTH, 1.0), dpi=DPI * look.scale, facecolor=self.theme.paper)
        FigureCanvasAgg(self.figure)
        self.top = MARGIN
        self._letters = map("".join, chain(ascii_lowercase, product(ascii_lowercase, repeat=2)))
        self._texts: list[tuple[Text, float, float]] = []
        self._axes: list[tuple[Axes, Rect]] = []

    def write(
        self, x: float, y: float, words: str, *, size: float = NOTE, bold: bool = False, colour: str = "",
        align: Align = "left", room: float = INNER,
    ) -> float:  # fmt: skip
        """Write one line whose top is at ``y``, shortened to ``room`` inches; return the top of the next line."""
        line = self.figure.text(
            0, 0, text.shorten(words, room, size, bold), fontproperties=text.font(bold, size),
            color=colour or self.theme.faint, ha=align, va="baseline", parse_math=False,
        )  # fmt: skip
        self._texts.append((line, x, y + size * (LEADING + 0.7) / 2 / 72))  # capitals are 0.7 high
        return y + size * LEADING / 72

    def write_lines(
        self, x: float, y: float, words: str, *, room: float = INNER, lines: int | None = None, colour: str = "",
        size: float = NOTE,
    ) -> float:  # fmt: skip
        """Write a paragraph, broken into lines of at most ``room`` inches; return the top of the next line."""
        for line in text.wrap(words, room, size, lines):
            y = self.write(x, y, line, size=size, colour=colour, room=room)
        return y

    def heading(self, title: str, subtitle: str = "") -> None:
        """Write the title, and below it how the result was made, in at most two lines."""
        self.top = self.write(MARGIN, self.top, title, size=TITLE, bold=True, colour=self.theme.ink)
        if subtitle:
            self.top = self.write_lines(MARGIN, self.top, subtitle, size=SUBTITLE, lines=2)
        self.top += 0.16

    def note(self, words: str) -> None:
        """Write how to read the figure, below everything so far."""
        self.top = self.write_lines(MARGIN, self.top + 0.08, words)

    def row(
        self, aspects: Sequence[float], titles: Sequence[str], *, height: float | None = None,
        room: float = INNER, gap: float = GAP,
    ) -> list[Rect]:  # fmt: skip
        """Return boxes of one height side by side, ``aspects`` their widths by heights, and write their titles above.

        They fill ``room`` inches unless that would make them higher than ``height``; a picture narrower than
        NARROWEST gets a place of that width for its words. ``top`` moves below them.
        """
        height = min(_common_height(aspects, room - gap * (len(aspects) - 1)), height or WIDTH)
        boxes, x, y = [], MARGIN, self.top
        if any(titles):
            self.top += HEAD
        for aspect, title in zip(aspects, titles, strict=True):
            place = max(aspect * height, NARROWEST)
            boxes.append(Rect(x, self.top, aspect * height, height).snapped())
            if title:
                self.panel_title(x, y, title, place)
            x += place + gap
        self.top = boxes[0].bottom
        return boxes

    def panel_title(self, x: float, y: float, title: str, room: float, value: str = "") -> None:
        """Write a panel's title after the next letter of the alphabet, and on the right a value where both fit."""
        letter = next(self._letters)
        indent = max(0.19, text.width(letter, PANEL, bold=True) + 0.08)
        self.write(x, y, letter, size=PANEL, bold=True, colour=self.theme.ink)
        self.write(x + indent, y, title, size=PANEL, bold=True, colour=self.theme.ink, room=room - indent)
        if value and indent + text.width(title, PANEL, bold=True) + text.width(value, NOTE) + 0.1 < room:
            self.write(x + room, y + (PANEL - NOTE) * LEADING / 72, value, align="right")

    def axes(self, box: Rect) -> Axes:
        """Return axes without frame or ticks over a box."""
        axes = self.figure.add_axes((0, 0, 1, 1))
        axes.set_axis_off()
        self._axes.append((axes, box))
        return axes

    def picture(self, box: Rect, image: Photo, extent: tuple[float, float] | None = None, smooth: bool = True) -> Axes:
        """Draw an image (H, W, 3) into a box, and return its axes.

        Their coordinates are those of the image's pixels, y down, or run to ``extent`` (height, width). Resized by
        Pillow to the pixels of the figure; unless ``smooth``, an enlarged image keeps its pixels as squares.
        """
        shown = resized(image, self.pixels(box), smooth)
        height, width = extent or image.shape[:2]
        axes = self.axes(box)
        axes.imshow(shown, extent=(0, width, height, 0), interpolation="none", aspect="auto")
        axes.set_xlim(0, width)
        axes.set_ylim(height, 0)
        return axes

    def pixels(self, box: Rect) -> tuple[int, int]:
        """Return height and width of a box in pixels."""
        dpi = DPI * self.look.scale
        return max(1, round(box.height * dpi)), max(1, round(box.width * dpi))

    def label(self, axes: Axes, box: Rect, place: tuple[float, float], words: str, align: Align = "left") -> None:
        """Write a note on a picture, white with a dark rim, unless there is no room for it.

        ``place``: its lower corner, right and down from the picture's upper left corner, in inches.
        """
        x, y = place
        room = box.width - x if align == "left" else x
        words = text.printable(words)
        if text.width(words, NOTE) > room - 0.05:
            return
        axes.text(
            x / box.width, 1 - y / box.height, words, fontproperties=text.font(size=NOTE), color=WHITE, ha=align,
            va="bottom", parse_math=False, transform=axes.transAxes,
            path_effects=[patheffects.withStroke(linewidth=2.2, foreground=BLACK)],
        )  # fmt: skip

    def finish(self) -> Figure:
        """Give the figure its height, place everything, and return it."""
        height = round((self.top + MARGIN) * DPI) / DPI
        self.figure.set_size_inches(WIDTH, height)
        for line, x, y in self._texts:
            line.set_position((x / WIDTH, 1 - y / height))
        for axes, box in self._axes:
            axes.set_position((box.x / WIDTH, 1 - box.bottom / height, box.width / WIDTH, box.height / height))
        return self.figure


def squares(page: Page, boxes: Sequence[Rect], shape: tuple[int, ...], unit: str) -> str:
    """Return what squares of values (h, w) drawn into boxes are: one ``unit`` each, or pixels that stand for more."""
    each = max(max(1, shape[0] / high) * max(1, shape[1] / wide) for high, wide in map(page.pixels, boxes))
    return f"Reduced: one pixel stands for {max(each, 1.01):.3g} {unit}s." if each > 1 else f"One square is one {unit}."


def resized(image: Photo, size: tuple[int, int], smooth: bool = True) -> Photo:
    """Return an image (H, W, 3) at a size (h, w); unless ``smooth``, an enlarged image keeps its pixels as squares."""
    enlarged = size[0] >= image.shape[0] and size[1] >= image.shape[1]
    kind = Image.Resampling.BICUBIC if smooth else Image.Resampling.NEAREST
    return np.asarray(Image.fromarray(image).resize(size[::-1], kind if enlarged else Image.Resampling.LANCZOS))


def _common_height(aspects: Sequence[float], room: float) -> float:
    """Return the height at which pictures, none in a place narrower than NARROWEST, together fill ``room``."""
    wide = sorted(aspects)
    while True:
        height = (room - NARROWEST * (len(aspects) - len(wide))) / sum(wide)
        if wide[0] * height >= NARROWEST or len(wide) == 1:
            return height
        wide.pop(0)
