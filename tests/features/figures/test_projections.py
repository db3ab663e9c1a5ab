"""Projections beside their patches: every tile at its place, of the colour that its numbers say."""

import numpy as np
import pytest
import torch

from cnnviz.features.deconvnet import Projection
from cnnviz.features.figures import projections
from cnnviz.features.figures.projections import GAP, TILE, Pair
from cnnviz.features.projections import ProjectedUnit, UnitRegion
from cnnviz.figures.colormap import PROJECTION_SHARE, percentile_scale
from cnnviz.figures.palette import INK, PAPER

FULL = (255, 128, 0)  # of a projection of +1, 0 and -1 in red, green and blue, where the scale ends at 1


def flat(*colour: float, high: int = 5, wide: int = 5) -> np.ndarray:
    """Return (3, high, wide) of one colour."""
    return np.tile(np.array(colour, np.float32)[:, None, None], (1, high, wide))


def tile(colour: tuple[int, ...], side: int) -> np.ndarray:
    """Return a tile (side, side, 3) of one colour."""
    return np.full((side, side, 3), colour, np.uint8)


def pair(strength: float = 1.0, level: int = 51, title: str = "", note: str = "") -> Pair:
    """Return a patch that is shown as (level, 2 * level, 0), and a projection of +strength, 0 and -strength."""
    return Pair(flat(level / 255, 2 * level / 255, 0), strength * flat(1, 0, -1), title, note)


def area(picture: np.ndarray, colour: tuple[int, ...]) -> tuple[int, int, int, int]:
    """Return where a colour lies: top, left, bottom, right; all of it has that colour."""
    ys, xs = np.nonzero((picture == colour).all(-1))
    top, left, bottom, right = ys.min(), xs.min(), ys.max() + 1, xs.max() + 1
    assert len(ys) == (bottom - top) * (right - left)
    return int(top), int(left), int(bottom), int(right)


@pytest.mark.parametrize("scale", [1.0, 0.02, 40.0])
def test_zero_is_grey_and_the_scales_ends_are_the_strongest_colours(scale):
    projection, patch = projections.render_pair(pair(scale), scale, 6)
    assert (projection.shape, projection.dtype) == ((6, 6, 3), np.uint8)
    assert (patch.shape, patch.dtype) == ((6, 6, 3), np.uint8)
    assert np.abs(projection.astype(int) - FULL).max() <= 1  # 0.5 and 255.5 may be rounded either way
    assert (projection[..., 1] == projections.GREY).all()
    assert np.array_equal(patch, tile((51, 102, 0), 6))


def test_what_lies_beyond_the_scale_is_its_end_and_half_of_it_half_the_colour():
    beyond, _ = projections.render_pair(pair(9.0), 2.0, 4)
    assert np.array_equal(beyond, tile(FULL, 4))
    half, _ = projections.render_pair(pair(1.0), 2.0, 4)
    assert np.array_equal(half, tile((192, 128, 64), 4))  # 128 +- 63.75


@pytest.mark.parametrize(("count", "across", "down"), [(1, 1, 1), (2, 2, 1), (4, 2, 2), (5, 3, 2), (9, 3, 3)])
def test_projections_stand_left_and_their_patches_right_in_the_same_order(count, across, down):
    side = 10
    picture = projections.squares([pair(1 - n / 16, level=10 * n + 10) for n in range(count)], side)
    high, wide = (tiles * side + (tiles - 1) * GAP for tiles in (down, across))
    assert picture.shape == (high, 2 * wide + 3 * GAP, 3)
    seen = np.zeros(picture.shape[:2], bool)
    for n in range(count):
        top, left = n // across * (side + GAP), n % across * (side + GAP)
        projection, patch = picture[top:, left:][:side, :side], picture[top:, wide + 3 * GAP + left :][:side, :side]
        step = 127.5 * (1 - n / 16)
        assert np.abs(projection - np.array([128 + step, 128, 128 - step])).max() <= 0.51
        assert np.array_equal(patch, tile((10 * n + 10, 20 * n + 20, 0), side))
        for begin in (left, wide + 3 * GAP + left):
            seen[top : top + side, begin : begin + side] = True
    assert (picture[~seen] == 255).all()


def test_squares_have_one_scale_so_that_a_weak_projection_looks_weak():
    weak, strong = pair(0.5), pair(2.0)
    both = projections.squares([strong, weak], 8)
    assert np.array_equal(both[:, :8], tile(FULL, 8))
    assert np.array_equal(both[:, 8 + GAP : 16 + GAP], tile((160, 128, 96), 8))  # 128 +- 31.875
    alone = projections.squares([weak], 8)
    assert np.array_equal(alone[:, :8], tile(FULL, 8))


def test_squares_of_nothing_and_of_zeros_are_pictures():
    assert (projections.squares([], 8) == 255).all()
    assert np.array_equal(projections.squares([pair(0.0)], 8)[:, :8], tile((128, 128, 128), 8))


