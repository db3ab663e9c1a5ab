"""Plots of curves, drawn by Pillow at three times their size and reduced. Images are uint8 RGB (H, W, 3)."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw

from cnnviz.figures.palette import FAINT, INK, PAPER
from cnnviz.figures.text import ellipsize, load_font, upright_text
from cnnviz.io.color import Photo

FINE = 3
RULE, GREY, BAND = (222, 222, 226), (125, 125, 132), (233, 233, 236)
# Okabe & Ito 2008, safe for colour-blind readers; without their black and yellow.
COLOURS = ((0, 114, 178), (213, 94, 0), (0, 158, 115), (204, 121, 167), (230, 159, 0), (86, 180, 233))
Colour = tuple[int, int, int]
Ticks = Sequence[tuple[float, str]]


@dataclass(frozen=True)
class Curve:
    """One line of a plot through ``ys`` over ``xs``.

    ``label`` is left in the legend, ``value`` right; a curve without a label is not in it. ``band`` (low, high)
    is shaded beneath; ``dots`` marks every point.
    """

    xs: Sequence[float]
    ys: Sequence[float]
    label: str
    value: str = ""
    colour: Colour = GREY
    band: tuple[Sequence[float], Sequence[float]] | None = None
    dashed: bool = False
    dots: bool = False


@dataclass(frozen=True)
class Axes:
    """One plot: its texts, its curves, and its ticks (value, text); the first and last are the ends of the axes."""

    title: str
    subtitle: str
    curves: Sequence[Curve]
    x_ticks: Ticks
    y_ticks: Ticks
    x_label: str
    y_label: str

    @property
    def legend(self) -> list[Curve]:
        """The curves that have a label."""
        return [curve for curve in self.curves if curve.label]


def lighten(colour: Colour) -> Colour:
    """Return the mean of a colour and white."""
    red, green, blue = ((part + 255) // 2 for part in colour)
    return red, green, blue


def plot_row(plots: Sequence[Axes], width: int, height: int, unit: int) -> Photo:
    """Return plots side by side, (height, width, 3), with aligned frames; ``unit`` is the font size in pixels."""
    image = Image.new("RGB", (FINE * width, FINE * height), PAPER)
    pen, rows = ImageDraw.Draw(image), max(len(plot.legend) for plot in plots)
    for index, plot in enumerate(plots):
        left, right = (FINE * width * place // len(plots) for place in (index, index + 1))
        _Frame(plot, (left, 0, right - FINE * unit, FINE * height), FINE * unit, rows).draw(image, pen)
    return np.asarray(image.resize((width, height), Image.Resampling.BOX))


def ticks(largest: float) -> list[tuple[float, str]]:
    """Return round ticks (value, text) from 0 to at least ``largest``, which is in (0, 1]: three to six of them."""
    exact = max(largest, 1e-6) / 5
    power = 10.0 ** math.floor(math.log10(exact))
    step = next(round(factor * power, 12) for factor in (1, 2, 5, 10) if factor * power >= exact * (1 - 1e-9))
    count = max(1, math.ceil(largest / step - 1e-9))
    return [(step * place, f"{step * place:.10g}") for place in range(count + 1)]


class _Frame:
    """Layout of one plot in fine pixels; ``box`` is its left, top, right and bottom."""

    def __init__(self, plot: Axes, box: tuple[int, int, int, int], unit: int, rows: int) -> None:
        self.plot, self.box, self.unit = plot, box, unit
        self.small, self.bold = load_font(round(0.9 * unit)), load_font(round(1.15 * unit))
        widest = max(self.small.getlength(text) for _, text in plot.y_ticks)
        self.left: int = box[0] + round(2.0 * unit + widest)
        self.right: int = box[2] - round(1.2 * unit)
        self.top = box[1] + round(4.2 * unit)
        self.legend = box[3] - round((1.4 * rows + 0.3) * unit)
        self.bottom = self.legend - round(3.4 * unit)

    def x(self, value: float) -> float:
        """Return the horizontal position of a value."""
        low, high = self.plot.x_ticks[0][0], self.plot.x_ticks[-1][0]
        return self.left + (value - low) / (high - low) * (self.right - self.left)

    def y(self, value: float) -> float:
        """Return the vertical position of a value."""
        low, high = self.plot.y_ticks[0][0], self.plot.y_ticks[-1][0]
        return self.bottom - (value - low) / (high - low) * (self.bottom - self.top)

    def draw(self, image: Image.Image, pen: ImageDraw.ImageDraw) -> None:
        """Draw the plot with its legend."""
        self._words(image, pen)
        self._axes(pen)
        for curve in self.plot.curves:
            if curve.band:
                low, high = (list(zip(curve.xs, values, strict=True)) for values in curve.band)
                pen.polygon([(self.x(x), self.y(y)) for x, y in (*low, *high[::-1])], BAND)
        for curve in self.plot.curves[::-1]:  # the first lies on top
            self._curve(pen, curve)
        for index, curve in enumerate(self.plot.legend):
            self._entry(pen, curve, self.legend + round((1.4 * index + 0.7) * self.unit))

    def _words(self, image: Image.Image, pen: ImageDraw.ImageDraw) -> None:
        unit, room = self.unit, self.box[2] - self.left
        pen.text((self.left, 0.55 * unit), ellipsize(self.plot.title, self.bold, room), INK, self.bold)
        pen.text((self.left, 2.0 * unit), ellipsize(self.plot.subtitle, self.small, room), FAINT, self.small)
        middle = (self.left + self.right) / 2
        pen.text((middle, self.bottom + 1.75 * unit), self.plot.x_label, FAINT, self.small, anchor="ma")
        strip = upright_text(self.plot.y_label, self.small, self.bottom - self.top, round(1.2 * unit))
        image.paste(strip, (self.box[0], self.top))

    def _axes(self, pen: ImageDraw.ImageDraw) -> None:
        thin, gap = max(1, self.unit // 16), 0.4 * self.unit
        for value, text in self.plot.y_ticks:
            y = self.y(value)
            pen.line((self.left, y, self.right, y), RULE, thin)
            pen.text((self.left - gap, y), text, INK, self.small, anchor="rm")
        for value, text in self.plot.x_ticks:
            x = self.x(value)
            pen.line((x, self.bottom, x, self.bottom + gap), FAINT, thin)
            pen.text((x, self.bottom + 1.5 * gap), text, INK, self.small, anchor="ma")
        pen.line((self.left, self.bottom, self.right, self.bottom), FAINT, thin)

    def _curve(self, pen: ImageDraw.ImageDraw, curve: Curve) -> None:
        points = [(self.x(x), self.y(y)) for x, y in zip(curve.xs, curve.ys, strict=True)]
        self._line(pen, points, curve)
        reach = 0.24 * self.unit
        for x, y in points if curve.dots else ():
            pen.ellipse((x - reach, y - reach, x + reach, y + reach), curve.colour)

    def _line(self, pen: ImageDraw.ImageDraw, points: list[tuple[float, float]], curve: Curve) -> None:
        width = max(1, round(0.13 * self.unit))
        for part in _dashes(points, 0.5 * self.unit) if curve.dashed else [points]:
            pen.line(part, curve.colour, width, joint="curve")

    def _entry(self, pen: ImageDraw.ImageDraw, curve: Curve, y: int) -> None:
        unit = self.unit
        self._line(pen, [(self.left, y), (self.left + 1.6 * unit, y)], curve)
        left = self.left + round(2.1 * unit)
        room = self.right - left - round(self.small.getlength(curve.value) + 0.5 * unit)
        pen.text((left, y), ellipsize(curve.label, self.small, room), INK, self.small, anchor="lm")
        pen.text((self.right, y), curve.value, INK, self.small, anchor="rm")


def _dashes(points: list[tuple[float, float]], length: float) -> list[list[tuple[float, float]]]:
    """Cut a line into dashes of a length, with gaps as long, along all its corners."""
    xs, ys = (np.array(values, float) for values in zip(*points, strict=True))
    along = np.concatenate([[0.0], np.hypot(np.diff(xs), np.diff(ys)).cumsum()])
    parts = []
    for begin in np.arange(0, along[-1], 2 * length):
        places = np.unique([begin, *along[(along > begin) & (along < begin + length)], min(begin + length, along[-1])])
        parts.append(list(zip(np.interp(places, along, xs), np.interp(places, along, ys), strict=True)))
    return parts
