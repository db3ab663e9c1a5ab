"""The photo, its change and the result: what is drawn of the change, and that small and narrow ones can be read."""

from dataclasses import replace

import numpy as np
import pytest

from cnnviz.adversarial.figures.perturbation import GREY, LONGER, NARROWEST, ReportFacts, draw_perturbation
from cnnviz.adversarial.results import Verification
from cnnviz.models.catalog import ClassProbability

TOP = [ClassProbability(rank, f"class {rank}", 0.5 / rank) for rank in range(1, 6)]
FILE = Verification(
    levels=1, l0=9, l1=9, l2=3.0, changed=0.25, psnr=50.0, ssim=0.99, fooled=True, target=3, goal=None, margin=1.5,
    storing_levels=0, top=TOP, robust_to={}, control=False, other_networks=[],
)  # fmt: skip
FACTS = ReportFacts("a network", TOP, FILE)


def draw(before: np.ndarray, after: np.ndarray, missed: tuple[str, ...] = (), **other) -> np.ndarray:
    own = {key: other.pop(key) for key in ("warnings", "held_out") if key in other}
    return draw_perturbation(before, after, replace(FACTS, verification=replace(FILE, **other), **own), missed)


def middle(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """The part of a figure of square photos that shows the change."""
    drawn = draw(before, after)
    unit = max(14, round(LONGER / 26))
    head, left = round(3.6 * unit), 2 * unit + LONGER
    return drawn[head : head + LONGER, left : left + LONGER].astype(int)


@pytest.mark.parametrize("level", [1, 3, 100, 250])
def test_the_largest_change_is_black_or_white_whatever_its_size(level):
    before = np.full((32, 32, 3), 255, np.uint8)
    before[:16] = 0
    after = before.copy()
    after[4, 4] += level
    after[20, 20, 1] -= level
    drawn = middle(before, after)
    side = LONGER // 32
    assert (drawn[4 * side : 5 * side, 4 * side : 5 * side] == GREY + 127).all()
    assert (drawn[20 * side : 21 * side, 20 * side : 21 * side] == [GREY, GREY - 127, GREY]).all()
    assert (drawn != GREY).any(2).sum() == 2 * side * side


def test_a_few_large_changes_do_not_hide_the_many_small_ones():
    before = np.full((32, 32, 3), 100, np.uint8)
    after = before.copy()
    after[:16] += 2
    after[20, 20] -= 90
    drawn = middle(before, after)
    side = LONGER // 32
    assert (drawn[: 16 * side] == GREY + 127).all()
    assert (drawn[20 * side, 20 * side] == 0).all()


def test_of_a_large_photo_no_change_is_lost():
    before = np.full((2000, 2000, 3), 100, np.uint8)
    after = before.copy()
    after[777, 1234] -= 2
    drawn = middle(before, after)
    places = np.argwhere((drawn == GREY - 127).all(2))
    assert places.tolist() == [[248, 395]]  # those of rows from 775 and columns from 1234


@pytest.mark.parametrize("shape", [(1, 1, 3), (2000, 20, 3), (20, 2000, 3)])
def test_strips_and_single_pixels_have_room_for_words(shape):
    photo = np.full(shape, 9, np.uint8)
    drawn = draw(photo, photo)
    assert drawn.shape[1] >= 3 * NARROWEST


@pytest.mark.parametrize("other", [{"levels": 2}, {"changed": 0.5}])
def test_the_words_above_the_change_are_of_the_stored_values(other):
    photo = np.full((64, 64, 3), 9, np.uint8)  # as seen: a change below full transparency shows nowhere
    rows = np.nonzero((draw(photo, photo) != draw(photo, photo, **other)).any((1, 2)))[0]
    assert rows.min() > 0
    assert rows.max() < round(3.6 * max(14, round(LONGER / 26)))


@pytest.mark.parametrize(
    "more", [{"warnings": ["zero_gradients"]}, {"control": True}, {"psnr": 40.0}, {"held_out": True}]
)
def test_what_is_to_be_known_stands_below_the_change(more):
    photo = np.full((64, 64, 3), 9, np.uint8)
    places = np.argwhere((draw(photo, photo) != draw(photo, photo, **more)).any(2))
    assert places[:, 0].min() > LONGER
    assert places[:, 1].min() > LONGER
    assert places[:, 1].max() < 2 * LONGER + 100


def test_what_the_result_misses_stands_above_it():
    photo = np.full((64, 64, 3), 9, np.uint8)
    drawn = [draw(photo, photo, missed) for missed in ((), ("not fooled",), ("not after jpeg75",))]
    for one, other in ((0, 1), (1, 2)):
        places = np.argwhere((drawn[one] != drawn[other]).any(2))
        assert places[:, 0].max() < round(3.6 * max(14, round(LONGER / 26)))
        assert places[:, 1].min() > 2 * LONGER
