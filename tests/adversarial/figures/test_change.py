"""The change between two photos as an image."""

import numpy as np
import pytest

from cnnviz.adversarial.figures.change import LARGEST, PATCH, Change
from cnnviz.figures.style import NEUTRAL


def between(before: np.ndarray, after: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    return Change.between(before, after).image(size).astype(int)


@pytest.mark.parametrize("level", [1, 3, 100, 250])
def test_the_largest_change_is_black_or_white_whatever_its_size(level):
    before = np.full((32, 32, 3), 255, np.uint8)
    before[:16] = 0
    after = before.copy()
    after[4, 4] += level
    after[20, 20, 1] -= level
    drawn = between(before, after, (640, 640))
    assert (drawn[80:100, 80:100] == NEUTRAL + 127).all()
    assert (drawn[400:420, 400:420] == [NEUTRAL, NEUTRAL - 127, NEUTRAL]).all()
    assert (drawn != NEUTRAL).any(2).sum() == 2 * 20 * 20


def test_a_few_large_changes_do_not_hide_the_many_small_ones():
    before = np.full((32, 32, 3), 100, np.uint8)
    after = before.copy()
    after[:16] += 2
    after[20, 20] -= 90
    change = Change.between(before, after)
    assert (change.strong, change.strongest, change.factor) == (2, 90, LARGEST / 2)
    drawn = change.image((32, 32)).astype(int)
    assert (drawn[:16] == NEUTRAL + 127).all()
    assert (drawn[20, 20] == NEUTRAL - 127).all()


def test_of_a_large_photo_no_change_is_lost():
    before = np.full((2000, 2000, 3), 100, np.uint8)
    after = before.copy()
    after[777, 1234] -= 2
    drawn = between(before, after, (640, 640))
    assert np.argwhere((drawn == NEUTRAL - 127).all(2)).tolist() == [[248, 395]]  # rows from 775, columns from 1234


def test_the_patch_lies_in_the_middle_unless_more_is_changed_elsewhere():
    before = np.full((200, 300, 3), 100, np.uint8)
    middle = (86, 136, 86 + PATCH, 136 + PATCH)
    assert Change.between(before, before).patch() == middle
    assert Change.between(before, before + np.uint8(1)).patch() == middle
    after = before.copy()
    after[30, 250] += 5
    top, left, bottom, right = Change.between(before, after).patch()
    assert (bottom - top, right - left) == (PATCH, PATCH)
    assert (round((top + bottom - 1) / 2 / 2) * 2, round((left + right - 1) / 2 / 2) * 2) == (30, 250)


def test_the_patch_shows_one_pixel_as_one_and_small_photos_have_none():
    before = np.full((200, 300, 3), 100, np.uint8)
    after = before.copy()
    after[100, 150] += 1
    change = Change.between(before, after)
    patch = change.patch()
    drawn = change.colours(change.values[patch[0] : patch[2], patch[1] : patch[3]])
    assert np.argwhere((drawn == 255).all(2)).tolist() == [[100 - patch[0], 150 - patch[1]]]
    assert Change.between(before[:20, :30], after[:20, :30]).patch() is None


def test_channels_that_change_alike_are_grey():
    before = np.full((4, 4, 3), 100, np.uint8)
    assert Change.between(before, before + np.uint8(3)).is_grey
    assert not Change.between(before, before + np.array([1, 2, 3], np.uint8)).is_grey
