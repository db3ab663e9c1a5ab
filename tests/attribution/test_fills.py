"""Fills of an occluding window: their colours, their seed, what a blur keeps."""

import pytest
import torch
from torch import nn

from cnnviz import Network
from cnnviz.attribution.fills import FILLS, Fill, occluder


def network() -> Network:
    return Network.from_module(nn.Conv2d(3, 2, 1), (8, 8), (0.1, 0.2, 0.3), (1, 1, 1))


@pytest.mark.parametrize(
    ("fill", "colour"), [("grey", (0.5,) * 3), ("black", (0.0,) * 3), ("white", (1.0,) * 3), ("mean", (0.1, 0.2, 0.3))]
)
def test_plain_fills_are_one_colour(fill: Fill, colour: tuple[float, ...]) -> None:
    found = occluder(torch.rand(1, 3, 6, 7), fill, network())
    torch.testing.assert_close(found, torch.tensor(colour).view(1, 3, 1, 1).expand(1, 3, 6, 7))


def test_noise_follows_the_seed_and_a_blur_keeps_the_colours() -> None:
    x = torch.rand(1, 3, 40, 48)
    first, again, other = (occluder(x, "noise", network(), seed) for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    blurred = occluder(x, "blur", network())
    assert blurred.std() < 0.5 * x.std()
    torch.testing.assert_close(blurred.mean((2, 3)), x.mean((2, 3)), rtol=0.1, atol=0.02)


def test_every_fill_has_the_inputs_shape() -> None:
    for fill in FILLS:
        assert occluder(torch.rand(1, 3, 20, 30), fill, network()).shape == (1, 3, 20, 30)
