"""Maps as they are drawn: smoothed, each with its scale, and over the photo without a frame."""

import subprocess
import sys

import numpy as np
import pytest
import torch

from cnnviz import fit
from cnnviz.attribution.backprop import Attribution
from cnnviz.attribution.figures.shown_maps import (
    attribution_overlays,
    is_pixelwise,
    occlusion_on,
    occlusion_overlays,
    occlusion_scale,
    sampled,
    shown_maps,
)
from tests.attribution.figures.test_attribution_maps import NAMES, NETWORK, PHOTO, attribution
from tests.attribution.figures.test_occlusion_maps import occluded


def test_each_map_has_its_own_scale_and_smoothgrad_loses_its_median() -> None:
    flat = torch.ones(1, 20, 20)
    flat[0, 5, 5] = 11
    found = {
        name: Attribution(flat, name == "guided", (4,), torch.zeros(9)) for name in ("grad-cam", "smoothgrad", "guided")
    }
    cam, smooth, guided = shown_maps(found)
    assert cam.values.max() == 11
    assert np.median(smooth.values) == 0
    assert smooth.values.max() == pytest.approx(10 / (2 * np.pi * 1.2**2), rel=0.01)
    assert smooth.values.sum() == pytest.approx(10, rel=0.01)
    assert (cam.scale.low, guided.scale.low) == (0, -guided.scale.high)
    assert [one.target for one in (cam, smooth, guided)] == [4] * 3


@pytest.mark.parametrize(
    ("methods", "classes", "size"),
    [(1, 1, (1, 1)), (2, 1, (1, 2)), (1, 2, (1, 2)), (2, 2, (2, 2)), (5, 1, (2, 3)), (1, 6, (2, 3))],
)
def test_bare_overlays_stand_in_rows_at_the_photos_size(methods, classes, size) -> None:
    found = dict.fromkeys(NAMES[:methods], attribution(classes))
    image = attribution_overlays(PHOTO, fit(PHOTO, NETWORK)[1], found)
    assert image.shape == (size[0] * 30, size[1] * 40, 3)
    assert (image[-1, -1] == 255).all() == (methods == 5)  # a place left over


def test_maps_of_windows_are_linear_between_their_cells_and_those_of_pixels_are_blurred() -> None:
    cells = np.array([[0.0, 4.0], [2.0, 6.0]], np.float32).repeat(4, 0).repeat(4, 1)
    assert not is_pixelwise(cells)
    np.testing.assert_allclose(sampled(cells, np.array([1.5, 3.5]), np.array([1.5, 5.5])), [[0, 4], [1, 5]])
    dot = np.random.default_rng(0).random((9, 9)).astype(np.float32)
    assert is_pixelwise(dot)
    assert sampled(dot, np.arange(9.0), np.arange(9.0)).std() < dot.std() / 2
    dot[0, 0] = np.nan
    assert not is_pixelwise(dot)
    np.testing.assert_array_equal(sampled(dot, np.arange(9.0), np.arange(9.0)), dot)


def test_the_drawn_map_meets_the_measured_cells_and_exceeds_none() -> None:
    _, _, _, result = occluded()
    values = result.maps[0].numpy()
    rows, columns = result.grid.cells()
    measured = values[np.ix_(rows.astype(int), columns.astype(int))]
    np.testing.assert_allclose(occlusion_on(values, result, rows, columns), measured, rtol=1e-5, atol=1e-9)
    drawn = occlusion_on(values, result, np.linspace(-0.5, 31.5, 300), np.linspace(-0.5, 31.5, 300))
    assert measured.min() - 1e-7 <= drawn.min()
    assert drawn.max() <= measured.max() + 1e-7


def test_an_end_of_the_scale_is_round_and_holds_every_value() -> None:
    scale = occlusion_scale([np.array([0.083]), np.array([-0.14, np.nan])])
    assert (scale.low, scale.high) == pytest.approx((-0.15, 0.15))


def test_bare_overlays_have_the_photos_size_side_by_side() -> None:
    _, photo, geometry, result = occluded()
    smooth, cells = (occlusion_overlays(photo, geometry, result, cells=cells) for cells in (False, True))
    assert smooth.shape == cells.shape == (60, 180, 3)
    assert not np.array_equal(smooth, cells)


def test_bare_overlays_need_no_matplotlib() -> None:
    script = "import sys, cnnviz.attribution.figures.shown_maps; assert 'matplotlib' not in sys.modules"
    subprocess.run([sys.executable, "-c", script], check=True, timeout=120)
