"""What a layer gives is caught as it is, and the network is left as it was."""

import pytest
import torch
from torch import nn

from cnnviz.errors import InvalidRequest
from cnnviz.models.hooks import capture, feature_maps
from cnnviz.models.network import Network


def small() -> Network:
    torch.manual_seed(0)
    module = nn.Sequential(
        nn.Conv2d(3, 4, 3), nn.ReLU(inplace=True), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 2)
    )
    return Network.from_module(module, (8, 8), (0.5,) * 3, (0.5,) * 3, name="small")


def test_a_rectifier_in_place_does_not_change_what_was_seen():
    network, x = small(), torch.rand(1, 3, 8, 8)
    with torch.inference_mode(), capture(network, "0") as seen, capture(network, "0", 2) as one:
        network(x)
        network(x)
        expected = nn.functional.conv2d((x - 0.5) / 0.5, network.module[0].weight, network.module[0].bias)
    assert len(seen) == 2
    assert (expected < 0).any()
    torch.testing.assert_close(seen[0], expected)
    assert torch.equal(one[0], seen[0][:, 2])
    assert torch.equal(feature_maps(seen, "0"), seen[1][0])


def test_nothing_is_left_behind_whatever_happens():
    network = small()
    with pytest.raises(RuntimeError, match="stop"), capture(network, "1") as seen:
        raise RuntimeError("stop")
    network(torch.rand(1, 3, 8, 8))
    assert seen == []
    assert not any(module._forward_hooks for module in network.module.modules())


def test_layers_that_are_not_there_or_give_no_maps():
    network = small()
    with pytest.raises(InvalidRequest, match="small has no layer '9'; see cnnviz layers small"), capture(network, "9"):
        pass
    with capture(network, "4") as seen:
        network(torch.rand(1, 3, 8, 8))
    with pytest.raises(InvalidRequest, match="layer 4 gives no feature maps"):
        feature_maps(seen, "4")
