"""Passes through a network that are given up between two layers."""

import itertools

import pytest
import torch
from torch import nn

from cnnviz.control import Control, Stopped
from cnnviz.models.stopping import stop_between_layers

LAYERS = 3


@pytest.fixture
def module() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(*(nn.Conv2d(2, 2, 1) for _ in range(LAYERS)))


def gradient(module: nn.Module) -> torch.Tensor:
    x = torch.ones(1, 2, 3, 3, requires_grad=True)
    return torch.autograd.grad(module(x).square().sum(), x)[0]


def stopping_at(count: int) -> Control:
    """The control that asks to stop the ``count``-th time that it is asked, and from then on."""
    asked = itertools.count(1)
    return Control(stopped=lambda: next(asked) >= count)


def test_a_whole_pass_gives_the_same_gradient(module: nn.Module) -> None:
    plain = gradient(module)
    with stop_between_layers(stopping_at(100)):
        assert torch.equal(gradient(module), plain)
    with stop_between_layers(Control()):
        assert torch.equal(gradient(module), plain)


# asked at the beginning, after each layer and after the module around them, and at each of these on the way back
@pytest.mark.parametrize("count", range(1, 1 + 2 * LAYERS))
def test_it_is_given_up_wherever_it_is(count: int, module: nn.Module) -> None:
    with pytest.raises(Stopped), stop_between_layers(stopping_at(count)):
        gradient(module)
    gradient(module)  # a pass outside is whole


def test_it_is_not_begun_once_the_work_is_to_stop(module: nn.Module) -> None:
    with pytest.raises(Stopped), stop_between_layers(Control(stopped=lambda: True)):
        pytest.fail("the block was entered")
