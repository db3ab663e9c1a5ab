"""The layers that deep dream maximises by default, by network: no torch."""

# By the beginning of the network's name, longer ones first: layers whose dreams show parts of animals and objects.
DREAM_LAYERS = {
    "efficientnet_lite": "blocks.4",
    "efficientnet_": "features.5",
    "googlenet": "inception4c",
    "inception_v3": "Mixed_6c",
    "vgg11_bn": "features.20",
    "vgg13_bn": "features.26",
    "vgg16_bn": "features.32",
    "vgg19_bn": "features.35",
    "vgg11": "features.14",
    "vgg13": "features.18",
    "vgg16": "features.22",
    "vgg19": "features.24",
    "alexnet": "features.9",
    "zfnet": "conv4",
    "resnet": "layer3",
    "resnext": "layer3",
    "wide_resnet": "layer3",
    "densenet": "features.denseblock3",
    "squeezenet1_0": "features.11",
    "squeezenet1_1": "features.10",
    "mobilenet_v2": "features.13",
    "mobilenet_v3_large": "features.12",
    "mobilenet_v3_small": "features.8",
    "mnasnet": "layers.11",
    "regnet": "trunk_output.block3",
    "shufflenet": "stage3",
    "convnext": "features.5",
}


def dream_layer(name: str) -> str | None:
    """Return the default layer of a network; None if its family is not listed."""
    return next((layer for prefix, layer in DREAM_LAYERS.items() if name.startswith(prefix)), None)
