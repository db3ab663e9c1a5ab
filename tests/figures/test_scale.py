"""Colours of values: the bar and the overlay agree, ends are round, outliers do not decide."""

import numpy as np
import pytest

from cnnviz.errors import InvalidRequest
from cnnviz.figures.scale import (
    COLORMAPS,
    MIDDLE,
    ROUND_STEPS,
    Scale,
    color_table,
    luma,
    map_ground,
    percentile_scale,
    rgb,
    round_end,
    signed_tile,
    summed_scale,
)


@pytest.mark.parametrize("scale", [Scale(-3.0, 3.0), Scale(0.0, 5.0), Scale(2.0, 7.0, "cividis")], ids=str)
def test_the_bars_colour_at_a_value_is_the_overlays(scale: Scale) -> None:
    bar = scale.bar(101)
    for place in (0, 13, 50, 77, 100):
        value = scale.low + (scale.high - scale.low) * place / 100
        overlay = scale.over(np.full((1, 1, 1), MIDDLE), np.full((1, 1), value))
        assert np.abs(bar[0, place].astype(int) - overlay[0, 0]).max() <= 1


def test_zero_is_the_photo_and_the_ends_are_the_strongest_colours() -> None:
    colours = Scale(-2.0, 2.0).rgba(np.array([-2.0, 0.0, 2.0, 9.0, np.nan]))
    assert colours[:, 3] == pytest.approx([0.88, 0, 0.88, 0.88, 0])
    np.testing.assert_allclose(colours[2], colours[3])  # beyond the end
    assert tuple(np.rint(colours[0, :3] * 255)) == rgb("#053061")
    assert tuple(np.rint(colours[2, :3] * 255)) == rgb("#67001f")
    assert Scale(0.0, 2.0).rgba(np.array([0.0, 1.0, 2.0]))[:, 3] == pytest.approx([0, 0.88 * 0.5**0.75, 0.88])


def test_the_unsigned_ramp_darkens_all_the_way() -> None:
    lightness = luma(color_table("unsigned")[None])[0, :, 0]
    assert (np.diff(lightness) <= 1e-6).all()


def test_colour_maps_by_name() -> None:
    assert all(color_table(name).shape == (256, 3) for name in COLORMAPS if name != "auto")
    with pytest.raises(InvalidRequest, match="no colour map"):
        color_table("rainbow")


@pytest.mark.parametrize(
    ("largest", "end"), [(14.2, 15), (0.083, 0.1), (1, 1), (3.01, 4), (9, 10), (0, 1), (np.nan, 1), (700, 800)]
)
def test_scales_have_round_ends(largest: float, end: float) -> None:
    assert round_end(largest) == pytest.approx(end)


def test_steps_are_1_2_or_5_times_a_power_of_ten() -> None:
    assert [round_end(least, ROUND_STEPS) for least in (0.2, 1, 1.1, 4.2, 42, 900)] == [0.2, 1, 2, 5, 50, 1000]


def test_scales_ignore_outliers_and_what_is_not_known() -> None:
    values = np.array([1.0] * 98 + [-2.0, np.nan])
    assert percentile_scale(values, 0.5) == 1
    assert summed_scale(values, 0.98) == 1
    assert summed_scale(np.array([3.0, -4.0, 3.0]), 0.98) == 4
    assert summed_scale(np.array([1.0, 1, 8]), 0.2) == 1
    assert summed_scale(np.zeros(3)) == summed_scale(np.array([np.nan])) == percentile_scale(np.zeros(3)) == 1


def test_the_ground_is_neither_black_nor_white() -> None:
    assert map_ground(np.zeros((1, 1, 3), np.uint8))[0, 0, 0] == pytest.approx(0.30)
    assert map_ground(np.full((1, 1, 3), 255, np.uint8))[0, 0, 0] == pytest.approx(0.97)


def test_signed_tiles_are_grey_at_zero() -> None:
    tile = signed_tile(np.array([[[-1.0, 0.0, 1.0]]]), 1.0)
    assert tile[0, :, 0].tolist() == [0, 128, 255]
    assert tile.shape == (1, 3, 3)
    assert signed_tile(np.zeros((3, 2, 2))).shape == (2, 2, 3)
