"""Maps by tiles are those of the whole image."""

import torch

from cnnviz.models.features import FeatureExtractor
from cnnviz.synthesis.tiled_maps import TiledMaps
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
