"""What the figure of a colourisation shows."""

import numpy as np

from cnnviz.dense.figures.colorization import draw_colorization
from tests.support import results
from tests.support.figures import pictures, words


def test_three_panels_and_what_the_entropy_is():
    figure = draw_colorization(results.colorization("grey"), "eccv16")
    text = words(figure)
    assert {"Lightness", "Predicted colours", "Uncertainty", "entropy", "1.6 bits"} <= set(text)
    assert any("temperature 0.38" in word for word in text)
    assert any("Zhang, Isola & Efros 2016" in word for word in text)
    assert any("not those that were there" in word for word in text)
    shown = pictures(figure)
    assert len(shown) == 4  # and the bar
    assert np.ptp(shown[0].astype(int), axis=-1).max() == 0
    assert np.ptp(shown[1].astype(int), axis=-1).max() > 20


def test_a_wide_photo_has_its_panels_one_above_the_other():
    figure = draw_colorization(results.colorization("wide"), "eccv16")
    places = [axes.get_position() for axes in figure.axes[:3]]
    assert places[0].y0 > places[1].y0 > places[2].y0
