"""Places above a level: connected, with their box and peak in the photo's pixels, the highest first."""

import numpy as np

from cnnviz.dense.places import places_above


def test_places_are_connected_parts_with_box_and_peak():
    values = np.zeros((20, 40), np.float32)
    values[2:6, 4:10], values[3, 5] = 5, 7
    values[10:12, 30:36], values[12, 36] = 6, 9  # touches at a corner
    found = places_above(values, (40, 120), 5)
    assert [(place.value, place.x, place.y) for place in found] == [(9, 109, 25), (7, 16, 7)]
    assert [place.box for place in found] == [(90, 20, 111, 26), (12, 4, 30, 12)]
    assert len(places_above(values, (40, 120), 6)) == 2
    assert places_above(values, (40, 120), 9.5) == ()
