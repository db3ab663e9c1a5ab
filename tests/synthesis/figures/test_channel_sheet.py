"""The sheet of channels: a tile each, or a row each with several images."""

import pytest
import torch

from cnnviz.synthesis.figures.channel_sheet import draw_channels
from cnnviz.synthesis.visualize import Visualization
from tests.support.figures import patches, words


def result(units: int, diversity: int, unit: str = "channel", done: int = 4) -> Visualization:
    tensor = (torch.arange(units * diversity) / 60).view(units, diversity, 1, 1, 1).expand(-1, -1, 3, 48, 48)
    return Visualization(
        tensor, torch.full((units, diversity), 26.6), "blocks.4", unit, tuple(range(units)), done, 4
    )  # fmt: skip


@pytest.mark.parametrize(("units", "diversity"), [(3, 1), (2, 3), (30, 1)])
def test_a_sheet_shows_every_image(units, diversity):
    shown = patches(draw_channels(result(units, diversity), "resnet50"))
    assert shown == [(round(255 * n / 60),) * 3 for n in range(units * diversity)]


@pytest.mark.parametrize(("units", "diversity", "rows"), [(2, 3, 2), (1, 3, 1), (1, 30, 3), (3, 1, 1), (24, 1, 4)])
def test_several_units_with_several_images_have_a_row_each_others_are_a_grid(units, diversity, rows):
    figure = draw_channels(result(units, diversity), "resnet50")
    assert len({round(axes.get_position().y0, 6) for axes in figure.axes}) == rows


@pytest.mark.parametrize(
    ("unit", "title", "value"),
    [
        ("channel", "Images that maximise channels of blocks.4", "mean activation 26.6"),
        ("neuron", "Images that maximise neurons of blocks.4", "activation 26.6"),
    ],
)
def test_values_have_their_name(unit, title, value):
    written = words(draw_channels(result(4, 1, unit), "resnet50"))
    assert written[0] == title
    assert written[1].startswith("ResNet-50. Optimised from noise.")
    assert written.count(value) == 4
    assert {"channel 0", "channel 3"} <= set(written)


def test_a_direction_has_one_image_and_narrow_tiles_the_number_alone():
    written = words(draw_channels(result(1, 1, "direction"), "resnet50"))
    assert {"Image that maximises a direction of blocks.4", "direction", "objective 26.6"} <= set(written)
    assert words(draw_channels(result(20, 1), "resnet50")).count("26.6") == 20


def test_a_stopped_run_says_so():
    assert "Partial result: 3 of 4 steps." in words(draw_channels(result(1, 1, done=3), "resnet50"))
    assert not any("Partial" in written for written in words(draw_channels(result(1, 1), "resnet50")))
