"""Plots of curves in a figure: matplotlib's axes with round ticks, labels at the lines' ends."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib.axes import Axes

from cnnviz.figures import text
from cnnviz.figures.page import Page, Rect
from cnnviz.figures.scale import ROUND_STEPS, round_end
from cnnviz.figures.style import LINE, NOTE

BELOW = 0.1  # of the x axis, to its ticks: they clear the lowest tick of the y axis
Ticks = Sequence[tuple[float, str]]


@dataclass(frozen=True)
class Curve:
    """A line through ``ys`` over ``xs``, or ``points`` there.

    ``labels`` are the lines of text at its right end, the first semibold. ``band`` (low, high) is shaded behind, or
    drawn as the points' error bars. Grey without a ``colour``.
    """

    xs: Sequence[float]
    ys: Sequence[float]
    labels: Sequence[str] = ()
    colour: str = ""
    band: tuple[Sequence[float], Sequence[float]] | None = None
    points: bool = False
    dashed: bool = False


@dataclass(frozen=True)
class Plot:
    """Curves with their ticks (value, text); the first and the last tick are the ends of the axes."""

    curves: Sequence[Curve]
    x_ticks: Ticks
    y_ticks: Ticks
    x_label: str


def round_ticks(largest: float) -> list[tuple[float, str]]:
    """Return ticks (value, text) from 0 to at least ``largest``, in steps of 1, 2 or 5: three to six of them."""
    step = round(round_end(max(largest, 1e-6) / 5, ROUND_STEPS), 12)
    count = max(1, math.ceil(largest / step - 1e-9))
    return [(step * place, f"{step * place:.10g}") for place in range(count + 1)]


def draw_plot(page: Page, box: Rect, plot: Plot, labels: float) -> None:
    """Draw a plot into a box, with the ticks of y left in it, those of x below it, and ``labels`` inches on the right.

    What is below the box: the ticks and the label of the x axis, two lines.
    """
    left = max(text.width(label, NOTE) for _, label in plot.y_ticks) + 0.1
    frame = Rect(box.x + left, box.y + LINE / 2, box.width - left - labels, box.height - LINE / 2).snapped()
    axes = page.axes(frame)
    axes.set_xlim(plot.x_ticks[0][0], plot.x_ticks[-1][0])
    axes.set_ylim(plot.y_ticks[0][0], plot.y_ticks[-1][0])
    for value, label in plot.y_ticks:
        axes.axhline(value, color=page.theme.rule, lw=0.7, zorder=0, clip_on=False)
        page.write(frame.x - 0.07, _y(plot, frame, value) - LINE / 2, label, colour=page.theme.ink, align="right")
    for value, label in plot.x_ticks:
        part = (value - plot.x_ticks[0][0]) / (plot.x_ticks[-1][0] - plot.x_ticks[0][0])
        page.write(frame.x + part * frame.width, frame.bottom + BELOW, label, colour=page.theme.ink, align="center")
    page.write(frame.x + frame.width / 2, frame.bottom + BELOW + LINE, plot.x_label, align="center", room=frame.width)
    for curve in plot.curves[::-1]:  # the first lies on top
        _draw(axes, curve, page)
    _write_labels(page, frame, plot, labels - 0.1)


def _draw(axes: Axes, curve: Curve, page: Page) -> None:
    colour = curve.colour or page.theme.faint
    if curve.band and curve.points:
        axes.vlines(curve.xs, *curve.band, color=colour, lw=1.4, clip_on=False)
    elif curve.band:
        axes.fill_between(curve.xs, *curve.band, color=colour, alpha=0.15, lw=0)
    style: dict[str, Any] = {"marker": "o", "ms": 6, "ls": ""} if curve.points else {"lw": 1.8}
    if curve.dashed:
        style["ls"] = (0, (4, 2))
    axes.plot(curve.xs, curve.ys, color=colour, clip_on=False, **style)


def _write_labels(page: Page, frame: Rect, plot: Plot, room: float) -> None:
    """Write the curves' labels right of their ends, moved apart where they would overlap."""
    labelled = sorted((c for c in plot.curves if c.labels), key=lambda curve: -curve.ys[-1])
    heights = [LINE * len(curve.labels) for curve in labelled]
    tops, floor = [], frame.y - LINE / 2
    for curve, height in zip(labelled, heights, strict=True):
        floor = max(floor, _y(plot, frame, curve.ys[-1]) - height / 2)
        tops.append(floor)
        floor += height + 0.03
    limit = frame.bottom + LINE / 2
    for index in reversed(range(len(tops))):
        tops[index] = min(tops[index], limit - heights[index])
        limit = tops[index] - 0.03
    for curve, top in zip(labelled, tops, strict=True):
        for number, words in enumerate(curve.labels):
            top = page.write(frame.right + 0.1, top, words, bold=number == 0 and bool(curve.colour), room=room,
                             colour=curve.colour or page.theme.faint)  # fmt: skip


def _y(plot: Plot, frame: Rect, value: float) -> float:
    """Return where a value is, in inches from the top."""
    low, high = plot.y_ticks[0][0], plot.y_ticks[-1][0]
    return frame.bottom - (value - low) / (high - low) * frame.height
