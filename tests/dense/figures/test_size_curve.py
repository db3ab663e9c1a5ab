"""The figure of the probability against the photo's size."""

import pytest

from cnnviz.dense.figures.size_curve import draw_size_curve
from cnnviz.dense.size_curve import SIZES, SizeCurve
from cnnviz.figures.style import Look
from tests.support import results
from tests.support.figures import words
from tests.support.layout import faults


@pytest.mark.parametrize("count", [2, 5, len(SIZES)])
def test_both_curves_are_labelled_and_the_best_size_is_named(count):
    falling = tuple(0.9 - 0.05 * number for number in range(count))
    curve = SizeCurve(0, SIZES[:count], falling, (0.95,) * count)
    figure = draw_size_curve(results.network(results.LONG), curve, Look("dark"))
    text = words(figure)
    assert {"whole photo", "best place", f"95.0 % at {SIZES[count - 1]} px".replace("95.0", "95")} <= set(text)
    assert "best at 128 px, 90 %" in " ".join(text)
    assert not faults(figure)
