"""The sheet of channels: a tile each, or a row each with several images."""

import numpy as np
import pytest
import torch

from cnnviz.features.projections import UnitRegion
from cnnviz.features.top_images import TopImage, TopImages
from cnnviz.synthesis.figures.channel_sheet import draw_channels
from cnnviz.synthesis.visualize import Visualization
from tests.support.figures import patches, words
from tests.support.layout import faults
from tests.support.networks import two_layers

NETWORK = two_layers("resnet50")


def result(units: int, diversity: int, unit: str = "channel", done: int = 4) -> Visualization:
    tensor = (torch.arange(units * diversity) / 60).view(units, diversity, 1, 1, 1).expand(-1, -1, 3, 48, 48)
    return Visualization(
        tensor, torch.full((units, diversity), 26.6), "deep", unit, tuple(range(units)), done, 4
    )  # fmt: skip


def examples(units: int, photos: int) -> TopImages:
    """Patches whose grey is 100, 101, 102, ... / 255, in the order of the channels and of their ranks."""

    def hit(channel: int, rank: int) -> TopImage:
        grey = np.full((3, 16, 16), (100 + channel * photos + rank) / 255, np.float32)
        return TopImage(rank, (0, 0), 9.5 - rank, UnitRegion((0, 0, 16, 16), effective=True), grey, grey)

    channels = {channel: tuple(hit(channel, rank) for rank in range(photos)) for channel in range(units)}
    return TopImages("blocks.4", photos, channels, {})


@pytest.mark.parametrize(("units", "diversity", "photos"), [(1, 1, 3), (2, 1, 3), (2, 3, 2), (5, 1, 2), (25, 1, 1)])
def test_patches_follow_the_images_of_their_channel(units, diversity, photos):
    figure = draw_channels(result(units, diversity), NETWORK, examples=examples(units, photos))
    expected = [
        (grey,) * 3
        for unit in range(units)
        for grey in (*(round(255 * (unit * diversity + n) / 60) for n in range(diversity)),
                     *(100 + unit * photos + n for n in range(photos)))
    ]  # fmt: skip
    assert patches(figure) == expected
    assert faults(figure) == []
    title = "channel 0" if units == 1 else f"{units} channels"
    assert words(figure)[0] == f"What activates {title} of deep"


def test_patches_have_their_activation_and_say_what_was_searched():
    written = words(draw_channels(result(2, 1), NETWORK, examples=examples(2, 3)))
    assert [written.count(value) for value in ("9.5", "8.5", "7.5", "mean activation 26.6")] == [2, 2, 2, 2]
    assert "the strongest patches of 3 photos" in " ".join(written)


@pytest.mark.parametrize(("units", "diversity"), [(3, 1), (2, 3), (30, 1)])
def test_a_sheet_shows_every_image(units, diversity):
    shown = patches(draw_channels(result(units, diversity), NETWORK))
    assert shown == [(round(255 * n / 60),) * 3 for n in range(units * diversity)]


@pytest.mark.parametrize(
    ("units", "diversity", "rows"), [(2, 3, 2), (1, 3, 1), (1, 30, 3), (3, 1, 1), (24, 1, 4), (13, 1, 3)]
)
def test_several_units_with_several_images_have_a_row_each_others_are_a_grid(units, diversity, rows):
    figure = draw_channels(result(units, diversity), NETWORK)
    assert len({round(axes.get_position().y0, 6) for axes in figure.axes}) == rows


@pytest.mark.parametrize(
    ("unit", "title", "value"),
    [
        ("channel", "Images that maximise channels of deep", "mean activation 26.6"),
        ("neuron", "Images that maximise neurons of deep", "activation 26.6"),
    ],
)
def test_values_have_their_name(unit, title, value):
    written = words(draw_channels(result(4, 1, unit), NETWORK))
    assert written[0] == title
    assert written[1].startswith("ResNet-50, deep (layer 1 of 2, stride 2 px). Optimised from noise.")
    assert written.count(value) == 4
    assert {"channel 0", "channel 3"} <= set(written)


def test_a_direction_has_one_image_and_narrow_tiles_the_number_alone():
    written = words(draw_channels(result(1, 1, "direction"), NETWORK))
    assert {"Image that maximises a direction of deep", "direction", "objective 26.6"} <= set(written)
    assert words(draw_channels(result(20, 1), NETWORK)).count("26.6") == 20


def test_a_stopped_run_says_so():
    assert "Partial result: 3 of 4 steps." in words(draw_channels(result(1, 1, done=3), NETWORK))
    assert not any("Partial" in written for written in words(draw_channels(result(1, 1), NETWORK)))
