"""The pointing game on maps whose answer is plain."""

import pytest
import torch

from cnnviz.attribution.pointing_game import peak, peak_on_photo, pointing_game
from cnnviz.errors import InvalidRequest, MethodError
from cnnviz.models.preprocess import Geometry


def delta(y: int, x: int) -> torch.Tensor:
    values = torch.zeros(40, 60)
    values[y, x] = 2
    return values


MASK = torch.zeros(40, 60, dtype=torch.bool)
MASK[10:20, 10:30] = True


@pytest.mark.parametrize(("place", "distance"), [((15, 12), 0), ((10, 29), 0), ((20, 29), 1), ((23, 33), 32**0.5)])
def test_a_point_hits_inside_and_within_the_tolerance(place, distance):
    found = pointing_game(delta(*place), MASK, tolerance=1)
    assert found.peak == place
    assert found.distance == pytest.approx(distance)
    assert found.hit is (distance <= 1)
    assert found.energy == (1 if distance == 0 else 0)
    assert found.covered == pytest.approx(200 / 2400)


def test_energy_of_a_flat_map_is_the_masks_share_and_negative_values_do_not_count():
    assert pointing_game(torch.ones(40, 60), MASK).energy == pytest.approx(200 / 2400)
    values = torch.full((40, 60), -1.0)
    assert pointing_game(values, MASK).energy == 0
    values[15, 15], values[0, 0] = 3, 1
    assert pointing_game(values, MASK).energy == pytest.approx(0.75)


def test_what_the_network_did_not_see_is_left_out():
    values = torch.ones(40, 60)
    values[:, 20:] = torch.nan
    found = pointing_game(values, MASK)
    assert found.covered == found.energy == pytest.approx(100 / 800)
    with pytest.raises(MethodError, match="nothing of what the network sees"):
        pointing_game(torch.where(MASK, torch.nan, values), MASK)


def test_the_peak_of_a_flat_top_is_its_middle():
    values = torch.zeros(40, 60)
    values[4:9, 20:31] = 1
    assert peak(values) == (6, 25)
    assert peak(torch.zeros(3, 3)) == (1, 1)
    with pytest.raises(MethodError, match="no values but NaN"):
        peak(torch.full((2, 2), torch.nan))


def test_shapes_that_differ_are_refused():
    with pytest.raises(InvalidRequest):
        pointing_game(torch.ones(3, 4), torch.ones(4, 3, dtype=torch.bool))


def test_the_peak_on_the_photo_is_not_one_of_the_padding():
    padded, values = Geometry((20, 60), (20, 60), (-10, 0), (40, 60)), delta(15, 12)
    assert peak_on_photo(values, padded) == ((15, 12), False)
    values[3, 7] = 5
    assert peak_on_photo(values, padded) == ((15, 12), True)
    assert peak_on_photo(values, Geometry((40, 60), (40, 60), (0, 0), (40, 60))) == ((3, 7), False)
