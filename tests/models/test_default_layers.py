"""Layers chosen by depth: on networks small enough to see which, and on published ones."""

from collections import OrderedDict

import pytest
import torch
from torch import nn

from cnnviz import Network
from cnnviz.errors import MethodError
from cnnviz.models.default_layers import deep_layer, layers_by_depth, middle_layer
from cnnviz.models.loader import build_blank
from tests.support.networks import lite0


def wrap(module: nn.Module, side: int = 32, name: str = "network") -> Network:
    return Network.from_module(module, (side, side), (0.5,) * 3, (0.5,) * 3, name=name)


def stage(stride: int, act: type[nn.Module] = nn.ReLU, convs: int = 1) -> nn.Sequential:
    more = [layer for _ in range(convs - 1) for layer in (nn.Conv2d(4, 4, 3, 1, 1), act())]
    return nn.Sequential(nn.LazyConv2d(4, 3, stride, 1), act(), *more)


def network(*stages: nn.Module, side: int = 32) -> Network:
    parts = OrderedDict((f"stage{number}", part) for number, part in enumerate(stages))
    parts |= {"pool": nn.AdaptiveAvgPool2d(1), "flat": nn.Flatten(), "last": nn.LazyLinear(3)}
    module = nn.Sequential(parts)
    module(torch.zeros(1, 3, side, side))
    return wrap(module, side)


def test_each_size_of_maps_has_its_outermost_last_layer():
    found = network(stage(1), stage(2, convs=3), stage(2))
    assert layers_by_depth(found, 3) == ["stage0", "stage1", "stage2"]
    assert layers_by_depth(found) == ["stage0", "stage1.1", "stage1.3", "stage1", "stage2"]  # in the longest gap


def test_of_more_sizes_than_wanted_the_first_the_last_and_even_ones_between_are_taken():
    found = network(*(stage(2 if number else 1) for number in range(5)), side=64)
    assert layers_by_depth(found, 3) == ["stage0", "stage2", "stage4"]
    assert layers_by_depth(found, 1) == ["stage0"]


def test_a_module_around_several_sizes_is_not_one_of_them():
    inner = nn.Sequential(*(stage(2) for _ in range(3)))
    assert layers_by_depth(network(inner)) == ["stage0.0", "stage0.1", "stage0.2"]


def test_layers_behind_a_bounded_activation_are_for_maps_alone():
    block = nn.Sequential(*stage(2, nn.ReLU6), nn.Conv2d(4, 4, 1))
    found = network(block, nn.Sequential(*stage(2, nn.ReLU6), nn.Conv2d(4, 4, 1)))
    assert layers_by_depth(found) == ["stage0", "stage1"]
    assert layers_by_depth(found, bounded=True) == ["stage0.1", "stage1.1"]


def test_a_flat_network_of_convolutions_has_those_and_one_without_maps_is_refused():
    assert layers_by_depth(wrap(nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten(), nn.Linear(3600, 2)))) == ["0"]
    with pytest.raises(MethodError, match="no layer with feature maps"):
        layers_by_depth(wrap(nn.Sequential(nn.Flatten(), nn.Linear(3072, 2))))


def test_the_middle_layer_is_the_deepest_with_48_rows_and_the_deep_one_the_last_but_one():
    found = network(stage(1), stage(2), stage(2), side=96)
    assert layers_by_depth(found) == ["stage0", "stage1", "stage2"]  # of 96, 48 and 24 rows
    assert (middle_layer(found), deep_layer(found)) == ("stage1", "stage1")
    assert middle_layer(network(stage(1), stage(2))) == "stage0"
    assert deep_layer(network(stage(1))) == "stage0"


@pytest.mark.parametrize(
    ("name", "layers", "middle"),
    [
        ("resnet18", "relu layer1 layer2 layer3 layer4", "layer1"),
        ("vgg11", "features.1 features.4 features.9 features.14 features.19", "features.9"),
        ("alexnet", "features.1 features.4 features.7 features.9 features.11", "features.1"),
        ("mobilenet_v2", "features.1 features.3 features.6 features.13 features.17", "features.4.conv.0"),
        ("densenet121", "features.relu0 features.transition1.relu features.transition2.relu features.transition3.relu "
                        "features.denseblock4.denselayer16.relu2", "features.transition1.relu"),
    ],
)  # fmt: skip
def test_layers_of_published_networks(name, layers, middle):
    found = wrap(build_blank(name), 224, name)
    assert layers_by_depth(found) == layers.split()
    assert (middle_layer(found), deep_layer(found)) == (middle, layers.split()[3])


def test_layers_of_the_default_network():
    assert layers_by_depth(lite0()) == ["blocks.0", "blocks.1", "blocks.2", "blocks.4", "blocks.6"]
    assert (middle_layer(lite0()), deep_layer(lite0())) == ("blocks.2.0.bn1", "blocks.4")
