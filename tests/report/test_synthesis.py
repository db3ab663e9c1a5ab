"""Figures of optimised images: several classes in one, of one network."""

import dataclasses

import pytest

import cnnviz
from cnnviz.errors import InvalidRequest
from tests.support import results
from tests.support.figures import pictures
from tests.support.layout import texts


def test_classes_are_drawn_together_with_their_names():
    figure = cnnviz.figure(results.classes(3))
    assert len(pictures(figure)) == 3
    assert {"kind 0", "kind 1", "kind 2"} <= set(texts(figure))


def test_classes_of_two_networks_are_refused():
    first, second = results.classes(2)
    with pytest.raises(InvalidRequest, match="one network"):
        cnnviz.figure([first, dataclasses.replace(second, network=results.network(results.LONG))])


def test_units_are_drawn_with_their_numbers():
    assert {"channel 0", "channel 1"} <= set(texts(cnnviz.figure(results.visualization(2))))
