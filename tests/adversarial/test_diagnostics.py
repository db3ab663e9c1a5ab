"""What weakens an attack's result: masked gradients, randomness, probabilities, a clean photo that is misclassified."""

import numpy as np
import pytest
import torch
from torch import nn

from cnnviz import Network
from cnnviz.adversarial.diagnostics import are_probabilities
from cnnviz.adversarial.file_attack import AttackSettings, attack_photo
from cnnviz.adversarial.robustness import photo_robustness
from cnnviz.text import printable

SIDE = 8
PHOTO = np.random.default_rng(0).integers(0, 256, (SIDE, SIDE, 3), np.uint8)


class Shaky(nn.Module):
    """Its input, and noise that is another each time."""

    def forward(self, x):
        return x + 0.01 * torch.randn_like(x)


def network(*end: nn.Module, scale: float = 1.0) -> Network:
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
    assert kinds_of(network()) == {}
    masked = kinds_of(network(nn.Softmax(1), scale=1e3))  # so sure that float32 knows 0 and 1 alone
    assert set(masked) == {"zero_gradients", "probabilities"}
    assert "zero everywhere" in masked["zero_gradients"]
    assert set(kinds_of(network(Shaky()))) == {"randomized"}
    assert set(kinds_of(network(nn.Softmax(1)))) == {"probabilities"}
    wrong = kinds_of(network(), ground_truth=other())
    assert wrong == {"misclassified": f"the unchanged photo is classified as {'abcd'[first()]}, not {other()}"}
    assert all(printable(text) == text for text in masked.values())


def first() -> int:
    return int(network()(torch.from_numpy(PHOTO).permute(2, 0, 1)[None] / 255).argmax())


def other() -> str:
    return "abcd"[first() - 1]


@pytest.mark.parametrize(("values", "are"), [
    ([0.25, 0.25, 0.5], True), ([0.0, 1.0, 0.0], True), ([0.3, 0.3, 0.5], False), ([-0.5, 1.0, 0.5], False),
    ([1.0], False),
])  # fmt: skip
def test_probabilities_are_known_by_their_sign_and_sum(values, are):
    assert are_probabilities(torch.tensor(values)) is are
