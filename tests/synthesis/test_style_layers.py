"""The default layers of networks of several families: one rule, no names."""

import pytest
import torch
import torchvision
from torch import nn

from cnnviz.errors import InvalidRequest
from cnnviz.models.network import Network
from cnnviz.synthesis.style_layers import default_layers, patch_layers
from tests.support.networks import lite0

HALF = (0.5, 0.5, 0.5)
RELU = [f"features.{number}" for number in (1, 6, 11, 18, 25)]  # Gatys' relu1_1, 2_1, 3_1, 4_1, 5_1
FAMILIES = {
    "vgg16": (RELU, "features.20"),
    "alexnet": (["features.1", "features.4", "features.7"], "features.4"),
    "resnet18": (["relu", "layer1.1.bn2", "layer2.1.bn2", "layer3.1.bn2"], "layer2.1.bn2"),
    "mobilenet_v2": ([f"features.{number}" for number in (0, 1, 3, 6, 13)], "features.6"),
    "efficientnet_b0": (["features.0", "features.1.0", "features.2.1", "features.3.1", "features.5.2"], "features.3.1"),
    "densenet121": (
        ["features.relu0", *(f"features.denseblock{number}.denselayer1.relu1" for number in (1, 2, 3))],
        "features.denseblock2.denselayer1.relu2",
    ),
}


def untrained(name: str) -> Network:
    return Network.from_module(torchvision.models.get_model(name, weights=None), (224, 224), HALF, HALF, name=name)


def test_the_bundled_network_gives_its_stem_and_its_linear_bottlenecks():
    layers = default_layers(lite0())
    assert list(layers.style) == ["pixels", "bn1", "blocks.0.0", "blocks.1.1", "blocks.2.1", "blocks.4.2"]
    assert set(layers.style.values()) == {1.0}
    assert layers.content == {"blocks.2.1": 1.0}


def test_patches_are_of_the_layers_before_the_coarsest_which_has_the_content():
    layers = patch_layers(lite0())
    assert layers.style == {"pixels": 1.0, "blocks.0.0": 0.5, "blocks.1.1": 1.0, "blocks.2.1": 1.0}
    assert layers.content == {"blocks.4.2": 1.0}


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=() if name == "resnet18" else pytest.mark.slow) for name in FAMILIES]
)
def test_other_families(name):
    style, content = FAMILIES[name]
    layers = default_layers(untrained(name))
    assert list(layers.style) == ["pixels", *style]
    assert list(layers.content) == [content]


def test_a_plain_network_gives_the_first_activation_at_each_stride():
    def stage(channels: int) -> list[nn.Module]:
        return [nn.Conv2d(channels, 4, 3, padding=1), nn.ReLU(), nn.Conv2d(4, 4, 3, padding=1), nn.ReLU()]

    body = [*stage(3), nn.MaxPool2d(2), *stage(4), nn.AdaptiveAvgPool2d(1), nn.Flatten()]
    layers = default_layers(Network.from_module(nn.Sequential(*body), (32, 32), HALF, HALF))
    assert list(layers.style) == ["pixels", "1", "6"]
    assert layers.content == {"8": 1.0}


def test_a_network_of_one_layer_has_its_patches_and_its_content_there():
    body = [nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()]
    layers = patch_layers(Network.from_module(nn.Sequential(*body), (32, 32), HALF, HALF))
    assert layers.style == {"pixels": 1.0, "1": 0.5}
    assert layers.content == {"1": 1.0}


def test_a_network_without_maps_has_none():
    module = nn.Sequential(nn.Flatten(), nn.Linear(3 * 64, 5), nn.ReLU())
    with pytest.raises(InvalidRequest, match="name them"):
        default_layers(Network.from_module(module, (8, 8), HALF, HALF))
    assert torch.is_grad_enabled()
