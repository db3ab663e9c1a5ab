"""cnnviz's own maps are those of occlusion with its defaults."""

import torch
from torch import nn

from cnnviz import Network
from cnnviz.attribution.occlusion import occlusion
from cnnviz.attribution.own_maps import occlusion_maps, own_maps


def test_they_are_the_occlusion_maps_with_labels() -> None:
    torch.manual_seed(0)
    module = nn.Sequential(nn.Conv2d(3, 4, 5, 4), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3))
    network = Network.from_module(module, (64, 64), (0.5,) * 3, (0.25,) * 3, classes=["a", "b", "c"])
    x = torch.rand(1, 3, 64, 64)
    expected = occlusion(network, x, targets=[2, 0]).maps
    maps = own_maps(network, x, [2, 0])
    assert [(one.label, one.target) for one in maps] == [("occlusion, c", 2), ("occlusion, a", 0)]
    assert torch.equal(torch.stack([one.values for one in maps]), expected)
    assert torch.equal(occlusion_maps(x, [2, 0], network), expected)
    assert own_maps(network, x, None)[0].label == "occlusion"
