"""Colours over a photo mean what they say, lie where they belong, and strips leave no seams."""

import subprocess
import sys

import numpy as np

from cnnviz.figures.overlay import OUTSIDE, STRIP, draw_overlay, draw_overlays
from cnnviz.figures.scale import Scale, map_ground
from cnnviz.models.preprocess import Geometry


def photo(height: int = 60, width: int = 90) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)


def whole(height: int, width: int, size: int = 8) -> Geometry:
    return Geometry((height, width), (size, size), (0, 0), (size, size))


def test_zero_is_the_grey_photo_red_is_positive_blue_negative():
    flat, geometry = np.full((1, 3, 3), 100, np.uint8), Geometry((1, 3), (1, 3), (0, 0), (1, 3))
    drawn = draw_overlay(flat, geometry, np.array([[1.0, 0.0, -1.0]], np.float32), Scale(-1, 1))[0].astype(int)
    assert np.abs(drawn[1] - 255 * map_ground(flat)[0, 0, 0]).max() <= 0.51
    assert drawn[0][0] > drawn[0][1:].max() + 40
    assert drawn[2][2] > drawn[2][:2].max() + 20


def test_what_the_network_does_not_see_is_darker():
    flat = np.full((10, 20, 3), 200, np.uint8)
    geometry = Geometry((10, 20), (10, 20), (0, 5), (10, 10))
    drawn = draw_overlay(flat, geometry, np.zeros((10, 10), np.float32), Scale(-1, 1))
    ground = 255 * map_ground(flat)[0, 0, 0]
    assert np.abs(drawn[:, 5:15] - ground).max() <= 0.51
    assert np.abs(drawn[:, [*range(5), *range(15, 20)]] - OUTSIDE * ground).max() <= 0.51


def test_strips_leave_no_seam():
    tall, geometry = photo(2 * STRIP + 50, 7), whole(2 * STRIP + 50, 7)
    values = np.random.default_rng(1).standard_normal((8, 8)).astype(np.float32)
    at_once = Scale(-1, 1).over(map_ground(tall), geometry.to_photo(values))
    assert np.array_equal(draw_overlay(tall, geometry, values, Scale(-1, 1)), at_once)


def test_several_maps_stand_side_by_side_each_with_its_scale():
    picture, geometry = photo(), whole(60, 90)
    maps, scales = [np.full((8, 8), v, np.float32) for v in (0.1, 1.0)], [Scale(-1, 1), Scale(0, 2, "cividis")]
    both = draw_overlays(picture, geometry, maps, scales)
    assert both.shape == (60, 180, 3)
    for index in range(2):
        alone = draw_overlay(picture, geometry, maps[index], scales[index])
        assert np.array_equal(both[:, 90 * index : 90 * (index + 1)], alone)


def test_matplotlib_is_not_imported():
    code = (
        "import sys, cnnviz.figures.overlay, cnnviz.features.figures.projections_bare\n"
        "assert 'matplotlib' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
