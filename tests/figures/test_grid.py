"""Grids: tiles unchanged at their places, whole square pixels, numbered axes."""

import numpy as np
import pytest

from cnnviz.figures import grid
from cnnviz.figures.colormap import color_table
from cnnviz.figures.palette import BAR


def flat(*colour: int, high: int = 3, wide: int = 3) -> np.ndarray:
    return np.full((high, wide, 3), colour, np.uint8)


def area(picture: np.ndarray, colour: tuple[int, int, int]) -> tuple[int, int, int, int]:
    """Return where a colour lies: top, left, bottom, right; all of it has that colour."""
    ys, xs = np.nonzero((picture == colour).all(-1))
    top, left, bottom, right = ys.min(), xs.min(), ys.max() + 1, xs.max() + 1
    assert len(ys) == (bottom - top) * (right - left)
    return int(top), int(left), int(bottom), int(right)


@pytest.mark.parametrize(("count", "across"), [(1, 1), (3, 3), (32, 8), (96, 16), (17, 7)])
def test_columns_leave_no_gaps_where_that_can_be(count, across):
    assert grid.columns(count) == across


@pytest.mark.parametrize("across", [1, 8, 24, 40])
def test_enlarging_repeats_pixels_as_they_are(across):
    picture = np.random.default_rng(0).integers(0, 256, (3, 5, 3), dtype=np.uint8)
    large = grid.enlarge_tile(picture, across)
    factor = large.shape[1] // 5
    assert large.shape == (3 * factor, 5 * factor, 3)
    assert np.array_equal(large[::factor, ::factor], picture)
    assert np.array_equal(large[factor - 1 :: factor, factor - 1 :: factor], picture)


def test_what_is_too_large_becomes_means():
    values = np.arange(60, dtype=np.float32).reshape(6, 10)
    expected = values.reshape(2, 3, 10)[:, :, :9].reshape(2, 3, 3, 3).mean((1, 3))
    small = grid.enlarge_nearest(values, 3)
    assert small.shape == (2, 4)
    np.testing.assert_allclose(small[:, :3], expected)
    np.testing.assert_allclose(small[:, 3], values[:, 9].reshape(2, 3).mean(1))  # of what is left
    assert np.array_equal(grid.enlarge_nearest(values, 9), values)


def test_tiles_stand_row_by_row_and_words_do_not_touch_them():
    colours = [(200, 0, 0), (0, 200, 0), (0, 0, 200)]
    made = [grid.Tile(flat(*colour, high=40, wide=60), "12", "max 1") for colour in colours]
    picture = grid.draw_grid(made, 2, "title", "line")
    red, green, blue = (area(picture, colour) for colour in colours)
    assert [(place[2] - place[0], place[3] - place[1]) for place in (red, green, blue)] == [(40, 60)] * 3
    assert red[0] == green[0] < red[2] < blue[0]
    assert red[1] == blue[1] < red[3] < green[1]
    bare = grid.draw_grid([grid.Tile(tile.picture) for tile in made], 2, "title", "line")
    assert len(bare) < len(picture)


def test_a_bar_and_rows_stand_beside_the_tiles():
    made = [grid.Tile(flat(200, 0, 0, high=200, wide=60))]
    bar = grid.Bar(0.0, 2.0, "activation", "viridis")
    picture = grid.draw_grid(made, 1, "", "", rows=["row 7"], bar=bar)
    top, left, bottom, right = area(picture, (200, 0, 0))
    plain = grid.draw_grid(made, 1, "", "")
    assert left > area(plain, (200, 0, 0))[1]
    viridis = color_table("viridis")
    column = picture[top:bottom, right + 16]
    assert np.array_equal(column[[0, -1]], viridis[[255, 0]])


@pytest.mark.parametrize("shape", [(4, 9), (9, 4)])
def test_a_matrix_lies_with_its_longer_side_across_and_every_cell_is_square(shape):
    values = np.zeros(shape, np.float32)
    values[(1, 7) if shape == (4, 9) else (7, 1)] = 2.0
    picture = grid.draw_matrix(values, 2.0, "down", "across", range(shape[0]))
    red = tuple(int(part) for part in color_table("signed")[255])
    top, left, bottom, right = area(picture, red)
    assert bottom - top == right - left
    side, zero = bottom - top, area(picture[:, :left], BAR)
    assert (top - zero[0], left - zero[1]) == (side, 7 * side)


def test_steps_of_axes():
    assert [grid.tick_step(least) for least in (0.2, 1, 1.1, 4.2, 42, 900)] == [1, 1, 2, 5, 50, 1000]
