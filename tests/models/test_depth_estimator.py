"""Inputs of networks for depth: sizes, kinds, and what is refused."""

import pytest
import torch
from torch import nn

from cnnviz.errors import InvalidRequest, MethodError
from cnnviz.models.depth_estimator import DepthEstimator, depth_kind
from cnnviz.models.network import Preprocessing
from tests.support.depth_networks import AS_IT_IS, Brightness, estimator


@pytest.mark.parametrize(
    ("size", "expected"),
    [((32, 32), (32, 32)), ((64, 96), (32, 48)), ((90, 70), (40, 32)), ((20, 3000), (8, 128)), ((16, 16), (32, 32)),
     ((1, 1), (32, 32)), ((3000, 20), (128, 8)), ((40, 1000), (8, 128))],
)  # fmt: skip
def test_both_sides_are_multiples_and_the_shape_is_kept(size, expected):
    geometry = estimator(Brightness()).geometry(size)
    assert geometry.size == geometry.resized == expected
    assert geometry.photo == size


def test_a_network_of_one_size_is_given_that_size():
    preprocessing = Preprocessing((384, 384), 384, "bicubic", *AS_IT_IS)
    network = DepthEstimator(module=Brightness(), preprocessing=preprocessing, multiple=32, keep_shape=False)
    assert network.geometry((20, 3000)).size == (384, 384)
    assert network.geometry((40, 60)).kind == "bicubic"


def test_what_gives_no_value_for_each_pixel_is_refused():
    x = torch.rand(1, 3, 8, 8)
    assert torch.equal(estimator(Brightness())(x), x.mean(1))
    with pytest.raises(MethodError, match="estimates no depth"):
        estimator(nn.Flatten())(x)
    with pytest.raises(MethodError, match="no pixels"):
        estimator(Brightness()).geometry((0, 5))


def test_kinds_by_name():
    assert depth_kind("metres") == "metres"
    with pytest.raises(InvalidRequest, match="take one of inverse, relative, metres"):
        depth_kind("miles")
