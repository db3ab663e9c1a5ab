"""The probability against the photo's size: of all places, and of the best one."""

import numpy as np
import pytest

from cnnviz.dense.size_curve import size_curve
from tests.support.dense_networks import FullyConnected, Red, dense_network


def test_the_mean_and_the_best_place_are_known():
    photo = np.zeros((64, 128, 3), np.uint8)
    photo[:, :32, 0], photo[:, 32:, 1] = 255, 255
    curve = size_curve(dense_network(Red(), double=False), photo, 0, (64, 128))
    assert curve.sizes == (64, 128)
    share = lambda red, green: 1 / (1 + np.exp(green - red))  # noqa: E731
    assert curve.whole == pytest.approx((share(2.5, 7.5),) * 2, abs=1e-4)
    assert curve.best == pytest.approx((share(10, 0),) * 2, abs=1e-4)


def test_sizes_too_small_for_a_fully_connected_head_are_left_out():
    photo = np.zeros((80, 100, 3), np.uint8)
    assert size_curve(dense_network(FullyConnected(), double=False), photo, 0, (32, 64, 96)).sizes == (64, 96)
