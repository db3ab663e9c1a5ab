"""Figures of answers beyond one label; those of heat maps with and without the photo."""

import numpy as np
import pytest

import cnnviz
from cnnviz.errors import InvalidRequest
from tests.support import results
from tests.support.layout import faults, texts


def test_a_heat_map_is_drawn_with_and_without_its_photo():
    photo = results.photo("grey")
    found = cnnviz.heat(results.network(), photo, targets=[0], sizes=(64,))
    for given in (None, photo):
        figure = cnnviz.figure(found, photo=given)
        assert "Where the network finds “kind 0”" in texts(figure)
        assert not faults(figure)
    with pytest.raises(InvalidRequest, match="not of this photo"):
        cnnviz.figure(found, photo=np.ascontiguousarray(photo[::-1]))


def test_a_ranking_is_a_contact_sheet():
    assert texts(cnnviz.figure(results.ranking()))[0] == "4 photos by technical quality"


def test_frames_of_a_clip_are_a_film_strip():
    assert "for the clip" in texts(cnnviz.figure(results.thumbnails()))[0]
