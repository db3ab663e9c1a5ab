"""The sheet of channels: a tile each, a row each with several images; alone the images side by side."""

import numpy as np
import pytest
import torch

from cnnviz.synthesis.figures import channel_sheet
from cnnviz.synthesis.visualize import Visualization


def result(units: int, diversity: int, unit: str = "channel") -> Visualization:
    tensor = (torch.arange(units * diversity) / 20).view(units, diversity, 1, 1, 1).expand(-1, -1, 3, 48, 48)
    return Visualization(tensor, torch.ones(units, diversity), "conv", unit, tuple(range(units)), 3, 4)


@pytest.mark.parametrize(("units", "diversity", "shape"), [(1, 1, (48, 48)), (4, 1, (96, 96)), (2, 3, (96, 144))])
def test_bare_images_are_tiled(units, diversity, shape):
    tiles = channel_sheet.tile_images(result(units, diversity))
    assert tiles.shape == (*shape, 3)
    assert {int(value) for value in np.unique(tiles)} == {round(255 * n / 20) for n in range(units * diversity)}


@pytest.mark.parametrize(("units", "diversity", "unit"), [(3, 1, "channel"), (2, 3, "neuron"), (1, 1, "direction")])
def test_a_sheet_shows_every_image(units, diversity, unit):
    sheet = channel_sheet.draw(result(units, diversity, unit), "net")
    for number in range(units * diversity):
        assert (sheet == round(255 * number / 20)).all(-1).sum() >= 48 * 48
