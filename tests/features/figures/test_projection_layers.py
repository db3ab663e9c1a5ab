"""The figure of several layers: a row for each with its name, the input, and patches beside projections."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from matplotlib.colors import to_hex

from cnnviz.features.deconvnet import Projection
from cnnviz.features.figures.projection_layers import broken_name, draw_projection_layers
from cnnviz.features.figures.projections import ProjectionView
from cnnviz.features.projections import ProjectedUnit, UnitRegion
from cnnviz.figures.style import CATEGORIES, NOTE
from cnnviz.figures.text import width
from tests.support.figures import pictures, words
from tests.support.networks import two_layers

NETWORK = two_layers()


def unit(layer: str, channel: int) -> ProjectedUnit:
    found = Projection(torch.zeros(1, 3, 60, 60), layer, channel, (1, 1), 33.61)
    box = (10 * channel, 0, 10 * channel + 8, 8)
    part = np.ones((3, 8, 8), np.float32)
    return ProjectedUnit(found, UnitRegion(box, effective=True), np.full((3, 8, 8), 0.2, np.float32), part)


def draw(count: int = 2, view: ProjectionView = ProjectionView("guided")):
    rows = [[unit(layer, channel) for channel in range(count)] for layer in ("deep.0", "deep")]
    return draw_projection_layers(np.full((3, 60, 60), 0.6, np.float32), NETWORK, torch.tensor([0.0, 1.0]), rows, view)


def test_a_row_has_the_input_then_each_patch_left_of_its_projection():
    row = [153, 51, 255, 51, 255]
    assert [image[5, 5, 0] for image in pictures(draw())] == row * 2


def test_boxes_and_frames_have_the_colour_of_their_unit():
    figure = draw()
    boxes = [to_hex(patch.get_edgecolor()) for patch in figure.axes[0].patches]
    assert [colour for colour in boxes if colour != "#ffffff"] == list(CATEGORIES[:2])
    assert [to_hex(axes.patches[0].get_edgecolor()) for axes in figure.axes[1:5:2]] == list(CATEGORIES[:2])


def test_words_name_the_layers_the_channels_and_how_they_were_projected():
    said = words(draw())
    assert {"What activates 2 layers of EfficientNet-Lite0", "Layer 1 of 2", "deep.0", "deep", "stride 2 px",
            "channel 0", "channel 1", "33.6"} <= set(said)  # fmt: skip
    assert "guided projection." in " ".join(said)
    assert "max pools" not in " ".join(said)
    explained = " ".join(words(draw(view=ProjectionView("guided", for_want_of_pools=True))))
    assert "guided projection (the network has no max pools)." in explained


def test_more_than_four_channels_break_into_lines_of_equal_length():
    figure = draw(6)
    lefts = {round(axes.get_position().x0, 3) for axes in figure.axes}
    assert len(lefts) == 1 + 2 * 3


def test_outputs_are_named_by_their_class():
    rows = [[replace(unit("deep", 0), projection=replace(unit("last", 1).projection))]]
    figure = draw_projection_layers(np.zeros((3, 60, 60), np.float32), NETWORK, torch.zeros(2), rows,
                                    ProjectionView("guided"))  # fmt: skip
    assert "kind 1 (1)" in words(figure)


@pytest.mark.parametrize("name", ["features.denseblock4.denselayer16.relu2", "bn2", "a.b", "x" * 90])
def test_a_name_is_broken_after_dots_where_it_is_too_long(name):
    lines = broken_name(name, 1.3)
    assert "".join(lines) == name
    assert all(width(line, NOTE) <= 1.3 or "." not in line[:-1] for line in lines)
    assert len(lines) > 1 or len(name) < 20 or "." not in name
