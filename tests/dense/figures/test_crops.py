"""The figure of crops."""

import pytest

import cnnviz
from cnnviz.dense.crop import Crops, ScoredCrop
from cnnviz.dense.figures.crops import draw_crops
from cnnviz.figures.style import Look
from tests.support import results
from tests.support.layout import faults

BOXES = ((0, 0, 20, 10), (4, 4, 24, 14), (0, 6, 12, 12), (8, 0, 20, 6), (2, 2, 22, 12))


@pytest.mark.parametrize("count", [1, 2, 5])
@pytest.mark.parametrize("kind", ["grey", "wide", "tall"])
def test_frames_and_crops_fit_the_page(kind, count):
    crops = tuple(ScoredCrop(box, -0.5 * number, 0.9, 0.8) for number, box in enumerate(BOXES[:count]))
    found = Crops(crops, 1, 300, results.photo(kind), network=results.network())
    figure = draw_crops(found, results.network(), Look("dark" if count == 2 else "light"))
    assert not faults(figure)
    assert cnnviz.figure(found).canvas.get_width_height() == figure.canvas.get_width_height()
