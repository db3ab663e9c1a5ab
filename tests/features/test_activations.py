"""Feature maps against a hook of one's own and an order found by brute force."""

import pytest
import torch
from torch import nn

from cnnviz.errors import InvalidRequest, MethodError
from cnnviz.features.activations import activations
from cnnviz.models.network import Network
from tests.support.networks import lite0


def small(rectify: bool = True) -> Network:
    torch.manual_seed(0)
    module = nn.Sequential(
        nn.Conv2d(3, 6, 3), nn.ReLU(inplace=True) if rectify else nn.Identity(), nn.AdaptiveAvgPool2d(1), nn.Flatten(),
        nn.Linear(6, 2),
    )  # fmt: skip
    return Network.from_module(module, (9, 11), (0.4, 0.5, 0.6), (0.2, 0.3, 0.4), name="small")


def picture() -> torch.Tensor:
    return torch.rand(1, 3, 9, 11, generator=torch.Generator().manual_seed(1))


def test_they_are_what_a_hook_sees():
    network, x = lite0(), torch.rand(1, 3, 224, 224, generator=torch.Generator().manual_seed(1))
    seen = []
    handle = network.module.blocks[4].register_forward_hook(lambda _m, _i, out: seen.append(out.clone()))
    with torch.no_grad():
        logits = network(x)
    handle.remove()
    found = activations(network, x, layer="blocks.4")
    torch.testing.assert_close(found.maps, seen[0][0])
    torch.testing.assert_close(found.logits, logits[0])


def test_a_rectifier_in_place_after_the_layer_does_not_show():
    network, x = small(), picture()
    conv = network.module[0]
    found = activations(network, x, layer="0")
    torch.testing.assert_close(
        found.maps, nn.functional.conv2d((x - network.mean) / network.std, conv.weight, conv.bias)[0]
    )
    assert (found.maps < 0).any()
    assert torch.equal(activations(network, x, layer="1").maps, found.maps.clamp(min=0))


def test_the_order_is_by_the_sum_of_what_is_positive():
    found = activations(small(), picture(), layer="0")
    sums = [sum(max(value, 0.0) for value in channel.double().flatten().tolist()) for channel in found.maps]
    assert found.order.tolist() == sorted(range(6), key=lambda channel: -sums[channel])
    assert found.strengths.tolist() == pytest.approx(sums)


def test_equal_ones_stand_by_number():
    network = small()
    network.module[0].weight[:] = network.module[0].weight[:1].clone()
    network.module[0].bias[:] = 0
    network.module[0].bias[4] = 5
    assert activations(network, picture(), layer="0").order.tolist() == [4, 0, 1, 2, 3, 5]


class Last(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.permute(0, 2, 3, 1)


class ChannelsLast(nn.Sequential):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return super().forward(x).mean((1, 2))


def test_what_cannot_be_drawn_is_told():
    network, x = small(), picture()
    for layer, told in (("4", "layer 4 gives no feature maps"), ("9", "small has no layer '9'")):
        with pytest.raises(InvalidRequest, match=told):
            activations(network, x, layer=layer)
    with pytest.raises(InvalidRequest, match="one input at a time, not 2"):
        activations(network, x.expand(2, -1, -1, -1), layer="0")
    swapped = Network.from_module(ChannelsLast(nn.Conv2d(3, 6, 3), Last()), (9, 9), (0,) * 3, (1,) * 3)
    with pytest.raises(InvalidRequest, match="layer 1 gives its channels last"):
        activations(swapped, torch.rand(1, 3, 9, 9), layer="1")
    network.module[0].bias[1] = torch.inf
    with pytest.raises(MethodError, match="not finite numbers"):
        activations(network, x, layer="0")
