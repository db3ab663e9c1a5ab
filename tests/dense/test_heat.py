"""Heat maps: what is in the photo is at its place in the map, whatever its shape; scales, peaks and refusals."""

import numpy as np
import pytest
import torch

import cnnviz
from cnnviz import Network
from cnnviz.dense.heat import HeatGrid, heat, whole_geometry
from cnnviz.errors import InvalidRequest, MethodError
from tests.support.dense_networks import FullyConnected, Red, dense_network


def red() -> Network:
    return dense_network(Red(), double=False)


def ramp(height: int, width: int, axis: int) -> np.ndarray:
    """A photo whose red rises along an axis, from 0 to 255."""
    line = np.linspace(0, 255, (height, width)[axis])
    photo = np.zeros((height, width, 3))
    photo[..., 0] = line[:, None] if axis == 0 else line
    return photo.round().astype(np.uint8)


@pytest.mark.parametrize("shape", [(100, 333), (333, 100), (90, 90), (61, 200)])
@pytest.mark.parametrize("axis", [0, 1])
def test_a_ramp_stays_a_ramp_at_the_photos_own_pixels(shape, axis):
    photo = ramp(*shape, axis)
    found = heat(red(), photo, targets=[0], sizes=(96,))
    values = found.geometry.to_photo(found.maps.numpy())[0]
    assert values.shape == shape
    inner = [slice(side // 6, -side // 6) for side in shape]
    step = 10 / shape[axis]  # the logit of one pixel of the photo
    assert np.abs(values - photo[..., 0] / 25.5)[inner[0], inner[1]].max() < step
    peak = found.peaks[0]
    assert (peak.y, peak.x)[axis] >= shape[axis] * 0.9
    assert peak.value == pytest.approx(float(found.maps.max()))


def test_the_sides_are_rounded_each_by_itself():
    geometry = whole_geometry(red(), np.zeros((100, 333, 3), np.uint8), 96)
    assert (geometry.size, geometry.photo) == ((96, 320), (100, 333))


def test_between_places_the_map_is_linear_and_constant_beyond_the_last():
    grid = HeatGrid(np.array([[[0, 8], [4, 12]]], np.float32), (16, 16), 8, (4.0, 4.0))
    values = grid.sample((16, 16))[0]
    np.testing.assert_allclose(values[:4, :4], 0)
    np.testing.assert_allclose(values[-4:, -4:], 12)
    np.testing.assert_allclose(np.diff(values[0, 4:12]), 1)
    assert values[4, 0] == 0.25  # half a pixel beyond the first centre
    np.testing.assert_allclose(grid.sample((32, 8)).mean(), 6)


def test_the_classes_are_those_of_the_ordinary_input():
    photo = np.zeros((64, 64, 3), np.uint8)
    photo[..., 1] = 200
    found = heat(red(), photo)
    assert found.targets == (1,)
    assert found.probabilities[0] == pytest.approx(float(found.logits.double().softmax(0)[1]))
    both = cnnviz.heat(red(), photo, targets=[1, 0])
    assert both.maps.shape == (2, 448, 448)
    assert [round(peak.value, 3) for peak in both.peaks] == [round(2000 / 255, 3), 0]


def test_several_scales_are_the_geometric_mean_of_positive_logits():
    photo = np.random.default_rng(0).integers(0, 256, (96, 160, 3)).astype(np.uint8)
    sizes, reports = (96, 192), []
    found = heat(red(), photo, targets=[0], sizes=sizes, control=cnnviz.Control(lambda *done: reports.append(done[:2])))
    assert found.maps.shape == (1, 192, 320)
    first, second = (heat(red(), photo, targets=[0], sizes=(size,)).grids[0].sample((192, 320)) for size in sizes)
    np.testing.assert_allclose(found.maps.numpy(), np.sqrt(first.clip(0.5) * second.clip(0.5)), rtol=1e-5)
    assert reports == [(1, 2), (2, 2)]
    opposed = heat(dense_network(Red(-10.0), double=False), photo, targets=[0], sizes=sizes)
    np.testing.assert_allclose(opposed.maps.numpy(), 0.5, rtol=1e-5)


def test_the_mean_of_the_places_is_the_logit_of_the_resized_photo():
    photo = np.random.default_rng(0).integers(0, 256, (80, 120, 3)).astype(np.uint8)
    network = red()
    found = heat(network, photo, targets=[0, 1], sizes=(96,))
    with torch.no_grad():
        wanted = network(found.inputs)[0].numpy()
    np.testing.assert_allclose(found.grids[0].values.mean((1, 2)), wanted, rtol=1e-5)


def test_what_does_not_fit_is_refused():
    photo = np.zeros((64, 64, 3), np.uint8)
    for settings in ({"sizes": ()}, {"sizes": (0,)}, {"targets": [2]}, {"stride": 3}):
        with pytest.raises(InvalidRequest):
            heat(red(), photo, **settings)
    with pytest.raises(MethodError, match="becomes 67200x448 pixels"):
        heat(red(), np.zeros((20, 3000, 3), np.uint8), fit_mode="pad")
    with pytest.raises(MethodError, match="fully connected layers see"):
        heat(dense_network(FullyConnected(), double=False), photo, sizes=(32,))
