"""Depth whose answer is known: brightness as depth, ramps, planes."""

import numpy as np
import pytest

import cnnviz
from cnnviz import depth
from cnnviz.errors import InvalidRequest, MethodError
from tests.support import results
from tests.support.depth_networks import Brightness, Plane, aligned_error, estimator


def test_the_values_are_the_networks_own_where_nothing_is_resized():
    photo = np.random.default_rng(0).integers(0, 256, (32, 48, 3), np.uint8)
    found = depth(estimator(Brightness()), photo)
    np.testing.assert_allclose(found.values, photo.mean(2) / 255, atol=1e-6)
    assert (found.size, found.kind) == ((32, 48), "inverse")
    assert (found.near, found.far) == (found.high, found.low)
    assert depth(estimator(Brightness(), kind="metres"), photo).near == found.low


@pytest.mark.parametrize("width", [256, 130, 90])
def test_a_ramp_stays_a_ramp_within_a_pixel(width):
    ramp = np.linspace(0, 255, width)
    photo = np.rint(ramp)[None, :, None].repeat(60, 0).repeat(3, 2).astype(np.uint8)
    found = depth(estimator(Brightness(), side=32), photo)
    places = found.values * (width - 1)
    assert np.abs(places - np.arange(width)).max() <= 1


@pytest.mark.parametrize("size", [(32, 32), (64, 96), (50, 70)])
def test_a_plane_stays_a_plane(size):
    found = depth(estimator(Plane()), np.zeros((*size, 3), np.uint8))
    margin = [max(1, round(side / own / 2)) if side > own else 0 for side, own in zip(size, found.size, strict=True)]
    ys, xs = np.mgrid[: size[0], : size[1]]
    truth = 2 * xs / size[1] + 0.5 * ys / size[0]
    inner = tuple(slice(edge, side - edge) for edge, side in zip(margin, size, strict=True))
    assert aligned_error(found.values[inner], truth[inner]) < 1e-6


def test_levels_run_from_the_smallest_value_to_the_largest():
    found = depth(estimator(Brightness()), np.arange(0, 256, 8, np.uint8)[None, :, None].repeat(32, 0).repeat(3, 2))
    levels = found.levels()
    assert (levels.dtype, levels.min(), levels.max()) == (np.uint16, 0, 65535)
    back = found.low + levels * ((found.high - found.low) / 65535)
    assert np.abs(back - found.values).max() <= (found.high - found.low) / 65535
    assert not depth(estimator(Brightness()), np.full((32, 32, 3), 7, np.uint8)).levels().any()


@pytest.mark.parametrize("size", [(20, 3000), (16, 16), (1, 1), (300, 7)])
def test_photos_of_any_shape(size):
    found = depth(estimator(Brightness()), np.full((*size, 3), 51, np.uint8))
    assert found.values.shape == size
    np.testing.assert_allclose(found.values, 0.2, atol=1e-6)


def test_other_networks_are_refused():
    with pytest.raises(InvalidRequest, match="estimates no depth"):
        depth(results.network(), results.photo("tiny"))
    broken = estimator(Brightness())
    broken.module.forward = lambda x: x.mean(1) / 0
    with pytest.raises(MethodError, match="not finite"):
        depth(broken, results.photo("tiny"))


def test_arrays_and_figure():
    found = results.depth("grey")
    assert found.arrays()["depth"] is found.values
    assert str(found.arrays()["kind"]) == "inverse"
    assert cnnviz.figure(found).canvas.get_width_height()[0] == 1920
