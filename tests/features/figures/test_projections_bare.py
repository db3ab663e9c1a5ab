"""Projections as images: 0 is grey, the ends of the scale are black and white."""

import numpy as np
import pytest

from cnnviz.features.figures.projections_bare import draw_bare_projections, pixels, projection_image
from cnnviz.figures.scale import PROJECTION_SHARE, percentile_scale

FULL = (255, 128, 0)  # of a projection of +1, 0 and -1 in red, green and blue, where the scale ends at 1


def flat(*colour: float, high: int = 5, wide: int = 5) -> np.ndarray:
    return np.tile(np.array(colour, np.float32)[:, None, None], (1, high, wide))


@pytest.mark.parametrize("scale", [1.0, 0.02, 40.0])
def test_in_colours_the_scales_ends_are_the_strongest(scale):
    image = projection_image(scale * flat(1, 0, -1), scale, colours=True)
    assert np.abs(image.astype(int) - FULL).max() <= 1  # 0.5 and 255.5 may be rounded either way
    beyond = projection_image(9 * scale * flat(1, 0, -1), scale, colours=True)
    assert np.abs(beyond.astype(int) - FULL).max() <= 1


def test_pixels_of_an_image_beyond_0_and_1_are_black_and_white():
    assert pixels(flat(-0.5, 0.4, 1.5))[0, 0].tolist() == [0, 102, 255]


def test_otherwise_the_mean_of_the_colours_is_grey():
    assert (projection_image(flat(3, 0, 0), 2.0) == 191).all()  # 127.5 + 127.5 / 2
    assert np.abs(projection_image(flat(1, 0, -1), 1.0).astype(int) - 128).max() <= 1


def test_bare_projections_stand_side_by_side_each_on_its_own_scale():
    parts = [flat(1, 1, 1, wide=4), 0.01 * flat(-1, -1, -1, wide=7), flat(0, 0, 0, wide=2)]
    image = draw_bare_projections([parts])
    assert image.shape == (5, 13, 3)
    assert image[0, :, 0].tolist() == [255] * 4 + [0] * 7 + [128] * 2
    assert draw_bare_projections([parts], colours=True).shape == (5, 13, 3)


def test_rows_stand_below_one_another_and_shorter_ones_end_in_grey():
    image = draw_bare_projections([[flat(1, 1, 1), flat(1, 1, 1)], [flat(-1, -1, -1)]])
    assert image.shape == (10, 10, 3)
    assert (image[:5] == 255).all()
    assert (image[5:, :5] == 0).all()
    assert (image[5:, 5:] == 128).all()


def test_a_stray_value_leaves_the_others_their_colour():
    values = flat(1, 1, 1, high=30, wide=30)
    values[:, 3, 4] = 1000
    assert (draw_bare_projections([[values]]) == 255).all()


def test_a_scale_takes_in_all_but_the_largest_two_of_a_thousand():
    values = np.random.default_rng(0).permutation(np.arange(1001))
    values = (values * np.where(values % 2, 1, -1)).astype(np.float32)
    assert percentile_scale(values, PROJECTION_SHARE) == pytest.approx(998)


def test_a_scale_of_zeros_divides_and_lone_values_among_zeros_are_its_end():
    assert percentile_scale(np.zeros((3, 4, 4), np.float32), PROJECTION_SHARE) == 1
    lone = np.zeros((3, 100, 100), np.float32)
    lone[1, 2, 3], lone[2, 5, 5] = -3, 2
    assert percentile_scale(lone, PROJECTION_SHARE) == 3
