"""Options parsed into what is to be maximised."""

import pytest

from cnnviz.errors import InvalidRequest
from cnnviz.synthesis.spec import ObjectiveSpec, default_layer, layers_spec, parse_objective

LITE = "efficientnet_lite1"


@pytest.mark.parametrize(
    ("layers", "channels", "classes", "parsed"),
    [
        ({}, [], {}, ObjectiveSpec({"blocks.4": 1.0})),
        ({"a": 3.0, "b": 1.0}, [], {}, ObjectiveSpec({"a": 3.0, "b": 1.0})),
        ({}, [("3", 2.0), ("bn1:4", 1.0)], {}, ObjectiveSpec(channels={("blocks.4", 3): 2.0, ("bn1", 4): 1.0})),
        ({"a": 3.0}, [("3", 1.0)], {}, ObjectiveSpec(channels={("a", 3): 1.0})),
        ({"a": 3.0}, [("b:3", 1.0)], {}, ObjectiveSpec({"a": 3.0}, {("b", 3): 1.0})),
        ({}, [], {"tabby": 2.0}, ObjectiveSpec(classes={"tabby": 2.0})),
    ],
)
def test_options_are_parsed_into_weights(layers, channels, classes, parsed):
    assert parse_objective(layers, channels, classes, LITE) == parsed


@pytest.mark.parametrize(
    ("layers", "channel", "model", "words"),
    [
        ((), "a:b", LITE, "--channel a:b: is neither a number nor LAYER:NUMBER"),
        (("a", "b"), "3", LITE, "--channel 3: give its layer too, such as a:3"),
        ((), None, "vit_b_16", "Missing option '--layer'"),
        ((), "3", "vit_b_16", "Missing option '--layer'"),
    ],
)
def test_what_is_malformed_or_ambiguous_is_refused(layers, channel, model, words):
    with pytest.raises(InvalidRequest, match=words):
        parse_objective(dict.fromkeys(layers, 1.0), [(channel, 1.0)] if channel else [], {}, model)


def test_layers_are_a_name_names_or_weights():
    assert layers_spec("a", LITE) == layers_spec(["a"], LITE) == ObjectiveSpec({"a": 1.0})
    assert layers_spec({"a": 0.5}, LITE) == ObjectiveSpec({"a": 0.5})
    assert layers_spec((), LITE) == ObjectiveSpec({"blocks.4": 1.0})
    assert default_layer("efficientnet_lite3") == "blocks.4"


def test_weights_are_those_of_the_terms_in_their_order():
    assert ObjectiveSpec({"a": 3.0}, {("b", 1): 2.0}, {4: 0.5}).weights == [3.0, 2.0, 0.5]


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    ["googlenet", "inception_v3", "vgg16", "vgg19_bn", "alexnet", "resnet50", "resnext50_32x4d", "wide_resnet50_2",
     "densenet121", "mobilenet_v2", "mobilenet_v3_large", "mobilenet_v3_small", "mnasnet1_0", "squeezenet1_0",
     "squeezenet1_1", "shufflenet_v2_x1_0", "convnext_tiny", "efficientnet_b0", "regnet_y_400mf"],
)  # fmt: skip
def test_a_familys_layer_is_there(name):
    import torch
    import torchvision

    plain = {"init_weights": False} if name in ("googlenet", "inception_v3") else {}
    with torch.device("cpu" if name.startswith("regnet") else "meta"):  # RegNet copies weights as it is made
        module = torchvision.models.get_model(name, **plain)
    assert default_layer(name) in dict(module.named_modules())
