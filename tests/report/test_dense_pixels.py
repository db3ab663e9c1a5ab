"""Figures of results with a value for each pixel of a photo."""

import cnnviz
from tests.support import results
from tests.support.layout import texts


def test_a_depth_is_drawn_beside_its_photo():
    assert {"Photo", "Inverse depth"} <= set(texts(cnnviz.figure(results.depth("grey"))))


def test_a_segmentation_is_drawn_beside_its_photo():
    assert {"Photo", "Classes"} <= set(texts(cnnviz.figure(results.segmentation("grey"))))


def test_a_colorization_is_drawn_beside_the_lightness():
    assert {"Lightness", "Predicted colours"} <= set(texts(cnnviz.figure(results.colorization("grey"))))
