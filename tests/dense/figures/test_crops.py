"""The figure of crops."""

import cnnviz
from cnnviz.dense.figures.crops import draw_crops
from tests.support import results
from tests.support.figures import words


def test_the_photo_and_its_crops_best_first():
    found = results.crops()
    figure = draw_crops(found, results.network())
    said = " ".join(words(figure))
    assert "The best crop for “kind 1”" in said
    assert "Crop 1: probability of the class p = 90.0 %" in said
    assert words(cnnviz.figure(found)) == words(figure)
