"""Tiled gradients against that of the whole picture."""

from copy import deepcopy

import pytest
import torch
import torchvision

from cnnviz import load_network
from cnnviz.ascent import whole
from cnnviz.errors import UsageMistake
from cnnviz.models import Network
from cnnviz.objectives import Objective, channel, diversity, layer, logit
from cnnviz.tiling import tiled
from cnnviz.trunk import Trunk

HALF = (0.5, 0.5, 0.5)


def random_network(name: str) -> Network:
    torch.manual_seed(0)
    return Network.from_module(torchvision.models.get_model(name, weights=None), (224, 224), HALF, HALF, name=name)


def lite() -> Network:
    return load_network("efficientnet_lite0", device="cpu")


def error(network: Network, layers: list[str], size: tuple[int, int], tile: int, dtype: torch.dtype) -> float:
    """How far the tiled gradient is from the whole one, relative to its largest magnitude."""
    if dtype == torch.float64:
        network = Network.from_module(deepcopy(network.module).double(), network.size, HALF, HALF)
    objective = Objective(tuple(layer(name) for name in layers))
    trunk, x, counts = Trunk(network, layers), torch.rand(1, 3, *size, dtype=dtype), []
    values, slope = whole(trunk, objective)(x)
    parts, sum_ = tiled(trunk, objective, tile, lambda done, of: counts.append((done, of)))(x)
    assert counts[-1][0] == counts[-1][1] == len(counts) > 1
    torch.testing.assert_close(parts, values, rtol=1e-5, atol=0)
    return float((slope - sum_).abs().max() / slope.abs().max())


LITE = [["conv_stem"], ["bn1"], ["blocks.0"], ["blocks.1.0.conv_dw"], ["blocks.2"], ["blocks.1", "blocks.3"]]


@pytest.mark.parametrize("layers", LITE)
@pytest.mark.parametrize("size", [(211, 182), (160, 225)])
def test_tiles_give_the_gradient_of_the_whole_bundled_network(layers, size):
    assert error(lite(), layers, size, 100, torch.float64) <= 1e-10


OTHERS = [
    ("resnet18", ["layer1", "layer2"]),
    ("vgg11", ["features.9"]),
    ("mobilenet_v2", ["features.7"]),
    ("densenet121", ["features.denseblock2"]),
    ("alexnet", ["features.4"]),
    ("googlenet", ["inception3a"]),
]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:The default weight initialization")
@pytest.mark.parametrize(("name", "layers"), OTHERS)
def test_tiles_give_the_gradient_of_other_networks(name, layers):
    assert error(random_network(name), layers, (263, 190), 120, torch.float64) <= 1e-10


@pytest.mark.slow
def test_tiles_in_single_precision_on_a_large_odd_picture():
    assert error(lite(), ["blocks.2"], (997, 1311), 448, torch.float32) <= 1e-5


def test_what_has_no_tiles_is_refused():
    trunk = Trunk(lite(), ["blocks.0"])
    with pytest.raises(UsageMistake, match="a class needs the whole picture"):
        tiled(trunk, Objective((logit(3),)))
    with pytest.raises(UsageMistake, match="no sum over a layer's cells"):
        tiled(trunk, Objective((diversity("blocks.0"),)))
    with pytest.raises(UsageMistake, match=r"layer global_pool\.pool sees the whole picture"):
        tiled(trunk, Objective((channel("global_pool.pool", 1),)))(torch.rand(1, 3, 64, 64))
