"""The figure of found places: a frame and a value for each."""

import pytest

from cnnviz.dense.figures.found_places import draw_places
from cnnviz.dense.heat import heat
from cnnviz.dense.places import places_above
from tests.support import results
from tests.support.figures import words
from tests.support.layout import faults


@pytest.mark.parametrize("kind", ["grey", "wide", "tall", "tiny"])
def test_every_place_has_a_frame(kind):
    found = heat(results.network(), results.photo(kind), targets=[0], sizes=(64,), fit_mode="pad")
    values = found.maps[0].numpy()
    places = places_above(values, found.geometry.photo, float(values.mean()))
    figure = draw_places(results.photo(kind), results.network(), found, places, float(values.mean()))
    assert len(figure.axes[0].patches) == 2 * len(places)
    assert any("where the network finds “kind 0”" in text for text in words(figure))
    assert not faults(figure)
