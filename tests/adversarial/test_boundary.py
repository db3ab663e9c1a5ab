"""The decision boundary: nearest classes, line searches, weights of gradients."""

import pytest
import torch

from cnnviz.adversarial.boundary import BoundarySearch, unit, weighted_mean
from cnnviz.adversarial.criterion import TOLERANCE, Criterion
from tests.support.networks import linear_model


def test_the_mean_of_gradients_has_their_weights():
    gradients = [torch.randn(4, 5, 3) for _ in range(2)]
    assert torch.allclose(weighted_mean(gradients, [1.0, 3.0]), (gradients[0] + 3 * gradients[1]) / 4)
    assert unit(gradients[0]).abs().mean() == pytest.approx(1)


def test_the_nearest_classes_of_several_logits_take_turns():
    model, values, _ = linear_model(1.0, 5)
    first, second = torch.tensor([[9.0, 5, 4, 3, 2]]), torch.tensor([[9.0, 1, 2, 8, 7]])
    search = BoundarySearch(model, values, Criterion(0), "l2", 255)
    found = [nearest(loss) for loss in search.losses(first, second, count=4)]
    assert found == [1, 3, 2, 4]
    goal = BoundarySearch(model, values, Criterion(0, 4), "l2", 255)
    lead = goal.losses(first)[0]
    assert float(lead(torch.tensor([[3.0, 0, 0, 0, 1.0]]))) == 2.0  # from the first class to the goal


def nearest(loss) -> int:
    """The class that a loss leads to: the one whose logit it falls with."""
    logits = torch.zeros(1, 5, requires_grad=True)
    (gradient,) = torch.autograd.grad(loss(logits), logits)
    return int(gradient[0].argmin())


def test_a_change_is_sought_until_one_place_less_does_not_fool():
    model, values, difference = linear_model(1.0)
    search = BoundarySearch(model, values, Criterion(0), "l1", 1)
    tried, _ = search.line_search(difference, 50.0, 1.001)
    strongest = difference.abs().flatten().sort(descending=True).values.cumsum(0)
    fewest = int((strongest < 1.0 + TOLERANCE).sum()) + 1
    assert search.size(tried) == fewest
    assert search.margin(tried) > 0
    assert search.margin(search.quantized_step(difference, fewest - 1)) < 0
    assert search.line_search(-difference, 50.0, 1.05) is None  # uphill nothing fools


def test_weights_are_those_with_which_the_mean_goes_furthest_down():
    model, values, difference = linear_model(1.0)
    search = BoundarySearch(model, values, Criterion(0), "l2", 255)
    noise = torch.randn(difference.shape, generator=torch.Generator().manual_seed(1))
    gradients = [unit(noise), unit(difference)]
    weights = search.reweight(gradients, [1.0, 1.0], 100.0)
    assert weights == [0.5, 2.0]
    tried = [search.margin(search.quantized_step(weighted_mean(gradients, w), 100.0)) for w in (weights, [1.0, 1.0])]
    assert tried[0] > tried[1]
    assert search.reweight([unit(difference)] * 2, [1.0, 3.0], 100.0) == [1.0, 3.0]  # where nothing is gained


def test_in_l0_a_place_counts_by_how_far_it_can_go():
    model, values, _ = linear_model(1.0)
    values[0, 0, 0], values[0, 0, 1] = 2, 128
    gradient = torch.zeros(values.shape)
    gradient[0, 0, 0], gradient[0, 0, 1] = 10.0, 1.0  # down from 2 there is little room
    tried = BoundarySearch(model, values, Criterion(0), "l0", 255).quantized_step(gradient, 1)
    assert (tried != values).nonzero().tolist() == [[0, 0, 1]]
    assert tried[0, 0, 1] == 0
