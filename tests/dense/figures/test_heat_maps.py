"""The figure of heat maps: what it says, its scale and its peaks."""

import numpy as np
import pytest

from cnnviz.dense.figures.heat_maps import draw_heat
from cnnviz.dense.heat import heat
from tests.support import results
from tests.support.figures import pictures, words
from tests.support.layout import faults


@pytest.mark.parametrize(("count", "sizes"), [(1, (64,)), (2, (64,)), (5, (64,)), (1, (64, 96)), (2, (64, 96))])
def test_a_panel_for_each_class_with_a_ring_at_its_peak(count, sizes):
    found = heat(results.network(), results.photo("grey"), targets=range(count), sizes=sizes)
    figure = draw_heat(results.photo("grey"), results.network(), found)
    text = " ".join(words(figure))
    assert "Where the network finds “kind 0”" in text
    assert ("geometric mean of its logits at 64, 96 px" in text) == (len(sizes) > 1)
    assert ("Mean of the places" in text) == (count == len(sizes) == 1)
    assert len(pictures(figure)) == count + 2
    rings = [line for axes in figure.axes for line in axes.lines if line.get_marker() == "o"]
    assert len(rings) == 2 * count
    height, width = figure.axes[1].images[0].get_extent()[2], figure.axes[1].images[0].get_extent()[1]
    peak = found.peaks[0]
    place = (peak.x + 0.5) / 120 * width, (peak.y + 0.5) / 90 * height
    np.testing.assert_allclose(np.ravel(rings[0].get_data()), place)
    assert not faults(figure)
