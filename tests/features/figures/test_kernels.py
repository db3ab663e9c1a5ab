"""The figure of filters: known weights give known pixels."""

import numpy as np
import torch
from torch import nn

from cnnviz.features.figures import kernels
from cnnviz.features.kernels import Kernels
from tests.support.images import holds


def test_known_weights_give_known_pixels():
    """Zero is mid-grey, the largest magnitude white or black, every filter for itself."""
    weights = torch.zeros(2, 3, 2, 2)
    weights[0, 0, 0, 0], weights[0, 1, 0, 1], weights[0, 2, 1, 1] = 4.0, -4.0, 2.0
    weights[1, 0, 0, 0] = -0.1
    picture = kernels.draw("mine", Kernels("conv", weights, 1, True), [0, 1])
    first = np.array([[[255, 128, 128], [128, 0, 128]], [[128, 128, 128], [128, 128, 191]]], np.uint8)
    second = np.array([[[0, 128, 128], [128, 128, 128]], [[128] * 3] * 2], np.uint8)
    for block in (first, second):
        assert holds(picture, block.repeat(90, 0).repeat(90, 1))


def test_pairs_are_limited_and_say_so():
    torch.manual_seed(0)
    found = Kernels("deep", nn.Conv2d(40, 20, 3).weight.detach(), 1, False)
    assert (found.form, found.default_channels(), found.shown_inputs) == ("pairs", list(range(8)), 24)
    few, chosen = (kernels.draw("mine", found, channels) for channels in (found.default_channels(), [19, 2]))
    assert len(chosen) < len(few)
