"""Curves lie where their numbers say, their labels at their ends, in place."""

import numpy as np
import pytest
from matplotlib.collections import LineCollection, PolyCollection
from matplotlib.figure import Figure
from matplotlib.text import Text

from cnnviz.figures.curves import Curve, Plot, draw_plot, round_ticks
from cnnviz.figures.output import render
from cnnviz.figures.page import INNER, Page, Rect
from cnnviz.figures.style import MARGIN

ENDS = [(0.0, "0"), (1.0, "1")]
BLUE, RED = "#0072b2", "#d55e00"


def drawn(*curves: Curve, height: float = 2.0) -> Figure:
    page = Page()
    draw_plot(page, Rect(MARGIN, page.top, INNER, height), Plot(curves, ENDS, ENDS, "the x axis"), 1.5)
    page.top += height + 0.6
    return page.finish()


def bottoms(figure: Figure) -> dict[str, float]:
    """Position of each text, in inches from the top."""
    height = figure.get_size_inches()[1]
    return {text.get_text(): height * (1 - text.get_position()[1]) for text in figure.findobj(Text) if text.get_text()}


def test_a_diagonal_is_one_and_rises():
    image = render(drawn(Curve([0, 1], [0, 1], colour=BLUE))).astype(int)
    rows, columns = (np.abs(image - (0, 114, 178)).sum(2) < 30).nonzero()
    slope, offset = np.polyfit(columns, rows, 1)
    assert slope < -0.1
    assert np.abs(rows - (slope * columns + offset)).max() < 5
    assert columns.max() - columns.min() > 1400


def test_curves_have_their_values_colours_and_kinds():
    (axes,) = drawn(
        Curve([0, 0.5, 1], [0.2, 0.4, 0.6], colour=BLUE, points=True), Curve([0, 1], [1, 0], dashed=True)
    ).axes
    lines = {line.get_color(): line for line in axes.lines if len(line.get_xdata()) in (2, 3)}
    assert list(lines[BLUE].get_ydata()) == [0.2, 0.4, 0.6]
    assert (lines[BLUE].get_marker(), lines[BLUE].get_linestyle()) == ("o", "None")
    assert sum(line.get_linestyle() == "--" for line in axes.lines) == 1


def test_the_first_curve_lies_on_top():
    one, other = Curve([0, 1], [0.5, 0.5], colour=BLUE), Curve([0, 1], [0.5, 0.5], colour=RED)
    for curves, colour in (((one, other), (0, 114, 178)), ((other, one), (213, 94, 0))):
        image = render(drawn(*curves)).astype(int)
        assert (np.abs(image - colour).sum(2) < 3).sum() > 1000
    assert not (np.abs(image - (0, 114, 178)).sum(2) < 3).any()


def test_a_band_is_shaded_between_its_ends():
    (axes,) = drawn(Curve([0, 1], [0.5, 0.5], colour=BLUE, band=([0.2, 0.3], [0.8, 0.7]))).axes
    (band,) = axes.findobj(PolyCollection)
    ys = band.get_paths()[0].vertices[:, 1]
    assert (ys.min(), ys.max()) == (0.2, 0.8)


def test_the_band_of_points_is_error_bars():
    band = ([0.2, 0.3], [0.8, 0.7])
    (axes,) = drawn(Curve([0, 1], [0.5, 0.5], colour=BLUE, band=band, points=True)).axes
    (bars,) = axes.findobj(LineCollection)
    assert [part.tolist() for part in bars.get_segments()] == [[[0, 0.2], [0, 0.8]], [[1, 0.3], [1, 0.7]]]
    assert not axes.findobj(PolyCollection)


def test_a_label_stands_at_its_curves_end_and_labels_move_apart():
    far = bottoms(drawn(Curve([0, 1], [0, 1], ["high"], BLUE), Curve([0, 1], [0, 0], ["low"], RED)))
    assert far["low"] - far["high"] == pytest.approx(2.0, abs=0.15)
    near = bottoms(drawn(*(Curve([0, 1], [0, 0], [name], BLUE) for name in "kmn")))
    places = sorted(near[name] for name in "kmn")
    assert min(np.diff(places)) > 0.18
    assert places[-1] < near["the x axis"]


def test_long_labels_stay_on_the_figure():
    figure = drawn(Curve([0, 1], [0, 1], ["x" * 120, "second line"], BLUE))
    figure.canvas.draw()
    for text in figure.findobj(Text):
        box = text.get_window_extent()
        assert not text.get_text() or (box.x0 >= 0 and box.x1 <= figure.bbox.width)
    assert "second line" in bottoms(figure)


@pytest.mark.parametrize(
    ("largest", "texts"),
    [(1.0, "0 0.2 0.4 0.6 0.8 1"), (0.96, "0 0.2 0.4 0.6 0.8 1"), (0.5, "0 0.1 0.2 0.3 0.4 0.5"),
     (0.31, "0 0.1 0.2 0.3 0.4"), (0.0012, "0 0.0005 0.001 0.0015"), (40, "0 10 20 30 40")],
)  # fmt: skip
def test_ticks_are_round_and_reach_the_largest(largest, texts):
    found = round_ticks(largest)
    assert " ".join(text for _, text in found) == texts
    assert found[-1][0] >= largest
    assert all(float(text) == pytest.approx(value) for value, text in found)


def test_ticks_of_nothing_are_still_two():
    assert len(round_ticks(0.0)) >= 2
