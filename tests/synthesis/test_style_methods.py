"""What each method makes of the images: a loss whose gradient is that of its value."""

import numpy as np
import pytest
import torch

from cnnviz import Control, StyleSettings
from cnnviz.models.network import Network
from cnnviz.synthesis.style_images import prepare_images
from cnnviz.synthesis.style_methods import PatchMethod, StatisticsMethod, make_method

LAYERS = {"pixels": 1.0, "0": 1.0, "2": 1.0}


def method_of(network: Network, name: str) -> tuple[StatisticsMethod, torch.Tensor]:
    settings = StyleSettings(method=name, style_layers=LAYERS, content_layers={"2": 1.0})
    content, style = np.random.default_rng(0).integers(0, 256, (2, 20, 24, 3), dtype=np.uint8)
    images = prepare_images(
        content, [style], (), (), long_side=None, style_scale=1, original_colors=None, control=Control()
    )
    return make_method(network, images, settings), images.content


@pytest.mark.parametrize("name", ["statistics", "mrf"])
def test_the_gradient_is_that_of_the_loss(network: Network, name):
    method, content = method_of(network, name)
    loss = method.make_loss(content, [content.flip(3)], [(0, 0)])
    image = (content + 0.5) / 2
    _, grad = loss.gradient(image)
    direction = torch.randn(image.shape, generator=torch.Generator().manual_seed(0))
    before, after = (float(loss(image + step * direction, 0)) for step in (-2e-3, 2e-3))
    assert (after - before) / 4e-3 == pytest.approx(float((grad * direction).sum()), rel=0.02)


def test_patches_compare_only_the_pixels_by_statistics(network: Network):
    method, _ = method_of(network, "mrf")
    assert isinstance(method, PatchMethod)
    assert method.weights.style_shares() == {"pixels": 1.0}
    assert set(method.layers.style) == set(LAYERS)
    assert set(method.extractor.layers) == {"0", "2"}
