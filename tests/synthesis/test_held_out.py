"""Ranks by a held-out network: place, probability, and only with the same classes."""

import numpy as np
import pytest
import torch
from torch import nn

from cnnviz import Network
from cnnviz.errors import InvalidRequest
from cnnviz.synthesis.held_out import check_same_classes, rank_class


def network(classes=("a", "b", "c")) -> Network:
    """Logits are the mean colours, red, green and blue."""
    body = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())
    return Network.from_module(body, (8, 8), (0.0,) * 3, (1.0,) * 3, classes, name="means")


def test_the_rank_is_that_of_the_logit():
    image = np.full((10, 10, 3), (255, 0, 128), np.uint8)
    ranks = [rank_class(network(), image, target) for target in range(3)]
    assert [rank.rank for rank in ranks] == [1, 3, 2]
    logits = torch.tensor([1, 0, 128 / 255], dtype=torch.float64)
    assert [rank.probability for rank in ranks] == pytest.approx(logits.softmax(0).tolist(), abs=1e-5)
    assert [top.name for top in ranks[1].top] == ["a", "c", "b"]
    assert ranks[0].network == "means"


def test_other_classes_are_refused():
    check_same_classes(network(), network())
    with pytest.raises(InvalidRequest, match="--check-with means: its classes differ"):
        check_same_classes(network(("x", "y", "z")), network())
