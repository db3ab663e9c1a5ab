"""EfficientNet-Lite0, loaded once a session, and small networks whose smallest adversarial change is known."""

from collections import OrderedDict
from functools import cache
from typing import Any

import torch
from torch import Tensor, nn

from cnnviz import Network, load_network
from cnnviz.adversarial.pipeline import InputPipeline
from cnnviz.adversarial.target import TargetModel
from cnnviz.models.fcn8s import FCN8s

SIDE = 12


@cache
def lite0() -> Network:
    """EfficientNet-Lite0 on the CPU, loaded once for all tests of a process; nothing may change it."""
    return load_network("efficientnet_lite0", device="cpu")


def two_layers(name: str = "efficientnet_lite0", classes: int = 2) -> Network:
    """A convolution "deep" of stride 2, 3 channels and a fully connected layer "last": classes kind 0, kind 1, ..."""
    deep = nn.Sequential(nn.Conv2d(3, 3, 3, 2), nn.ReLU())
    parts = {"deep": deep, "pool": nn.AdaptiveAvgPool2d(1), "flat": nn.Flatten(), "last": nn.Linear(3, classes)}
    names = [f"kind {index}" for index in range(classes)]
    return Network.from_module(nn.Sequential(OrderedDict(parts)), (9, 9), (0.5,) * 3, (0.5,) * 3, names, name)


def identity_pipeline(views: int = 1) -> InputPipeline:
    """The pipeline of values that are the network's input as they are, ``views`` times."""
    return InputPipeline(
        lambda values: (values.permute(2, 0, 1)[None].float() / 255).repeat(views, 1, 1, 1),
        lambda gradients: gradients.sum(0).permute(1, 2, 0) / 255,
    )


def attacked_by(*pairs: tuple[InputPipeline, Network]) -> TargetModel:
    """The target model of pairs of a pipeline and a network."""
    return TargetModel(pairs)


def direct(network: Network) -> TargetModel:
    """The target model of a network that is given the values as they are."""
    return attacked_by((identity_pipeline(), network))


def linear_network(weights: Tensor, bias: Tensor, classes: list[str] | None = None) -> Network:
    """Logits ``weights`` (classes, 3, h, w) times the input plus ``bias`` (classes,)."""
    layer = nn.Linear(weights[0].numel(), len(weights))
    layer.weight.data, layer.bias.data = weights.flatten(1), bias
    size = (weights.shape[2], weights.shape[3])
    return Network.from_module(nn.Sequential(nn.Flatten(), layer), size, (0.0,) * 3, (1.0,) * 3, classes)


def linear_model(gap: float, classes: int = 2, level: int = 128) -> tuple[TargetModel, Tensor, Tensor]:
    """A linear network whose class 0 leads the last by ``gap`` on grey, the grey, and the gradient of that lead."""
    weights = torch.randn(classes, 3 * SIDE * SIDE, generator=torch.Generator().manual_seed(0))
    grey = torch.full((weights.shape[1],), level / 255)
    bias = torch.linspace(0, -gap, classes) - weights @ grey
    network = linear_network(weights.view(classes, 3, SIDE, SIDE), bias, [str(number) for number in range(classes)])
    difference = (weights[0] - weights[-1]).view(3, SIDE, SIDE).permute(1, 2, 0) / 255
    return direct(network), torch.full((SIDE, SIDE, 3), level, dtype=torch.uint8), difference


def brightness_network(level: float, side: int, scale: float = 1.0, **options: Any) -> Network:
    """Two classes: the first where the mean of all values is at least ``level``; ``scale`` of the logits."""
    weights = torch.zeros(2, 3, side, side)
    weights[0] = scale
    bias = torch.tensor([-level / 255 * 3 * side * side * scale, 0.0])
    return linear_network(weights, bias, **options)


def random_classifier(side: int, scale: float = 1.0) -> Network:
    """A small convolutional network of ten classes with random weights; ``scale`` of those of the last layer."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        layers = nn.Conv2d(3, 12, 5, 2, 2), nn.ReLU(), nn.Conv2d(12, 24, 3, 2, 1), nn.ReLU(), nn.Flatten()
        module = nn.Sequential(*layers, nn.Linear(24 * (side // 4) ** 2, 10))
        module[-1].weight.data *= scale
    return Network.from_module(module, (side, side), (0.5,) * 3, (0.5,) * 3)


def fcn_8s() -> FCN8s:
    """A narrow FCN-8s with random weights, of the state dict's layout."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return FCN8s(21, [2, 3, 4, 5, 6, 7]).eval()
