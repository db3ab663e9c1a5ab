"""Regions through operators; the values are those of test_incremental."""

import numpy as np
import pytest
import torch
from torch import nn

from cnnviz.graph.incremental import Incremental
from cnnviz.graph.region import Region
from cnnviz.graph.region_rules import LARGEST_SHARE, BatchNormRule, Elementwise, RegionRule


def regions(module: nn.Module, box: tuple[int, int, int, int]) -> list[Region]:
    with torch.no_grad():
        return Incremental(module, torch.rand(1, 3, 16, 16), module).regions([box])


@pytest.mark.parametrize(("side", "whole"), [(8, False), (14, True)])
def test_a_map_is_computed_completely_once_most_of_it_changes(side, whole):
    *_, out = regions(nn.Conv2d(3, 2, 3, padding=1), (0, 0, side, side))
    assert out.whole is whole
    assert (out.share == 1) is whole
    assert whole or out.share == (side + 1) ** 2 / 256 <= LARGEST_SHARE


def test_elementwise_operators_keep_the_region_and_others_spread_it():
    box = (3, 4, 6, 9)
    after_relu, after_softmax = regions(nn.ReLU(), box)[1], regions(nn.Softmax(1), box)[1]
    assert np.concatenate([after_relu.first, after_relu.stop]).T.tolist() == [list(box)]
    assert after_softmax.whole


def test_a_whole_region_makes_a_sum_whole():
    part, whole = Region(np.array([[1], [1]]), np.array([[2], [2]]), (8, 8)), Region.all((8, 8), 1)
    assert not Elementwise().region(None, [part, part], (8, 8)).whole
    assert Elementwise().region(None, [part, whole], (8, 8)).whole
    assert RegionRule().region(None, [part], (4, 4)).size == (4, 4)


def test_batch_normalisation_is_a_factor_and_a_term():
    norm = nn.BatchNorm2d(3).double().eval()
    (
        nn.init.uniform_(norm.weight),
        nn.init.uniform_(norm.bias),
        norm.running_mean.uniform_(),
        norm.running_var.uniform_(),
    )
    rule = BatchNormRule(norm.weight, norm.bias, norm.running_mean, norm.running_var, norm.eps)
    x = torch.rand(2, 3, 4, 4, dtype=torch.float64)
    torch.testing.assert_close(x * rule.factor + rule.term, norm(x))
