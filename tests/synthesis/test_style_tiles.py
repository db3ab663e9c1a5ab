"""Maps by tiles are those of the whole image."""

import pytest
import torch
from torch import nn

from cnnviz.errors import InvalidRequest
from cnnviz.models.features import FeatureExtractor
from cnnviz.models.network import Network
from cnnviz.synthesis.style_tiles import TiledMaps, tile_side
from tests.support.networks import lite0

LAYERS = ["bn1", "blocks.1.1", "blocks.2.1"]


def test_tiles_own_every_cell_once():
    extractor, image = FeatureExtractor(lite0(), LAYERS), torch.rand(1, 3, 300, 190)
    whole, tiled = (TiledMaps(extractor, (300, 190), tile) for tile in (None, 192))
    assert whole.single
    assert len(tiled.tiles) > 1
    maps = whole.whole_maps(image)
    for name, own in tiled.whole_maps(image).items():
        torch.testing.assert_close(own, maps[name], atol=1e-5, rtol=1e-5)
        counts = torch.zeros(1, 1, *maps[name].shape[2:])
        for tile in tiled.tiles:
            tile.cells(name, counts).add_(1)
        assert torch.equal(counts, torch.ones_like(counts))


def test_images_above_two_megapixels_are_taken_in_tiles():
    assert tile_side(torch.empty(1, 3, 1024, 2048)) is None
    assert tile_side(torch.empty(1, 3, 1025, 2048)) == 1024


def test_a_layer_that_sees_the_whole_image_has_no_tiles():
    class Centered(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x - x.mean((2, 3), keepdim=True)

    body = [nn.Conv2d(3, 4, 3), Centered(), nn.AdaptiveAvgPool2d(1), nn.Flatten()]
    network = Network.from_module(nn.Sequential(*body), (32, 32), (0.5,) * 3, (0.5,) * 3)
    with pytest.raises(InvalidRequest, match="network has layers without exact tiles: take images of at most"):
        TiledMaps(FeatureExtractor(network, ["1"]), (200, 200), 64)
