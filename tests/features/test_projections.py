"""Parts of an input cut out and resized, and the part that a unit is shown with."""

import numpy as np
import pytest
import torch

from cnnviz.features.deconvnet import Projection
from cnnviz.features.projections import crop_box, resize_square, unit_region


def flat(*colour: float, height: int = 5, width: int = 5) -> np.ndarray:
    """Return (3, height, width) of one colour."""
    return np.tile(np.array(colour, np.float32)[:, None, None], (1, height, width))


@pytest.mark.parametrize(
    "box",
    [(1, 2, 4, 6), (0, 0, 6, 8), (-2, 2, 4, 6), (1, -3, 4, 6), (1, 2, 9, 6), (1, 2, 4, 11), (-4, -3, 10, 12)],
    ids=["inside", "all", "above", "left", "below", "right", "around"],
)
@pytest.mark.parametrize("fill", [0.0, 0.5])
def test_a_part_is_the_values_in_its_box_and_fill_beyond(box, fill):
    values = 1 + np.arange(3 * 6 * 8, dtype=np.float32).reshape(3, 6, 8)
    before = values.copy()
    around = np.pad(values, ((0, 0), (5, 5), (5, 5)), constant_values=fill)
    top, left, bottom, right = (edge + 5 for edge in box)
    part = crop_box(values, box, fill)
    assert np.array_equal(part, around[:, top:bottom, left:right])
    part[:] = -1
    assert np.array_equal(values, before)


@pytest.mark.parametrize("side", [3, 7, 160])
def test_what_is_constant_stays_constant(side):
    large = resize_square(flat(0.25, -3.0, 0.7, height=4, width=9), side)
    assert large.shape == (3, side, side)
    np.testing.assert_allclose(large, flat(0.25, -3.0, 0.7, height=side, width=side), rtol=1e-6)


def test_enlarging_turns_nothing_and_mixes_no_channels():
    values = flat(0, 0, 0.5)
    values[0, :, 3:], values[1, 3:] = 1, 1  # red on the right, green below
    large = resize_square(values, 50)
    quarters = large[:, 5::40, 5::40].round(1)
    assert np.array_equal(quarters, [[[0, 1], [0, 1]], [[0, 0], [1, 1]], [[0.5, 0.5], [0.5, 0.5]]])


def test_a_box_in_the_padding_is_fill() -> None:
    for box in ((490, 490, 494, 494), (-9, -9, -3, -3)):
        part = crop_box(np.zeros((3, 480, 480), np.float32), box, 0.5)
        assert part.shape[0] == 3
        assert (part == 0.5).all()


def test_an_unknown_receptive_field_gives_a_square_around_the_projection() -> None:
    values = torch.zeros(1, 3, 20, 30)
    values[..., 5:8, 20:28] = 1
    region = unit_region(None, Projection(values, "conv", 0, (0, 0), 1.0), "exact")
    assert region.effective
    top, left, bottom, right = region.box
    assert bottom - top == right - left == 8
    assert (left, right) == (20, 28)
    assert top <= 5 < 8 <= bottom
