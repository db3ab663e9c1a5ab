"""Colour tables, colour bars and scales."""

import numpy as np
import pytest

from cnnviz.errors import InvalidRequest
from cnnviz.figures import colormap
from cnnviz.figures.palette import BAR


def test_colour_tables_have_their_known_ends():
    signed = colormap.color_table("signed")
    assert tuple(signed[0]) == (0x05, 0x30, 0x61)
    assert tuple(signed[255]) == (0x67, 0x00, 0x1F)
    viridis = colormap.color_table("viridis").astype(int)
    assert np.abs(viridis[0] - (68, 1, 84)).max() <= 2
    assert np.abs(viridis[255] - (253, 231, 37)).max() <= 2
    with pytest.raises(InvalidRequest, match="no colour map"):
        colormap.color_table("mauve")


def test_the_end_of_a_scale_is_set_by_no_lone_pixel():
    values = np.ones((100, 100), np.float32)
    values[0, 0], values[0, 1] = -1000, np.nan
    assert colormap.percentile_scale(values) == 1
    assert colormap.percentile_scale(np.eye(30, dtype=np.float32)[:, :1] * 5) == pytest.approx(5, rel=0.5)
    assert colormap.percentile_scale(np.zeros((3, 3), np.float32)) > 0
    assert colormap.percentile_scale(np.full((3, 3), np.nan, np.float32)) > 0


def test_a_colour_bar_has_its_ends_at_top_and_bottom_and_zero_between():
    canvas = np.full((300, 200, 3), 255, np.uint8)
    colormap.color_bar(canvas, -2.0, 2.0, "drop", "signed", 16)
    table, bar = colormap.color_table("signed"), canvas[:, 5]
    assert np.array_equal(bar[[0, -1]], table[[255, 0]])
    assert np.abs(bar[150].astype(int) - BAR).max() <= 8
    assert canvas[:, 20:].min() < 100  # its numbers and label
    one_sided = colormap.colorize(np.array([0.0, 5.0]), 0.0, 5.0, "viridis")
    assert np.array_equal(one_sided, colormap.color_table("viridis")[[0, 255]])
