"""The border of what fools: which classes are near, and how a change is sought."""

import pytest
import torch
from torch import nn

from cnnviz import Network
from cnnviz.adversarial.boundary import BoundarySearch, mixed, unit
from cnnviz.adversarial.target import SURE, Criterion, InputPipeline
from tests.conftest import attacked_by

SIDE = 12


def attacked(gap: float, classes: int = 2, lit: int = 128):
    """A linear network whose class 0 leads the last by ``gap`` on grey, the grey, and the slope of that lead."""
    weights = torch.randn(classes, 3 * SIDE * SIDE, generator=torch.Generator().manual_seed(0))
    layer = nn.Linear(weights.shape[1], classes)
    layer.weight.data, grey = weights, torch.full((weights.shape[1],), lit / 255)
    leads = torch.linspace(0, -gap, classes)
    layer.bias.data = leads - weights @ grey
    network = Network.from_module(
        nn.Sequential(nn.Flatten(), layer), (SIDE, SIDE), (0.0,) * 3, (1.0,) * 3, [str(n) for n in range(classes)]
    )
    pipeline = InputPipeline(lambda v: v.permute(2, 0, 1)[None].float() / 255, lambda s: s[0].permute(1, 2, 0) / 255)
    difference = (weights[0] - weights[-1]).view(3, SIDE, SIDE).permute(1, 2, 0) / 255
    return attacked_by((pipeline, network)), torch.full((SIDE, SIDE, 3), lit, dtype=torch.uint8), difference


def test_the_mean_of_slopes_has_their_weights():
    slopes = [torch.randn(4, 5, 3) for _ in range(2)]
    assert torch.allclose(mixed(slopes, [1.0, 3.0]), (slopes[0] + 3 * slopes[1]) / 4)
    assert unit(slopes[0]).abs().mean() == pytest.approx(1)


def test_the_nearest_classes_of_several_logits_take_turns():
    one, values, _ = attacked(1.0, 5)
    first, second = torch.tensor([[9.0, 5, 4, 3, 2]]), torch.tensor([[9.0, 1, 2, 8, 7]])
    border = BoundarySearch(one, values, Criterion(0), "l2", 255)
    found = [nearest(loss) for loss in border.losses(first, second, count=4)]
    assert found == [1, 3, 2, 4]
    goal = BoundarySearch(one, values, Criterion(0, 4), "l2", 255)
    lead = goal.losses(first)[0]
    assert float(lead(torch.tensor([[3.0, 0, 0, 0, 1.0]]))) == 2.0  # from the first class to the goal


def nearest(loss) -> int:
    """The class that a loss leads to: the one whose logit it falls with."""
    logits = torch.zeros(1, 5, requires_grad=True)
    (slope,) = torch.autograd.grad(loss(logits), logits)
    return int(slope[0].argmin())


def test_a_change_is_sought_until_one_place_less_does_not_fool():
    one, values, difference = attacked(1.0)
    border = BoundarySearch(one, values, Criterion(0), "l1", 1)
    tried, _ = border.seek(difference, 50.0, 1.001)
    strongest = difference.abs().flatten().sort(descending=True).values.cumsum(0)
    fewest = int((strongest < 1.0 + SURE).sum()) + 1
    assert border.size(tried) == fewest
    assert border.margin(tried) < 0
    assert border.margin(border.along(difference, fewest - 1)) > 0
    assert border.seek(-difference, 50.0, 1.05) is None  # uphill nothing fools


def test_weights_are_those_with_which_the_mean_goes_furthest_down():
    one, values, difference = attacked(1.0)
    border = BoundarySearch(one, values, Criterion(0), "l2", 255)
    noise = torch.randn(difference.shape, generator=torch.Generator().manual_seed(1))
    slopes = [unit(noise), unit(difference)]
    weights = border.weighed(slopes, [1.0, 1.0], 100.0)
    assert weights == [0.5, 2.0]
    tried = [border.margin(border.along(mixed(slopes, w), 100.0)) for w in (weights, [1.0, 1.0])]
    assert tried[0] < tried[1]
    assert border.weighed([unit(difference)] * 2, [1.0, 3.0], 100.0) == [1.0, 3.0]  # where nothing is gained


def test_in_l0_a_place_counts_by_how_far_it_can_go():
    one, values, _ = attacked(1.0)
    values[0, 0, 0], values[0, 0, 1] = 2, 128
    slope = torch.zeros(values.shape)
    slope[0, 0, 0], slope[0, 0, 1] = 10.0, 1.0  # down from 2 there is little room
    tried = BoundarySearch(one, values, Criterion(0), "l0", 255).along(slope, 1)
    assert (tried != values).nonzero().tolist() == [[0, 0, 1]]
    assert tried[0, 0, 1] == 0
