"""The loss and its gradient: finite differences, tiles, regions, and images that are their own style."""

from copy import deepcopy

import pytest
import torch
from torch import Tensor

from cnnviz.models.network import Network
from cnnviz.synthesis.style_layers import StyleLayers, default_layers
from cnnviz.synthesis.style_loss import StatisticsLoss
from cnnviz.synthesis.style_targets import LossWeights, StyleRegion, style_distances, style_moments
from tests.support.networks import lite0

SMALL = StyleLayers({"pixels": 1.0, "0": 1.0, "2": 1.0}, {"2": 1.0})


def regions(network: Network, weights: LossWeights, styles: list[Tensor], masks: list[Tensor]) -> list[StyleRegion]:
    extractor = weights.make_extractor(network)
    own = [style_distances([style_moments(extractor, style, weights.style_shares())], [1.0], weights.statistics)
           for style in styles]  # fmt: skip
    if not masks:
        return [StyleRegion([own[0]])]
    return [StyleRegion([each], mask, float(mask.mean())) for each, mask in zip(own, masks, strict=True)]


def double(network: Network) -> Network:
    half = (0.5,) * 3
    return Network.from_module(deepcopy(network.module).double(), network.size, half, half)


def uniform(*size: int, seed: int = 0) -> Tensor:
    return torch.rand(1, 3, *size, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("statistics", ["covariance", "gram", "mean-std"])
@pytest.mark.parametrize("masked", [False, True])
def test_the_gradient_is_that_of_finite_differences(network: Network, statistics, masked):
    exact, weights = double(network), LossWeights(SMALL, 0.3, 0.0, statistics)
    mask = torch.rand(1, 1, 13, 18, dtype=torch.float64, generator=torch.Generator().manual_seed(3))
    image, content, styles = uniform(13, 18), uniform(13, 18, seed=1), [uniform(20, 11, seed=2)] * (1 + masked)
    own = regions(exact, weights, styles, [mask, 1 - mask] if masked else [])
    loss = StatisticsLoss(weights.make_extractor(exact), weights, own, content, [(2, -1)])
    x = image.clone().requires_grad_()
    (grad,) = torch.autograd.grad(loss(x, 0), x)
    change = torch.randn(image.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(5)) * 1e-6
    want = float(loss(image + change, 0) - loss(image - change, 0)) / 2
    assert float((grad * change).sum()) == pytest.approx(want, rel=1e-6)


def test_total_variation_adds_its_own_value(network: Network):
    plain, smooth = LossWeights(SMALL, 0.0), LossWeights(SMALL, 0.0, tv=2.0)
    image, own = torch.zeros(1, 3, 8, 8), regions(network, plain, [torch.rand(1, 3, 8, 8)], [])
    image[..., 4:] = 1
    losses = [StatisticsLoss(weights.make_extractor(network), weights, own, image) for weights in (plain, smooth)]
    assert float(losses[1](image) - losses[0](image)) == pytest.approx(2 * 8 / 64)


def test_an_image_that_is_content_and_style_has_no_loss_and_no_gradient(network: Network):
    weights, image = LossWeights(SMALL), uniform(16, 20).float()
    loss = StatisticsLoss(
        weights.make_extractor(network), weights, regions(network, weights, [image], []), image, [(0, 0)]
    )
    value, grad = loss.gradient(image)
    assert value == pytest.approx(0, abs=1e-6)
    assert grad.abs().max() * grad.numel() < 1e-3


@pytest.mark.parametrize("masked", [False, True])
def test_tiles_give_the_loss_and_the_gradient_of_the_whole(masked):
    weights, image = LossWeights(default_layers(lite0())), uniform(260, 330).float()
    mask = torch.zeros(1, 1, 260, 330)
    mask[..., 100:] = 1
    styles = [uniform(64, 80, seed=seed).float() for seed in (1, 2)]
    own = regions(lite0(), weights, styles, [mask, 1 - mask] if masked else [])
    extractor, content = weights.make_extractor(lite0()), uniform(260, 330, seed=4).float()
    (value, grad), (tiled_value, tiled_grad) = (
        StatisticsLoss(extractor, weights, own, content, [(3, -5)], tile).gradient(image) for tile in (None, 192)
    )
    assert tiled_value == pytest.approx(value, rel=1e-5)
    assert float((grad - tiled_grad).norm() / grad.norm()) < 1e-5


def test_a_region_without_weight_changes_nothing(network: Network):
    weights, image = LossWeights(SMALL, 0.0), uniform(12, 12).float()
    styles = [uniform(12, 12, seed=seed).float() for seed in (1, 2)]
    everywhere, nowhere = torch.ones(1, 1, 12, 12), torch.zeros(1, 1, 12, 12)
    alone, both = regions(network, weights, styles[:1], []), regions(network, weights, styles, [everywhere, nowhere])
    extractor = weights.make_extractor(network)
    one, two = (StatisticsLoss(extractor, weights, own, image).gradient(image) for own in (alone, both))
    assert two[0] == pytest.approx(one[0], rel=1e-6)
    torch.testing.assert_close(two[1], one[1], rtol=1e-4, atol=1e-8)
