"""The rule of each operator, by its class."""

import pytest
import torch
import torch.nn.functional as F

from cnnviz.graph.region_rules import BatchNormRule, ChannelView, Elementwise, GlobalMean, RegionRule, WindowRule
from cnnviz.graph.rule_table import region_rule
from cnnviz.graph.tape import UntraceableError, record

STATS = torch.zeros(4), torch.ones(4)
WEIGHT = torch.ones(4, 4, 3, 3)


def rules(function, x=None) -> list[RegionRule]:
    with torch.no_grad():
        tape = record(function, torch.rand(1, 4, 8, 8) if x is None else x)
    return [region_rule(step, tape.clean) for step in tape.steps]


@pytest.mark.parametrize(
    ("function", "rule"),
    [
        (lambda x: F.conv2d(x, WEIGHT, padding=1), WindowRule),
        (lambda x: F.max_pool2d(x, 2), WindowRule),
        (lambda x: F.avg_pool2d(x, 2), WindowRule),
        (lambda x: F.adaptive_avg_pool2d(x, 4), WindowRule),
        (lambda x: F.pad(x, (1, 0, 0, 2)), WindowRule),
        (lambda x: x.mean((2, 3)), GlobalMean),
        (lambda x: F.batch_norm(x, *STATS), BatchNormRule),
        (F.relu, Elementwise),
        (lambda x: x + 1, Elementwise),
        (lambda x: x * torch.ones(1, 4, 1, 1), Elementwise),
        (lambda x: x[:, 1:3], ChannelView),
        (lambda x: x.view(1, 2, 2, 8, 8), ChannelView),
    ],
)
def test_operators_have_rules_of_their_own(function, rule):
    assert type(rules(function)[-1]) is rule


@pytest.mark.parametrize(
    "function",
    [
        lambda x: x * torch.rand(1, 1, 8, 8),  # a constant with positions of its own
        lambda x: x.flatten(1),
        lambda x: F.softmax(x, 1),
        lambda x: F.conv_transpose2d(x, torch.ones(4, 4, 2, 2), stride=2),
        lambda x: F.adaptive_avg_pool2d(x, 3),  # windows of several sizes
        lambda x: x[:, :, 1:],
    ],
)
def test_other_operators_run_on_complete_maps(function):
    assert type(rules(function)[-1]) is RegionRule


def test_memory_taken_apart_is_refused():
    with pytest.raises(UntraceableError, match="as_strided"):
        rules(lambda x: x.as_strided((1, 4, 4, 4), (256, 64, 16, 2)))
