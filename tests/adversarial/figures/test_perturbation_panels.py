"""Panels of a sum: bars of probabilities, a change and its patch, changed pixels that can be seen."""

import numpy as np
import pytest
from matplotlib.collections import PathCollection
from matplotlib.patches import Rectangle

from cnnviz.adversarial.figures.change import Change
from cnnviz.adversarial.figures.perturbation_panels import WIDEST, ClassBars, draw_change, draw_sum
from cnnviz.figures.page import INNER, Page, Rect
from tests.support.attacks import CLEAN, TOP
from tests.support.figures import pictures, words

TITLES = ("a", "b", "c")


def flat(height: int, width: int) -> np.ndarray:
    return np.full((height, width, 3), 90, np.uint8)


def test_bars_are_as_long_as_the_probabilities_and_a_class_keeps_its_colour():
    page, bars = Page(), ClassBars.of(CLEAN, TOP)
    for top in (CLEAN, TOP):
        bars.draw(page, Rect(0, 0, 3, 1), top)
    figure = page.finish()
    clean, result = ([part for part in axes.patches if isinstance(part, Rectangle)] for axes in figure.axes)
    assert [bar.get_width() for bar in clean] == [row.probability for row in CLEAN]
    assert [bar.get_width() for bar in result] == [row.probability for row in TOP]
    assert clean[0].get_facecolor() == result[1].get_facecolor()  # class 1
    assert len({bar.get_facecolor() for bar in (*clean, *result)}) == 3
    assert {"80.0 %", "50.0 %"} <= set(words(figure))


def test_a_goal_has_a_colour_of_its_own_wherever_it_stands():
    bars = ClassBars.of(CLEAN, TOP, goal=CLEAN[3].index)
    assert set(bars.colours) == {CLEAN[0].index, TOP[0].index, CLEAN[3].index}
    assert len(set(bars.colours.values())) == 3


@pytest.mark.parametrize("width", [60, 200, 200 * WIDEST - 1, 200 * WIDEST + 1])
def test_pictures_are_side_by_side_or_below_one_another_and_apart(width):
    page, photo = Page(), flat(200, int(width))
    summands = draw_sum(page, TITLES, photo, photo)
    places = [(part.picture.x, part.picture.y) for part in summands]
    assert len({place[width > 200 * WIDEST] for place in places}) == 3
    assert len({place[width <= 200 * WIDEST] for place in places}) == 1
    for part in summands:
        assert part.picture.width / part.picture.height == pytest.approx(int(width) / 200, rel=0.02)
        assert part.foot.x >= part.picture.right or part.foot.y >= part.picture.bottom
        assert max(part.picture.right, part.foot.right) <= INNER + 0.2
        assert page.top >= max(part.picture.bottom, part.foot.bottom) - 0.01
    assert {"+", "=", *TITLES} <= set(words(page.finish()))


def drawn(before: np.ndarray, after: np.ndarray):
    page = Page()
    _, middle, _ = draw_sum(page, TITLES, before, after)
    larger = draw_change(page, middle, Change.between(before, after))
    return page.finish(), larger


def test_the_change_and_a_patch_of_single_pixels_are_drawn():
    after = flat(120, 180)
    after[60:] += 1
    figure, _ = drawn(flat(120, 180), after)
    shown = pictures(figure)
    assert [set(np.unique(image)) for image in shown] == [{90}, {90, 91}, {128, 255}, {255}]
    assert abs((shown[2] == 255).mean() - 0.5) < 0.02
    assert any(line.startswith("Patch: 28 × 28 pixels.") for line in words(figure))


@pytest.mark.parametrize(("count", "larger"), [(24, True), (3000, False)])
def test_few_changed_pixels_are_drawn_larger(count, larger):
    after = flat(300, 400)
    after.reshape(-1, 3)[np.random.default_rng(0).permutation(120000)[:count]] += 40
    figure, told = drawn(flat(300, 400), after)
    assert told is larger
    assert [len(part.get_offsets()) for part in figure.findobj(PathCollection)] == [count] * 2 * larger


@pytest.mark.parametrize(("change", "reading"), [
    ([1, 1, 1], "Grey: no change; white: +1, black: −1 level."),
    ([3, 3, 0], "Grey: no change; white: +3, black: −3 levels; colour: channels differ."),
])  # fmt: skip
def test_how_the_change_is_to_be_read_is_written_below_it(change, reading):
    figure, _ = drawn(flat(50, 60), flat(50, 60) + np.array(change, np.uint8))
    assert reading in " ".join(words(figure))
