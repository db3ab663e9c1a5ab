"""Figures of features: one map's photos and a sheet, several projections, the strongest maps."""

import dataclasses

import pytest

import cnnviz
from cnnviz.errors import InvalidRequest
from tests.support import results
from tests.support.figures import pictures
from tests.support.layout import texts


def test_one_map_has_a_page_and_several_a_sheet():
    assert texts(cnnviz.figure(results.top_images(1)))[0] == "What activates channel 0 of 4"
    sheet = texts(cnnviz.figure(results.top_images(3)))
    assert sheet[0] == "What activates 3 channels of 4"
    assert "3 of 24 channels, searched in 4 photos" in " ".join(sheet)


def test_a_stopped_search_has_no_figure():
    stopped = dataclasses.replace(results.top_images(1), channels={})
    with pytest.raises(InvalidRequest, match="stopped"):
        cnnviz.figure(stopped)
    assert stopped._repr_png_() is None


def test_projections_are_drawn_with_their_patches():
    first, *others = results.projections("grey", 3)
    figure = cnnviz.figure([dataclasses.replace(first, inputs=first.inputs.clone()), *others])  # an equal input
    assert len(pictures(figure)) == 1 + 2 * 3
    assert {"channel 0", "channel 1", "channel 2"} <= set(texts(figure))


def test_projections_of_several_inputs_are_refused():
    with pytest.raises(InvalidRequest, match="same input"):
        cnnviz.figure([results.projections("grey")[0], results.projections("wide")[0]])


def test_the_strongest_sixteen_maps_are_drawn():
    assert "16 of 24 channels" in " ".join(texts(cnnviz.figure(results.activations("grey"))))
