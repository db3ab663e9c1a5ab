"""A pattern on the network's input, on photographs of other sizes."""

import numpy as np
import pytest
import torch
from torch import nn

from cnnviz import Network, fit
from cnnviz.adversarial.universal_pattern import add_pattern, resize_matrices
from cnnviz.io.stored_image import StoredImage

SIDE = 24
NETWORK = Network.from_module(
    nn.Sequential(nn.Flatten(), nn.Linear(3 * SIDE**2, 2)), (SIDE, SIDE), (0.5,) * 3, (1.0,) * 3
)
PATTERN = np.random.default_rng(0).integers(-60, 61, (3, SIDE, SIDE)).astype(np.int16)


def grey(*shape: int) -> StoredImage:
    return StoredImage(np.full(shape, 128, np.uint8), None, None, (255, 255, 255))


@pytest.mark.parametrize("shape", [(24, 24), (61, 90), (17, 13), (300, 26)])
@pytest.mark.parametrize("how", ["crop", "squash", "pad"])
def test_the_ways_are_those_of_the_pixels(shape, how):
    original = grey(*shape, 3)
    _, geometry = fit(original.photo(original.values), NETWORK, how)
    values = add_pattern(original, geometry, PATTERN)
    change = geometry.see(original.photo(values)).astype(int) - geometry.see(original.photo(original.values))
    down, across = map(torch.from_numpy, resize_matrices(geometry))
    expected = down @ torch.from_numpy(PATTERN).float() @ across.T
    assert np.abs(change.transpose(2, 0, 1) - expected.numpy()).max() <= 2  # three roundings to whole levels


def test_at_its_own_size_a_photograph_gets_the_pattern_itself():
    original = grey(SIDE, SIDE, 3)
    _, geometry = fit(original.photo(original.values), NETWORK, "whole")
    assert np.array_equal(add_pattern(original, geometry, PATTERN), 128 + PATTERN.transpose(1, 2, 0))
    assert all(np.allclose(way, np.eye(SIDE)) for way in resize_matrices(geometry))


def test_nothing_changes_where_the_network_does_not_look():
    original = grey(40, 120, 3)
    _, geometry = fit(original.photo(original.values), NETWORK)
    left, top, right, bottom = geometry.box()
    changed = (add_pattern(original, geometry, PATTERN) != 128).any(2)
    assert (left, right) != (0, 120)
    assert changed[top:bottom, left:right].mean() > 0.9
    changed[top:bottom, left:right] = False
    assert not changed.any()


def test_grey_gets_the_mean_and_values_stay_in_8_bits():
    original = grey(SIDE, SIDE, 1)
    _, geometry = fit(original.photo(original.values), NETWORK, "whole")
    assert np.array_equal(add_pattern(original, geometry, PATTERN)[..., 0], 128 + PATTERN.mean(0).round())
    white = StoredImage(np.full((SIDE, SIDE, 3), 250, np.uint8), None, None, (255, 255, 255))
    assert np.array_equal(add_pattern(white, geometry, PATTERN), np.clip(250 + PATTERN, 0, 255).transpose(1, 2, 0))
