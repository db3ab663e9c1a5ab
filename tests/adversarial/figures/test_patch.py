"""The preview of a patch: a row for each print, a column for each view, rates beside, classes below."""

from dataclasses import replace
from itertools import pairwise

import numpy as np

from cnnviz.adversarial.figures.patch import POSES, draw_views
from cnnviz.adversarial.patch import PatchResult, PatchView
from cnnviz.adversarial.results import PatchRates
from cnnviz.adversarial.target import QueryCount
from cnnviz.figures.output import render
from tests.support.figures import patches, words
from tests.support.patches import color_scene

COLORS = {"sticker": (250, 0, 0), "grey": (0, 250, 0), "noise": (0, 0, 250), "clean": (250, 250, 0)}
RATES = {name: PatchRates(rate, 0.5, []) for name, rate in zip(COLORS, (0.9, 0.1, 0.2, 0.0), strict=True)}
RESULT = PatchResult(color_scene(), {}, RATES, 0, 0.2, 7, QueryCount())
VIEWS = {name: [PatchView(np.full((64, 64, 3), color, np.uint8), "green" if name == "sticker" else "blue", 0.5)]
         * (POSES + 1) for name, color in COLORS.items()}  # fmt: skip


def test_a_row_for_each_print_a_column_for_each_view():
    figure = draw_views(RESULT, VIEWS)
    assert patches(figure) == [color for color in COLORS.values() for _ in range(POSES + 1)]
    drawn = render(figure).astype(int)
    heights = [(np.abs(drawn - color).sum(2) == 0).any(1).nonzero()[0] for color in COLORS.values()]
    assert all(one.max() + 30 < other.min() for one, other in pairwise(heights))  # room for words


def test_rates_rows_and_predicted_classes_are_written():
    written = words(draw_views(RESULT, VIEWS))
    assert written[0] == "With the sticker, “green” is predicted in 90 % of 7 poses"
    assert {"Sticker", "Grey sticker", "Noise sticker", "No sticker", "90 %", "10 %", "20 %", "0 %"} <= set(written)
    assert [written.count(name) for name in ("green", "blue", "50 %")] == [POSES + 1, 3 * (POSES + 1), 4 * (POSES + 1)]
    assert {"fixed view", "pose 1", f"pose {POSES}"} <= set(written)


def test_views_of_the_goal_are_framed_and_no_others():
    framed = [bool(axes.patches) for axes in draw_views(RESULT, VIEWS).axes]
    assert framed == [True] * (POSES + 1) + [False] * 3 * (POSES + 1)
    none = {name: [replace(view, name="blue") for view in row] for name, row in VIEWS.items()}
    assert not any(axes.patches for axes in draw_views(RESULT, none).axes)
