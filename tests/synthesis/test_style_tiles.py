"""Which images are taken in tiles."""

import pytest
import torch
from torch import nn

from cnnviz.errors import InvalidRequest
from cnnviz.models.features import FeatureExtractor
from cnnviz.models.network import Network
from cnnviz.synthesis.style_tiles import split_image, tile_side


def test_images_above_two_megapixels_are_taken_in_tiles():
    assert tile_side(torch.empty(1, 3, 1024, 2048)) is None
    assert tile_side(torch.empty(1, 3, 1025, 2048)) == 768


def test_a_layer_that_sees_the_whole_image_has_no_tiles():
    class Centered(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x - x.mean((2, 3), keepdim=True)

    body = [nn.Conv2d(3, 4, 3), Centered(), nn.AdaptiveAvgPool2d(1), nn.Flatten()]
    network = Network.from_module(nn.Sequential(*body), (32, 32), (0.5,) * 3, (0.5,) * 3)
    with pytest.raises(InvalidRequest, match="network has layers without exact tiles: take images of at most"):
        split_image(FeatureExtractor(network, ["1"]), torch.empty(1, 3, 200, 200), 64)