@pytest.mark.parametrize("shape", [(30, 72), (700, 900)])
def test_a_panel_holds_its_body_unchanged_below_its_caption(shape):
    body = np.random.default_rng(0).integers(0, 255, (*shape, 3), dtype=np.uint8)
    picture, silent = (projections.panel(body, *words) for words in (("Map 7", "of conv5 " * 40), ("", "")))
    rim = (picture.shape[1] - shape[1]) // 2
    assert rim > 0
    top = len(picture) - rim - shape[0]
    expected = np.full_like(picture, 255)
    expected[top:-rim, rim:-rim] = body
    assert np.array_equal(silent, expected)
    said = (picture != expected).any(-1)
    assert said[:top].any()
    assert not said[top:].any()
    assert not said[:, :rim].any()
    assert not said[:, -rim:].any()


def test_a_sheet_has_every_picture_at_its_place_with_its_name_above():
    colours = [(200, 0, 0), (0, 200, 0), (0, 0, 200)]
    bodies = [np.full((high, 60, 3), colour, np.uint8) for high, colour in zip((30, 50, 40), colours, strict=True)]
    picture = projections.sheet([("", body) for body in bodies], 2)
    red, green, blue = (area(picture, colour) for colour in colours)
    sizes = [(bottom - top, right - left) for top, left, bottom, right in (red, green, blue)]
    assert sizes == [(30, 60), (50, 60), (40, 60)]
    assert red[0] == green[0] < green[2] < blue[0] < blue[2] < len(picture)
    assert red[1] == blue[1] < red[3] < green[1] < green[3] < picture.shape[1]
    for number, (top, left, _, right) in enumerate((red, green, blue)):
        names = ["7 and words that do not fit" if n == number else "" for n in range(3)]
        named = projections.sheet(list(zip(names, bodies, strict=True)), 2)
        ys, xs = (named != picture).any(-1).nonzero()
        assert top - 20 < ys.min() <= ys.max() < top
        assert left <= xs.min() <= xs.max() < right


def test_a_sheet_is_no_wider_than_what_is_in_it():
    body = np.zeros((30, 60, 3), np.uint8)
    widths = [projections.sheet([("", body)] * count, 3).shape for count in (1, 2, 3, 4)]
    assert widths[0][1] < widths[1][1] < widths[2][1] == widths[3][1]
    assert widths[0][0] == widths[1][0] == widths[2][0] < widths[3][0]


def test_a_picture_is_shrunk_to_a_width_in_proportion():
    small = projections.shrink(np.full((200, 400, 3), (9, 90, 200), np.uint8), 60)
    assert small.shape == (30, 60, 3)
    assert (small == (9, 90, 200)).all()


def test_bare_projections_stand_side_by_side_each_on_its_own_scale():
    parts = [flat(1, 0, -1, wide=4), 0.01 * flat(0, -1, 1, wide=7), flat(0, 0, 0, wide=2)]
    picture = projections.draw_bare(parts)
    expected = [[FULL] * 4 + [(128, 0, 255)] * 7 + [(128, 128, 128)] * 2] * 5
    assert picture.flags.c_contiguous
    assert np.array_equal(picture, np.array(expected, np.uint8))


def test_a_stray_value_leaves_the_others_their_colour():
    values = flat(1, 0, -1, high=20, wide=20)
    values[0, 3, 4] = 1000
    assert np.array_equal(projections.draw_bare([values]), tile(FULL, 20))


def photo(high: int = 162, wide: int = 243) -> np.ndarray:
    return flat(0.4, 0.6, 0.2, high=high, wide=wide)  # shown as (102, 153, 51), enlarged twice


def test_the_photo_stands_upright_left_of_the_patches():
    quarters = photo()
    quarters[0, :, 120:], quarters[2, 80:] = 1, 1  # red on the right, blue below
    y, x, low, far = area(projections.draw_projections(photo(), [], [pair()], ""), (102, 153, 51))
    body = projections.draw_projections(quarters, [], [pair()], "")[y:low, x:far]
    corners = [[(102, 153, 51), (255, 153, 51)], [(102, 153, 255), (255, 153, 255)]]
    assert np.array_equal(body[[[20], [-20]], [20, -20]], corners)


def test_patches_stand_above_their_projections_and_each_has_its_own_scale():
    pairs = [pair(strength, level=10 + 10 * n) for n, strength in enumerate((2.0, 0.01, 5.0))]
    picture = projections.draw_projections(photo(), [], pairs, "")
    ground = area(picture, (102, 153, 51))
    assert (ground[2] - ground[0], ground[3] - ground[1]) == (324, 486)
    before = ground[3]
    for n in range(3):
        top, left, bottom, right = area(picture, (10 + 10 * n, 20 + 20 * n, 0))
        assert (bottom - top, right - left) == (TILE, TILE)
        assert top == ground[0]
        assert left > before
        below = picture[bottom + GAP :, left:right]
        assert np.array_equal(below[:TILE], tile(FULL, TILE))
        assert bottom + GAP + TILE == ground[2]
        before = right
    assert before < picture.shape[1]


