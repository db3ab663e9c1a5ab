"""The grid of levels: margins, passes, slopes through a pipeline, on a linear network whose answers are known."""

import pytest
import torch
from torch import nn

from cnnviz import Network
from cnnviz.adversarial.target import (
    Criterion,
    InputPipeline,
    add_levels,
    logit_difference_loss,
    numeric_tolerance,
    soft_margin_loss,
)
from cnnviz.errors import MethodError
from tests.conftest import attacked_by

WEIGHTS = torch.randn(3, 3 * 4 * 4, generator=torch.Generator().manual_seed(0))


def network(weights: torch.Tensor = WEIGHTS) -> Network:
    linear = nn.Linear(weights.shape[1], len(weights), bias=False)
    linear.weight.data = weights
    return Network.from_module(nn.Sequential(nn.Flatten(), linear), (4, 4), (0.0,) * 3, (1.0,) * 3)


def plain(views: int = 1) -> InputPipeline:
    return InputPipeline(
        lambda values: (values.permute(2, 0, 1)[None].float() / 255).repeat(views, 1, 1, 1),
        lambda slopes: slopes.sum(0).permute(1, 2, 0) / 255,
    )


VALUES = torch.randint(0, 256, (4, 4, 3), generator=torch.Generator().manual_seed(1)).to(torch.uint8)


def test_margins_are_gaps_of_logits_with_what_is_asked_on_top():
    logits = torch.tensor([[3.0, 1.0, 0.0], [0.0, 2.0, 1.0]])
    assert Criterion(0).margins(logits) == pytest.approx([2.01, -1.99], abs=1e-5)
    assert Criterion(0, goal=2).margins(logits) == pytest.approx([3.01, 1.01], abs=1e-5)
    assert Criterion(0, margin=2.0).margins(logits) == pytest.approx([4.01, 0.01], abs=1e-5)


def test_a_search_goes_as_far_beyond_the_border_as_passes_may_differ():
    logits = torch.tensor([12.0, -8.0, 0.0])
    assert numeric_tolerance(logits, torch.float32) == 0.01
    assert numeric_tolerance(logits / 100, torch.float32) == pytest.approx(2e-4)
    assert numeric_tolerance(logits / 100 + 1e4, torch.float32) == pytest.approx(8 * 2**-23 * 1e4, rel=1e-3)
    assert numeric_tolerance(logits, torch.float16) == pytest.approx(8 * 2**-10 * 12)
    assert Criterion(0, margin=2.0, sure=0.5).margins(logits[None]) == pytest.approx([14.5])


def test_a_slope_is_the_derivative_per_level_and_passes_are_counted():
    attacked = attacked_by((plain(), network()))
    look = attacked.look(VALUES)
    slope = look.slope(logit_difference_loss(0, 2))
    want = (WEIGHTS[0] - WEIGHTS[2]).view(3, 4, 4).permute(1, 2, 0) / 255
    assert torch.allclose(slope, want, atol=1e-6)
    attacked.logits(VALUES)
    assert (attacked.passes.forward, attacked.passes.backward) == (2, 1)


def test_slopes_that_are_zero_everywhere_are_counted():
    attacked = attacked_by((plain(), network()))
    attacked.look(VALUES).slope(logit_difference_loss(0, 0))
    attacked.look(VALUES).slope(logit_difference_loss(0, 1))
    assert (attacked.passes.backward, attacked.passes.flat) == (2, 1)


def test_several_networks_and_views_add_their_slopes():
    both = attacked_by((plain(2), network()), (plain(), network(2 * WEIGHTS)))
    look = both.look(VALUES)
    assert look.logits.shape == (3, 3)
    assert torch.allclose(look.logits[2], 2 * look.logits[0], atol=1e-4)
    want = 4 * (WEIGHTS[0] - WEIGHTS[1]).view(3, 4, 4).permute(1, 2, 0) / 255
    assert torch.allclose(look.slope(logit_difference_loss(0, 1)), want, atol=1e-5)


def test_the_soft_margin_keeps_its_slope_where_the_network_is_sure():
    sure = torch.tensor([[100.0, 0.0, 0.0]], requires_grad=True)
    (slope,) = torch.autograd.grad(soft_margin_loss(Criterion(0))(sure), sure)
    assert slope[0].tolist() == pytest.approx([1.0, -0.5, -0.5])
    (slope,) = torch.autograd.grad(soft_margin_loss(Criterion(0, goal=1))(sure), sure)
    assert slope[0].tolist() == pytest.approx([1.0, -1.0, 0.0], abs=1e-6)


def test_views_that_are_fooled_count_less():
    logits = torch.tensor([[0.0, 9.0, 0.0], [9.0, 0.0, 0.0]], requires_grad=True)
    (slope,) = torch.autograd.grad(soft_margin_loss(Criterion(0))(logits), logits)
    assert slope[0, 0] < 0.01 < 0.9 < slope[1, 0]


def test_views_that_lack_the_margin_count_in_full():
    logits = torch.tensor([[0.0, 4.0, 0.0], [9.0, 0.0, 0.0]], requires_grad=True)
    shares = []
    for margin in (0.0, 8.0):
        (slope,) = torch.autograd.grad(soft_margin_loss(Criterion(0, margin=margin))(logits), logits)
        shares.append(float(slope[0, 0] / slope[1, 0]))
    assert shares[0] < 0.2 < 0.9 < shares[1]


def test_changes_stay_within_8_bits():
    values = torch.tensor([0, 1, 254, 255], dtype=torch.uint8).view(1, 4, 1)
    assert add_levels(values, torch.tensor([-1, 1, 2, 1]).view(1, 4, 1)).flatten().tolist() == [0, 2, 255, 255]


def test_weights_that_give_no_numbers_are_told():
    with pytest.raises(MethodError, match="finite"):
        attacked_by((plain(), network(WEIGHTS * torch.inf))).logits(VALUES)
