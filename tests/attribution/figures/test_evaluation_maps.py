"""The maps of an evaluation: the pointing game in words, the mask's border, the peaks."""

import numpy as np
import pytest

from cnnviz.attribution.figures.evaluation_maps import Evaluated
from tests.attribution.figures.test_evaluation import SETTINGS, draw
from tests.support.figures import words


@pytest.mark.parametrize(
    ("maps", "top", "verdict"), [(1, (5, 5), "inside"), (2, (5, 5), "inside"), (1, (18, 18), "outside")]
)
def test_the_pointing_game_in_plain_words(maps: int, top: tuple[int, int], verdict: str) -> None:
    mask = np.zeros((60, 80), bool)
    mask[5:30, 12:40] = True
    said = " ".join(words(draw(maps, mask=mask, top=top)))
    assert f"Pointing game: {'hit' if verdict == 'inside' else 'miss'}, the peak is {verdict} the box" in said
    assert "of the map’s" in said
    assert "% of the area)" in said or "of the area)" in said
    assert "orange: the box" in said


def test_a_mask_that_is_no_rectangle_is_called_a_mask() -> None:
    mask = np.zeros((60, 80), bool)
    mask[10:30, 15:40] = mask[30:50, 20:30] = True
    assert Evaluated([], None, SETTINGS, mask).marked == "mask"  # type: ignore[arg-type]
    assert Evaluated([], None, SETTINGS, mask[:20]).marked == "box"  # type: ignore[arg-type]


def test_the_cross_is_at_the_peak() -> None:
    (cross,) = (line for axes in draw(1, top=(5, 14)).axes for line in axes.lines if line.get_marker() == "+")
    assert cross.get_xdata()[0] == pytest.approx(900 * 14.5 / 20, abs=25)
    assert cross.get_ydata()[0] == pytest.approx(900 * 5.5 / 20, abs=25)
