"""The target model: logits and gradients through a pipeline, on a linear network whose gradients are known."""

import numpy as np
import pytest
import torch
from torch import nn

from cnnviz import Network
from cnnviz.adversarial.criterion import Criterion, logit_difference_loss
from cnnviz.adversarial.file_attack import AttackSettings, attack_photo
from cnnviz.adversarial.robustness import photo_robustness
from cnnviz.adversarial.target import are_probabilities
from cnnviz.errors import MethodError
from cnnviz.models.features import LOGITS, feature_extractor
from cnnviz.text import printable
from tests.support.networks import attacked_by, direct, identity_pipeline, linear_network

WEIGHTS = torch.randn(3, 3, 4, 4, generator=torch.Generator().manual_seed(0))
VALUES = torch.randint(0, 256, (4, 4, 3), generator=torch.Generator().manual_seed(1)).to(torch.uint8)


def network(weights: torch.Tensor = WEIGHTS) -> Network:
    return linear_network(weights, torch.zeros(len(weights)))


def difference(one: int, other: int) -> torch.Tensor:
    return (WEIGHTS[one] - WEIGHTS[other]).permute(1, 2, 0) / 255


def test_a_gradient_is_the_derivative_per_level_and_passes_are_counted():
    model = direct(network())
    gradient = model.evaluate(VALUES)[1](logit_difference_loss(0, 2))
    assert torch.allclose(gradient, difference(0, 2), atol=1e-6)
    model.logits(VALUES)
    assert model.queries.as_dict() == {"forward": 2, "backward": 1}


def test_gradients_that_are_zero_everywhere_are_counted():
    model = direct(network())
    model.evaluate(VALUES)[1](logit_difference_loss(0, 0))
    model.evaluate(VALUES)[1](logit_difference_loss(0, 1))
    assert (model.queries.backward, model.queries.zero_gradients) == (2, 1)


def test_several_networks_and_views_add_their_gradients():
    both = attacked_by((identity_pipeline(2), network()), (identity_pipeline(), network(2 * WEIGHTS)))
    logits, gradient_of = both.evaluate(VALUES)
    assert logits.shape == (3, 3)
    assert torch.allclose(logits[2], 2 * logits[0], atol=1e-4)
    assert torch.allclose(gradient_of(logit_difference_loss(0, 1)), 4 * difference(0, 1), atol=1e-5)


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
    assert feature_extractor(one, [LOGITS]) is feature_extractor(one, [LOGITS])
    assert feature_extractor(network(), [LOGITS]) is not feature_extractor(one, [LOGITS])


SIDE = 8
PHOTO = np.random.default_rng(0).integers(0, 256, (SIDE, SIDE, 3), np.uint8)


class Shaky(nn.Module):
    """Its input, and noise that is another each time."""

    def forward(self, x):
        return x + 0.01 * torch.randn_like(x)


def classifier(*end: nn.Module, scale: float = 1.0) -> Network:
    """Four classes of a small image; ``end`` comes behind their logits."""
    linear = nn.Linear(3 * SIDE * SIDE, 4)
    linear.weight.data = scale * torch.randn(linear.weight.shape, generator=torch.Generator().manual_seed(0))
    linear.bias.data = torch.zeros(4)
    module = nn.Sequential(nn.Flatten(), linear, *end)
    return Network.from_module(module, (SIDE, SIDE), (0.5,) * 3, (0.5,) * 3, ["a", "b", "c", "d"])


def attack(subject: Network, **options):
    return attack_photo(subject, PHOTO, eps=1, settings=AttackSettings(fit="whole", steps=3), **options).warnings


def measure(subject: Network, **options):
    return photo_robustness(subject, PHOTO, eps=1, fit="whole", **options).warnings


@pytest.mark.parametrize("kinds_of", [attack, measure])
def test_each_kind_is_reported(kinds_of):
    assert kinds_of(classifier()) == {}
    masked = kinds_of(classifier(nn.Softmax(1), scale=1e3))  # so sure that float32 knows 0 and 1 alone
    assert set(masked) == {"zero_gradients", "probabilities"}
    assert "zero everywhere" in masked["zero_gradients"]
    assert set(kinds_of(classifier(Shaky()))) == {"randomized"}
    assert set(kinds_of(classifier(nn.Softmax(1)))) == {"probabilities"}
    wrong = kinds_of(classifier(), ground_truth=other())
    assert wrong == {"misclassified": f"the unchanged photo is classified as {'abcd'[first()]}, not {other()}"}
    assert all(printable(text) == text for text in masked.values())


def first() -> int:
    return int(classifier()(torch.from_numpy(PHOTO).permute(2, 0, 1)[None] / 255).argmax())


def other() -> str:
    return "abcd"[first() - 1]


@pytest.mark.parametrize(("values", "are"), [
    ([0.25, 0.25, 0.5], True), ([0.0, 1.0, 0.0], True), ([0.3, 0.3, 0.5], False), ([-0.5, 1.0, 0.5], False),
    ([1.0], False),
])  # fmt: skip
def test_probabilities_are_known_by_their_sign_and_sum(values, are):
    assert are_probabilities(torch.tensor(values)) is are