def test_what_does_not_fit_across_goes_into_the_next_row():
    pairs = [pair(level=10 + 10 * n) for n in range(5)]
    picture = projections.draw_projections(photo(), [], pairs, "", per_row=2)
    places = [area(picture, (10 + 10 * n, 20 + 20 * n, 0)) for n in range(5)]
    tops, lefts = [place[0] for place in places], [place[1] for place in places]
    assert lefts[0] == lefts[2] == lefts[4] < lefts[1] == lefts[3]
    assert tops[0] == tops[1] < tops[2] == tops[3] < tops[4]
    for top, left, bottom, right in places:
        assert np.array_equal(picture[bottom + GAP : bottom + GAP + TILE, left:right], tile(FULL, TILE))
        assert bottom + GAP + TILE < len(picture)
        assert (picture[top - 1, left:right] == 255).all()


def test_words_stand_above_their_own_tiles_and_touch_none():
    plain, *rest = (projections.draw_projections(photo(), [], [pair(), pair(title=t, note=n)], w) for t, n, w in (
        ("", "", ""), ("map 7 " * 20, "", ""), ("", "0.5 at 1, 2 " * 20, ""), ("", "", "deconvnet of " + "conv5 " * 99),
    ))  # fmt: skip
    top, left, _, right = area(plain, (102, 153, 51))
    last = plain.shape[1] - 3 * GAP
    for picture, (begin, end) in zip(rest, [(last - TILE, last)] * 2 + [(left, right)], strict=True):
        ys, xs = (picture != plain).any(-1).nonzero()
        assert ys.max() < top
        assert begin <= xs.min() <= xs.max() < end


@pytest.mark.parametrize("box", [(20, 10, 60, 50), (0, 0, 162, 243), (100, 40, 150, 240)])
def test_a_box_is_drawn_where_it_is_on_the_photo(box):
    plain, picture = (projections.draw_projections(photo(), boxes, [pair()], "") for boxes in ([], [box]))
    y, x, low, far = area(plain, (102, 153, 51))
    drawn = picture[y:low, x:far]
    ys, xs = (drawn != (102, 153, 51)).any(-1).nonzero()
    top, left, bottom, right = (2 * edge for edge in box)
    assert (ys.min(), xs.min(), ys.max() + 1, xs.max() + 1) == (top, left, bottom, right)
    inside = drawn[top:bottom, left:right]
    for line in (inside[0], inside[-1], inside[:, 0], inside[:, -1]):
        assert (line == PAPER).all()
    assert (inside[-2, 2:-2] == INK).all()
    assert (inside[2:-2, -2] == INK).all()
    assert (inside[30:-4, 4:-4] == (102, 153, 51)).all()  # nothing but the border and the number
    picture[y:low, x:far] = (102, 153, 51)
    assert np.array_equal(picture, plain)


def test_a_box_that_reaches_beyond_the_photo_stays_on_it():
    plain, picture = (
        projections.draw_projections(photo(), boxes, [pair()], "") for boxes in ([], [(-30, 100, 80, 400)])
    )
    y, x, low, far = area(plain, (102, 153, 51))
    drawn = picture[y:low, x:far].copy()
    picture[y:low, x:far] = (102, 153, 51)
    assert np.array_equal(picture, plain)
    assert (drawn[:160, 200] == PAPER).all()
    assert (drawn[159, 200:] == PAPER).all()
    assert (drawn[160:] == (102, 153, 51)).all()


def test_a_scale_takes_in_all_but_the_largest_two_of_a_thousand():
    values = np.random.default_rng(0).permutation(np.arange(1001))
    values = (values * np.where(values % 2, 1, -1)).astype(np.float32)
    assert percentile_scale(values, PROJECTION_SHARE) == pytest.approx(998)
    parts = values[:300].reshape(3, 10, 10), values[300:]
    assert percentile_scale(np.concatenate([part.ravel() for part in parts]), PROJECTION_SHARE) == pytest.approx(998)


def test_a_scale_of_zeros_divides_and_lone_values_among_zeros_are_its_end():
    assert percentile_scale(np.zeros((3, 4, 4), np.float32), PROJECTION_SHARE) == 1
    lone = np.zeros((3, 100, 100), np.float32)
    lone[1, 2, 3], lone[2, 5, 5] = -3, 2
    assert percentile_scale(lone, PROJECTION_SHARE) == 3


def test_a_box_that_shrinks_to_nothing_is_drawn() -> None:
    photo = np.zeros((3, 480, 480), np.float32)
    pair = projections.Pair(np.ones((3, 1, 1)), np.ones((3, 1, 1)))
    boxes = [(y, y, y + 1, y + 1) for y in range(100, 130)]
    assert projections.draw_projections(photo, boxes, [pair] * len(boxes), "words").any()


def test_a_units_words_name_its_channel_activation_and_position() -> None:
    found = Projection(torch.zeros(1, 3, 4, 4), "conv", 7, (6, 11), 33.61)
    made = projections.unit_pair(ProjectedUnit(found, UnitRegion((0, 0, 2, 2), False), flat(1), flat(0)))
    assert (made.title, made.note) == ("map 7", "33.6 at y 6, x 11")
