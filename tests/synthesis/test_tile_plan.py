"""Tiles: extrapolated from small images they are those of the large one; what they own covers every cell once."""

import pytest
import torch

from cnnviz.errors import InvalidRequest
from cnnviz.graph.receptive_field import ReceptiveField
from cnnviz.models.network import Network
from cnnviz.synthesis.tile_plan import LayerAxis, axis_spans, plan_tiles
from tests.support.networks import lite0

HALF = (0.5, 0.5, 0.5)


def lite() -> Network:
    return lite0()


class Thirds(torch.nn.Module):
    """Strides that are not powers of two, an upsampled map, and one of fixed size."""

    def __init__(self) -> None:
        super().__init__()
        self.one, self.two = torch.nn.Conv2d(3, 4, 5, 3, 1), torch.nn.MaxPool2d(3, 5, ceil_mode=True)
        self.up, self.fixed = torch.nn.ConvTranspose2d(4, 4, 2, 2), torch.nn.AdaptiveAvgPool2d(7)

    def forward(self, x):
        return self.fixed(self.up(self.two(self.one(x))))


def thirds() -> Network:
    return Network.from_module(Thirds(), (64, 64), HALF, HALF)


SMALL = [(lite, ["blocks.4"]), (lite, ["blocks.1", "blocks.3"]), (thirds, ["one"]), (thirds, ["two", "up"])]


@pytest.mark.parametrize(("network", "layers"), SMALL)
@pytest.mark.parametrize("size", [(997, 1311), (1000, 700), (90, 1024)])
def test_two_small_images_are_enough_for_the_tiles_of_a_large_one(network, layers, size, monkeypatch):
    extrapolated = plan_tiles(network(), layers, size, 300)
    asked = []
    monkeypatch.setattr("cnnviz.synthesis.tile_plan.extrapolate_layer", lambda *_: asked.append(1))
    assert extrapolated == plan_tiles(network(), layers, size, 300)
    assert asked


def test_a_layer_that_does_not_scale_is_computed_at_full_size():
    with pytest.raises(InvalidRequest, match="layer fixed sees the whole image"):
        plan_tiles(thirds(), ["fixed"], (997, 1311), 300)


@pytest.mark.parametrize("length", [100, 1000, 1003])
def test_tiles_own_every_cell_once_and_see_its_receptive_field(length):
    field = ReceptiveField(8, -20, 27)
    layer = LayerAxis("a", field, -(-length // 8))
    spans = axis_spans([layer], length, 8, 256)
    cells = [span.cells["a"] for span in spans]
    assert [cell.first for cell in cells] == [0, *(cell.last for cell in cells[:-1])]
    assert cells[-1].last == layer.count
    for span, cell in zip(spans, cells, strict=True):
        assert span.start <= max(0, cell.first * 8 - 20)
        assert span.stop >= min(length, (cell.last - 1) * 8 + 28)
