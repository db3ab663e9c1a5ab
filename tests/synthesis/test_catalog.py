"""The default layers exist in the networks that they are for."""

import pytest

from cnnviz.synthesis import catalog


def test_a_network_that_is_not_listed_has_no_default():
    assert catalog.dream_layer("efficientnet_lite3") == "blocks.4"
    assert catalog.dream_layer("vit_b_16") is None


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
    assert catalog.dream_layer(name) in dict(module.named_modules())
