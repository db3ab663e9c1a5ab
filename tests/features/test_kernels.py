"""A convolution's filters against their own weights, whatever the network does to its input first."""

import pytest
import torch
from torch import Tensor, nn

from cnnviz.errors import InvalidRequest
from cnnviz.features.kernels import kernels
from cnnviz.models.network import Network
from tests.support.networks import lite0

MEAN, STD = (0.4, 0.5, 0.6), (0.2, 0.25, 0.5)


class Prepared(nn.Module):
    """A network that changes its input before the first convolution."""

    def __init__(self, prepare) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.prepare = prepare
        self.first = nn.Conv2d(3, 4, 5, padding=2)
        self.deep = nn.Conv2d(4, 3, 3)
        self.deeper = nn.Conv2d(3, 6, 3, groups=3)
        self.head = nn.Linear(6, 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.deeper(self.deep(self.first(self.prepare(x)).relu())).amax((2, 3)))


def network(prepare=lambda x: x) -> Network:
    return Network.from_module(Prepared(prepare), (12, 12), MEAN, STD, name="mine")


def test_over_rgb_they_are_the_weights_divided_by_the_deviation():
    mine = network()
    found = kernels(mine)
    assert (found.layer, found.rgb, found.groups) == ("first", True, 1)
    expected = mine.module.first.weight / torch.tensor(STD).view(1, 3, 1, 1)
    torch.testing.assert_close(found.weights, expected)
    assert not any(module._forward_pre_hooks for module in mine.module.modules())  # noqa: SLF001 - torch tells the number of hooks nowhere else


def test_what_the_network_does_to_its_colours_is_undone():
    """Channels turned round and scaled: the filter answers to RGB all the same, as its own gradient says."""
    mine = network(lambda x: x.flip(1) * torch.tensor([1.0, 2.0, 3.0]).view(1, 3, 1, 1) + 7)
    x = torch.rand(1, 3, 12, 12, requires_grad=True)
    with torch.enable_grad():
        answer = mine.module.first(mine.module.prepare((x - mine.mean) / mine.std))
        (gradient,) = torch.autograd.grad(answer[0, 1, 6, 6], x)
    torch.testing.assert_close(kernels(mine).weights[1], gradient[0, :, 4:9, 4:9])


@pytest.mark.parametrize("prepare", [lambda x: x**2, lambda x: x.clamp(min=0.1)])
def test_what_is_not_linear_in_the_colours_is_not_shown_in_them(prepare):
    mine = network(prepare)
    found = kernels(mine)
    assert not found.rgb
    assert torch.equal(found.weights, mine.module.first.weight)


def test_a_deep_layer_of_three_inputs_is_not_over_rgb():
    mine = network()
    assert not kernels(mine, layer="deeper").rgb
    assert kernels(mine, layer="deeper").weights.shape == (6, 1, 3, 3)
    assert torch.equal(kernels(mine, layer="deep").weights, mine.module.deep.weight)


def test_each_filter_has_its_own_scale_and_zero_stays():
    mine = network()
    mine.module.first.weight[2] = 0
    found = kernels(mine)
    scaled = found.scaled([3, 2])
    assert scaled[0].abs().max() == 1
    torch.testing.assert_close(scaled[0], found.weights[3] / found.weights[3].abs().max())
    assert not scaled[1].any()


def test_layers_without_filters_are_told_apart():
    mine = network()
    with pytest.raises(InvalidRequest, match="layer head is a Linear, which has no filters of its own; name a convol"):
        kernels(mine, layer="head")
    with pytest.raises(InvalidRequest, match="no layer 'frst'; did you mean first"):
        kernels(mine, layer="frst")
    flat = Network.from_module(nn.Sequential(nn.Flatten(), nn.Linear(12, 2)), (2, 2), MEAN, STD, name="flat")
    with pytest.raises(InvalidRequest, match="flat has no convolution"):
        kernels(flat)


def test_the_bundled_network():
    lite = lite0()
    torch.testing.assert_close(kernels(lite).weights, lite.module.conv_stem.weight / 0.5)
    with pytest.raises(InvalidRequest, match=r"blocks\.2 is a Sequential.*; in it are blocks\.2\.0\.conv_pw, "):
        kernels(lite, layer="blocks.2")
