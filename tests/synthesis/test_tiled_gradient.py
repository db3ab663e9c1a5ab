"""Tiled gradients against that of the whole picture."""

from copy import deepcopy
from pathlib import Path

import pytest
import torch
import torchvision

from cnnviz import read_photo
from cnnviz.errors import InvalidRequest
from cnnviz.models.features import FeatureExtractor
from cnnviz.models.network import Network
from cnnviz.synthesis import priors
from cnnviz.synthesis.ascent import ascend, full_gradient
from cnnviz.synthesis.dream import jitter_gradient
from cnnviz.synthesis.objectives import Objective, channel, diversity, layer, logit
from cnnviz.synthesis.tile_plan import plan_tiles
from cnnviz.synthesis.tiled_gradient import tiled_gradient
from tests.support.networks import lite0

HALF = (0.5, 0.5, 0.5)


def random_network(name: str) -> Network:
    torch.manual_seed(0)
    return Network.from_module(torchvision.models.get_model(name, weights=None), (224, 224), HALF, HALF, name=name)


def lite() -> Network:
    return lite0()


def error(network: Network, layers: list[str], size: tuple[int, int], tile: int, dtype: torch.dtype) -> float:
    """How far the tiled gradient is from the whole one, relative to its largest magnitude."""
    if dtype == torch.float64:
        network = Network.from_module(deepcopy(network.module).double(), network.size, HALF, HALF)
    objective = Objective(tuple(layer(name) for name in layers))
    extractor, x = FeatureExtractor(network, layers), torch.rand(1, 3, *size, dtype=dtype)
    values, slope = full_gradient(extractor, objective)(x)
    parts, sum_ = tiled_gradient(extractor, objective, tile)(x)
    assert max(map(len, plan_tiles(network, layers, size, tile))) > 1
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


def test_approximate_tiles_are_for_layers_that_see_everything():
    network = random_network("mobilenet_v3_small")
    objective = Objective((layer("features.8"),))
    extractor, x = FeatureExtractor(network, ["features.8"]), torch.rand(1, 3, 700, 250)
    with pytest.raises(InvalidRequest, match="no exact tiles"):
        tiled_gradient(extractor, objective, 320)(x)
    values, slope = tiled_gradient(extractor, objective, 320, approximate=True)(x)
    wanted, whole_slope = full_gradient(extractor, objective)(x)
    torch.testing.assert_close(values, wanted, rtol=0.1, atol=0)
    assert torch.nn.functional.cosine_similarity(*(s.flatten() / s.abs().max() for s in (slope, whole_slope)), 0) > 0.9


PHOTO = Path(__file__).parents[2] / "sample_images" / "coffee.jpg"


def climbed(photo: torch.Tensor, gradient, jitter: int) -> torch.Tensor:
    """Twenty steps of a dream at the photo's own size."""

    def rule(_picture, slope, _share):
        return 0.015 * priors.unit(priors.correlate_colors(priors.laplacian_normalize(slope, 1.4, 0.0)))

    generator = torch.Generator().manual_seed(0)
    return ascend(photo, jitter_gradient(gradient, jitter, generator), rule, steps=20, generator=generator).tensor


def borders(lines: list[set[int]], size: tuple[int, int]) -> torch.Tensor:
    """The two pixels at each line down and across, without the picture's own border."""
    near = torch.zeros(size, dtype=torch.bool)
    for dim, ats in enumerate(lines):
        for at in ats - {0, size[dim]}:
            near.narrow(dim, at - 1, 2).fill_(True)
    assert near.any()
    return near[1:-1, 1:-1]


def steepness(picture: torch.Tensor, near: torch.Tensor) -> float:
    """Mean |Laplacian| at the borders, as a multiple of that elsewhere."""
    kernel = torch.tensor([[0.0, 1, 0], [1, -4, 1], [0, 1, 0]]).expand(3, 1, 3, 3).to(picture)
    edges = torch.nn.functional.conv2d(picture, kernel, groups=3).abs().mean((0, 1))
    return float(edges[near].mean() / edges[~near].mean())


def part_of_a_photo(high: int, wide: int) -> torch.Tensor:
    return torch.from_numpy(read_photo(PHOTO)[100 : 100 + high, 150 : 150 + wide]).permute(2, 0, 1)[None] / 255


@pytest.mark.slow
def test_twenty_steps_by_tiles_are_those_of_the_whole():
    """In float64: in float32 rounding grows from step to step until the pictures differ, tiles or not."""
    photo = part_of_a_photo(144, 176).double()
    network = Network.from_module(deepcopy(lite().module).double(), (224, 224), HALF, HALF)
    extractor, objective = FeatureExtractor(network, ["blocks.4"]), Objective((layer("blocks.4"),))
    assert all(len(along) > 1 for along in plan_tiles(network, ["blocks.4"], (144, 176), 140))
    one, other = (
        climbed(photo, slope, 16)
        for slope in (tiled_gradient(extractor, objective, 140), full_gradient(extractor, objective))
    )
    assert (one - photo).square().mean().sqrt() > 0.02
    assert (one - other).abs().max() < 1e-6


@pytest.mark.slow
@pytest.mark.parametrize("jitter", [0, 16])
def test_twenty_steps_over_a_photo_leave_no_seams(jitter):
    photo, network, tile = part_of_a_photo(256, 336), lite(), 160
    extractor, objective = FeatureExtractor(network, ["blocks.4"]), Objective((layer("blocks.4"),))
    one, other = (
        climbed(photo, slope, jitter)
        for slope in (tiled_gradient(extractor, objective, tile), full_gradient(extractor, objective))
    )
    spans = plan_tiles(network, ["blocks.4"], (256, 336), tile)
    owned = [{16 * span.cells["blocks.4"].first for span in along} for along in spans]
    ends = [{at for span in along for at in (span.start, span.stop)} for along in spans]
    assert all(len(along) > 2 for along in spans)
    for near in (borders(owned, (256, 336)), borders(ends, (256, 336))):
        for tiles, control in ((one, other), (one - photo, other - photo)):
            assert 0.95 < steepness(tiles, near) / steepness(control, near) < 1.05


def test_what_has_no_tiles_is_refused():
    extractor = FeatureExtractor(lite(), ["blocks.0"])
    with pytest.raises(InvalidRequest, match="a class needs the whole image"):
        tiled_gradient(extractor, Objective((logit(3),)))
    with pytest.raises(InvalidRequest, match="not a sum over a layer's cells"):
        tiled_gradient(extractor, Objective((diversity("blocks.0"),)))
    with pytest.raises(InvalidRequest, match=r"layer global_pool\.pool sees the whole image"):
        tiled_gradient(extractor, Objective((channel("global_pool.pool", 1),)))(torch.rand(1, 3, 64, 64))
