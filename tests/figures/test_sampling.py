"""Maps between their cells: interpolation that meets every measured value, cells, a Gaussian."""

import numpy as np
import pytest

from cnnviz.figures.sampling import cells, gaussian, interpolate

RNG = np.random.default_rng(0)


def test_interpolation_meets_the_values_and_stays_between_neighbours() -> None:
    values, rows, columns = RNG.normal(size=(4, 5)), np.array([1.0, 4, 9, 11]), np.array([0.0, 2, 3, 7, 8])
    np.testing.assert_allclose(interpolate(values, rows, columns, rows, columns), values, rtol=1e-6)
    ys, xs = np.linspace(-3, 15, 73), np.linspace(-3, 12, 61)
    drawn = interpolate(values, rows, columns, ys, xs)
    row = (np.searchsorted(rows, ys) - 1).clip(0, 2)
    column = (np.searchsorted(columns, xs) - 1).clip(0, 3)
    corners = np.stack([values[row + a][:, column + b] for a in (0, 1) for b in (0, 1)])
    assert (drawn <= corners.max(0) + 1e-6).all()
    assert (drawn >= corners.min(0) - 1e-6).all()
    np.testing.assert_allclose(drawn[0, 0], values[0, 0], rtol=1e-6)  # constant outside
    np.testing.assert_allclose(interpolate(values, rows, columns, np.array([6.5]), rows[:1])[0, 0],
                               np.mean([values[1, :2].mean(), values[2, :2].mean()]), rtol=1e-6)  # fmt: skip


def test_one_row_of_values_is_constant_along_the_other_axis() -> None:
    drawn = interpolate(np.array([[1.0, 3.0]]), np.array([5.0]), np.array([0.0, 2]), np.arange(3.0), np.arange(3.0))
    np.testing.assert_allclose(drawn, [[1, 2, 3]] * 3)


def test_cells_are_the_runs_in_which_a_map_is_constant() -> None:
    values = np.repeat(np.repeat(RNG.normal(size=(2, 3)), [5, 5], 0), [1, 3, 2], 1)
    rows, columns = cells(values)
    np.testing.assert_allclose(rows, [2, 7])
    np.testing.assert_allclose(columns, [0, 2, 4.5])
    np.testing.assert_allclose(cells(RNG.normal(size=(3, 2)))[0], [0, 1, 2])


def test_a_gaussian_keeps_the_sum_and_spreads_a_point_evenly() -> None:
    point = np.zeros((21, 21), np.float32)
    point[10, 10] = 1
    blurred = gaussian(point, 1.2)
    assert blurred[10, 10] == pytest.approx(1 / (2 * np.pi * 1.2**2), rel=0.01)
    np.testing.assert_allclose(blurred, blurred.T, atol=1e-7)
    noise = RNG.normal(size=(7, 5)) + 3
    assert gaussian(noise, 1.2).sum() == pytest.approx(noise.sum(), rel=1e-5)  # at the borders too
    np.testing.assert_allclose(gaussian(np.full((4, 4), 2.0), 1.2), 2, rtol=1e-6)


def test_zeros_around_a_map_of_pixels_are_not_one_cell():
    values = np.zeros((64, 64))
    values[20:30, 20:30] = np.random.default_rng(0).random((10, 10))
    assert [len(centres) for centres in cells(values)] == [64, 64]
    border = np.random.default_rng(0).random((64, 64))
    border[:20] = 0
    assert [len(centres) for centres in cells(border)] == [64, 64]
    assert [len(centres) for centres in cells(np.kron(border[40:48, :8], np.ones((8, 8))))] == [8, 8]
