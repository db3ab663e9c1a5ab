"""Names of networks, classes and titles as figures print them."""

from dataclasses import replace

import pytest
import torch
from torch import nn

from cnnviz import Network
from cnnviz.figures import labels
from cnnviz.figures.page import INNER
from cnnviz.figures.style import TITLE
from cnnviz.figures.text import is_printable, width
from cnnviz.models import catalog
from tests.support.networks import lite0, two_layers

PRINTED = {
    "efficientnet_lite0": "EfficientNet-Lite0", "efficientnet_b7": "EfficientNet-B7",
    "efficientnet_v2_l": "EfficientNetV2-L", "zfnet": "ZFNet", "hed_vgg16": "VGG-16 of HED",
    "alexnet": "AlexNet", "googlenet": "GoogLeNet",
    "convnext_tiny": "ConvNeXt-T", "convnext_base": "ConvNeXt-B", "densenet121": "DenseNet-121",
    "inception_v3": "Inception-v3", "maxvit_t": "MaxViT-T", "mnasnet0_75": "MnasNet 0.75×",
    "mobilenet_v2": "MobileNetV2", "mobilenet_v3_large": "MobileNetV3-Large", "regnet_x_16gf": "RegNetX-16GF",
    "regnet_x_1_6gf": "RegNetX-1.6GF", "regnet_y_400mf": "RegNetY-400MF", "resnet50": "ResNet-50",
    "resnext101_32x8d": "ResNeXt-101 (32×8d)", "shufflenet_v2_x0_5": "ShuffleNet V2 0.5×",
    "squeezenet1_1": "SqueezeNet 1.1", "swin_b": "Swin-B", "swin_v2_t": "SwinV2-T", "vgg16": "VGG-16",
    "vgg16_bn": "VGG-16 with batch norm", "vit_b_16": "ViT-B/16", "vit_h_14": "ViT-H/14",
    "wide_resnet50_2": "Wide ResNet-50-2", "timm:resnet50": "timm:resnet50", "my_net": "my_net",
}  # fmt: skip


@pytest.mark.parametrize(("name", "printed"), PRINTED.items())
def test_a_network_is_printed_as_in_its_paper(name, printed):
    assert labels.network_label(name) == printed


def test_every_network_of_the_catalog_has_a_printed_name_of_its_own():
    printed = {name: labels.network_label(name) for name in catalog.entries()}
    assert len(set(printed.values())) == len(printed)
    for name, text in printed.items():
        assert text != name
        assert "_" not in text
        assert text[0].isupper()
        assert is_printable(text)


def test_a_class_that_the_font_cannot_print_has_its_number():
    network = Network.from_module(nn.Flatten(), (2, 2), (0.0,) * 3, (1.0,) * 3, ["Käfer", "猫"])
    assert [labels.class_label(network, index) for index in (0, 1)] == ["Käfer", "class 1"]


def test_a_layer_is_printed_with_its_place_in_the_network():
    network = two_layers()
    places = {name: labels.placed_layer(network, name) for name in ("deep", "deep.1", "last", "nowhere")}
    assert places == {
        "deep": "deep (layer 1 of 2, stride 2 px)", "deep.1": "deep.1 (layer 1 of 2, stride 2 px)",
        "last": "last (layer 2 of 2)", "nowhere": "nowhere",
    }  # fmt: skip
    assert labels.placed_layer(lite0(), "blocks.2.1") == "blocks.2.1 (layer 15 of 50, stride 8 px)"


def test_strides_that_differ_are_both_printed():
    convolution = nn.Conv2d(3, 2, 1, stride=(4, 2))
    network = Network.from_module(nn.Sequential(convolution, nn.Flatten()), (4, 2), (0.0,) * 3, (1.0,) * 3)
    assert labels.placed_layer(network, "0") == "0 (layer 1 of 1, stride 4 × 2 px)"


def test_a_channel_of_the_last_layer_is_printed_as_its_class():
    assert labels.channel_label(two_layers(), "deep", 1) == "channel 1"
    assert labels.channel_label(two_layers(), "last", 1) == "kind 1 (1)"
    assert labels.channel_label(lite0(), "classifier", 560) == "football helmet (560)"
    unnamed = replace(two_layers(), classes=())
    assert labels.channel_label(unnamed, "last", 1) == "class 1"


def test_a_prediction_has_the_networks_name_and_the_largest_probability():
    network = Network.from_module(nn.Flatten(), (2, 2), (0.0,) * 3, (1.0,) * 3, ["cat", "dog"], name="resnet18")
    assert labels.prediction_label(network, torch.tensor([0.0, 1.0])) == "ResNet-18: dog 73.1 %"


def test_names_are_quoted():
    assert labels.quoted(["a"]) == "“a”"
    assert labels.quoted(["a", "b", "c"]) == "“a”, “b” and “c”"


@pytest.mark.parametrize("names", [("cup", "tray"), ("cup", "x" * 120), ("word " * 24, "cup"), ("m" * 120, "n" * 120)])
def test_a_title_shortens_only_names_that_are_too_long(names):
    title = labels.title_of("A change of 1 level of 255 turns {} into {}", *names)
    assert title.startswith("A change of 1 level of 255 turns “")
    assert "” into “" in title
    assert title.endswith("”")
    assert width(title, TITLE, bold=True) <= INNER
    for name in names:
        assert (f"“{name}”" in title) == (len(name) < 100)
