"""The target model: logits and gradients through a pipeline, on a linear network whose gradients are known."""

import pytest
import torch

from cnnviz import Network
from cnnviz.adversarial.criterion import Criterion, logit_difference_loss
from cnnviz.adversarial.target import logits_extractor
from cnnviz.errors import MethodError
from tests.support.networks import attacked_by, direct, identity_pipeline, linear_network

WEIGHTS = torch.randn(3, 3, 4, 4, generator=torch.Generator().manual_seed(0))
VALUES = torch.randint(0, 256, (4, 4, 3), generator=torch.Generator().manual_seed(1)).to(torch.uint8)


def network(weights: torch.Tensor = WEIGHTS) -> Network:
    return linear_network(weights, torch.zeros(len(weights)))


def difference(one: int, other: int) -> torch.Tensor:
    return (WEIGHTS[one] - WEIGHTS[other]).permute(1, 2, 0) / 255


def test_a_gradient_is_the_derivative_per_level_and_passes_are_counted():
    model = direct(network())
    gradient = model.evaluate(VALUES).gradient(logit_difference_loss(0, 2))
    assert torch.allclose(gradient, difference(0, 2), atol=1e-6)
    model.logits(VALUES)
    assert model.queries.as_dict() == {"forward": 2, "backward": 1}


def test_gradients_that_are_zero_everywhere_are_counted():
    model = direct(network())
    model.evaluate(VALUES).gradient(logit_difference_loss(0, 0))
    model.evaluate(VALUES).gradient(logit_difference_loss(0, 1))
    assert (model.queries.backward, model.queries.zero_gradients) == (2, 1)


def test_several_networks_and_views_add_their_gradients():
    both = attacked_by((identity_pipeline(2), network()), (identity_pipeline(), network(2 * WEIGHTS)))
    evaluation = both.evaluate(VALUES)
    assert evaluation.logits.shape == (3, 3)
    assert torch.allclose(evaluation.logits[2], 2 * evaluation.logits[0], atol=1e-4)
    assert torch.allclose(evaluation.gradient(logit_difference_loss(0, 1)), 4 * difference(0, 1), atol=1e-5)


def test_all_views_must_be_fooled():
    first = int(direct(network()).logits(VALUES)[0].argmax())
    both = attacked_by((identity_pipeline(), network()), (identity_pipeline(), network(-WEIGHTS)))
    assert not both.fooled(VALUES, Criterion(first))
    assert direct(network(-WEIGHTS)).fooled(VALUES, Criterion(first))


def test_logits_that_are_not_finite_are_refused():
    with pytest.raises(MethodError, match="finite"):
        direct(network(WEIGHTS * torch.inf)).logits(VALUES)


def test_an_extractor_is_made_once_for_a_network():
    one = network()
    assert logits_extractor(one) is logits_extractor(one)
    assert logits_extractor(network()) is not logits_extractor(one)
