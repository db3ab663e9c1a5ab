"""Curves lie where their numbers say, and words stay in their place."""

import numpy as np
import pytest

from cnnviz.figures.curves import BAND, Axes, Colour, Curve, plot_row, ticks

ENDS = [(0.0, "0"), (1.0, "1")]


def drawn(*curves: Curve, width: int = 400, height: int = 400) -> np.ndarray:
    axes = Axes("Title", "below", curves, ENDS, ENDS, "x", "y")
    return plot_row([axes], width, height, 12).astype(int)


def places(picture: np.ndarray, colour: Colour) -> tuple[np.ndarray, np.ndarray]:
    """Rows and columns of a colour, the legend left out."""
    rows, columns = (np.abs(picture - colour).sum(2) < 30).nonzero()
    inside = rows < 330
    return rows[inside], columns[inside]


def test_a_diagonal_is_one_and_rises():
    rows, columns = places(drawn(Curve([0, 1], [0, 1], "a", colour=(0, 114, 178))), (0, 114, 178))
    slope, offset = np.polyfit(columns, rows, 1)
    assert slope < -0.5
    assert np.abs(rows - (slope * columns + offset)).max() < 2.5
    assert columns.max() - columns.min() > 250


def test_twice_the_value_is_twice_as_high():
    reds, blues = (213, 94, 0), (0, 114, 178)
    level = [(1.0, reds), (0.5, blues), (0.25, (0, 158, 115))]
    picture = drawn(*(Curve([0, 1], [value] * 2, "", colour=colour) for value, colour in level))
    high, half, quarter = (places(picture, colour)[0].mean() for _, colour in level)
    assert half - high == pytest.approx(2 * (quarter - half), abs=1)


def test_dashes_leave_gaps_bands_shade_and_the_first_curve_lies_on_top():
    blue, red = (0, 114, 178), (213, 94, 0)
    whole, dashed = (
        len(places(drawn(Curve([0, 1], [0.5, 0.5], "", colour=blue, dashed=kind)), blue)[0]) for kind in (False, True)
    )
    assert 0.3 * whole < dashed < 0.7 * whole
    band = drawn(Curve([0, 1], [0.5, 0.5], "", colour=blue, band=([0.2, 0.2], [0.8, 0.8])))
    assert len(places(band, BAND)[0]) > 20 * whole
    both = drawn(Curve([0, 1], [0.5, 0.5], "", colour=blue), Curve([0, 1], [0.5, 0.5], "", colour=red))
    assert len(places(both, blue)[0]) == whole
    assert not len(places(both, red)[0])


def test_plots_stand_side_by_side_and_long_words_stay_in_their_own():
    curve = Curve([0, 1], [0, 1], "a", "0.1")
    short = Axes("a", "b", [curve], ENDS, ENDS, "x", "y")
    long = Axes("a" * 300, "b" * 300, [Curve([0, 1], [0, 1], "c" * 300, "0.1")], ENDS, ENDS, "x", "y")
    plain, full = (plot_row([first, short], 801, 400, 12) for first in (short, long))
    assert plain.shape == (400, 801, 3)
    assert np.array_equal(plain[:, 401:], full[:, 401:])
    assert not np.array_equal(plain[:, :400], full[:, :400])


@pytest.mark.parametrize(
    ("largest", "texts"),
    [(1.0, "0 0.2 0.4 0.6 0.8 1"), (0.96, "0 0.2 0.4 0.6 0.8 1"), (0.5, "0 0.1 0.2 0.3 0.4 0.5"),
     (0.31, "0 0.1 0.2 0.3 0.4"), (0.0012, "0 0.0005 0.001 0.0015")],
)  # fmt: skip
def test_ticks_are_round_and_reach_the_largest(largest, texts):
    found = ticks(largest)
    assert " ".join(text for _, text in found) == texts
    assert found[-1][0] >= largest
    assert all(float(text) == pytest.approx(value) for value, text in found)


def test_ticks_of_nothing_are_still_two():
    assert len(ticks(0.0)) >= 2
