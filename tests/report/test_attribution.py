"""Figures of maps: several methods in one, evaluations with and without a photo."""

import dataclasses

import pytest

import cnnviz
from cnnviz.errors import InvalidRequest
from tests.support import results
from tests.support.figures import pictures
from tests.support.layout import texts


def test_score_and_fill_are_those_of_the_computation():
    x, _ = results.inputs("grey")
    found = cnnviz.occlusion(results.network(), x, window=8, stride=8, fill="mean", score="logit")
    assert "drop of the logit when a mean-coloured 8 px window" in " ".join(texts(cnnviz.figure(found)))
    own = cnnviz.occlusion(results.network(), x, window=8, stride=8, fill=x * 0)
    assert "when a custom 8 px window" in " ".join(texts(cnnviz.figure(own)))


def test_several_methods_are_drawn_side_by_side():
    found = results.attributions("grey", 1, methods=2)
    assert {"Grad-CAM", "integrated gradients"} <= {word.replace("Integrated", "integrated") for word in
                                                    texts(cnnviz.figure(found))}  # fmt: skip


def test_results_that_do_not_go_together_are_refused():
    one, two = results.attributions("grey", 1, methods=2)
    for other in (one, dataclasses.replace(two, targets=(3,)), results.attributions("wide", 1, methods=2)[1]):
        with pytest.raises(InvalidRequest, match="different methods for the same input"):
            cnnviz.figure([one, other])


def test_an_evaluation_is_drawn_with_its_mask_with_and_without_the_photo():
    found = results.evaluation("wide", masked=True)
    for photo in (None, results.photo("wide")):
        figure = cnnviz.figure(found, photo=photo)
        assert any("box" in word for word in texts(figure))
        height, width = pictures(figure)[0].shape[:2]
        assert width > 3 * height  # the whole photo, as far as it is known


def test_a_mask_on_the_input_does_not_go_with_the_photo():
    found = dataclasses.replace(results.evaluation("wide", masked=True), geometry=None)
    with pytest.raises(InvalidRequest, match="geometry="):
        cnnviz.figure(found, photo=results.photo("wide"))


def test_an_evaluation_of_too_many_maps_is_refused():
    found = results.evaluation("grey")
    with pytest.raises(InvalidRequest, match="1 to 6"):
        cnnviz.figure(dataclasses.replace(found, maps=found.maps.repeat(7, 1, 1)))
