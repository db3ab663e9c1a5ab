"""Grids: tiles at their places, labels above them, whole square pixels; many tiles are one picture."""

import numpy as np
import pytest

from cnnviz.figures.output import render
from cnnviz.figures.page import INNER, Page, Rect
from cnnviz.figures.style import DPI, MARGIN, Look
from cnnviz.figures.tiles import LARGEST, MANY, Tile, columns, draw_images, draw_tiles
from tests.support.figures import patches, pictures, words


def flat(*colour: int, high: int = 3, wide: int = 3) -> np.ndarray:
    return np.full((high, wide, 3), colour, np.uint8)


COLOURS = [(200, 0, 0), (0, 200, 0), (0, 0, 200)]


def area(picture: np.ndarray, colour: tuple[int, int, int]) -> tuple[int, int, int, int]:
    """Return where a colour lies: top, left, bottom, right; all of it has that colour."""
    ys, xs = np.nonzero((picture == colour).all(-1))
    top, left, bottom, right = ys.min(), xs.min(), ys.max() + 1, xs.max() + 1
    assert len(ys) == (bottom - top) * (right - left)
    return int(top), int(left), int(bottom), int(right)


@pytest.mark.parametrize(("count", "across"), [(1, 1), (3, 3), (10, 5), (32, 8), (96, 16), (13, 7), (17, 6)])
def test_columns_leave_no_gaps_where_that_can_be(count, across):
    assert columns(count) == across


@pytest.mark.parametrize("count", range(1, 200))
def test_a_last_row_is_at_least_half_full(count):
    for wider in (1.2, 2.2):
        across = columns(count, wider)
        assert (count % across or across) >= across / 2
    assert columns(count, most=6) <= 6


def test_tiles_stand_row_by_row_in_the_boxes_that_are_returned():
    page = Page()
    boxes = draw_tiles(page, [Tile(flat(*colour)) for colour in COLOURS], 2)
    assert page.top == pytest.approx(boxes[-1].bottom, abs=0.01)
    red, green, blue = (area(render(page.finish()), colour) for colour in COLOURS)
    assert red[0] == green[0] < red[2] < blue[0]
    assert red[1] == blue[1] < red[3] < green[1]
    edges = [tuple(round(edge * DPI) for edge in (box.y, box.x, box.bottom, box.right)) for box in boxes]
    assert [red, green, blue] == edges
    assert len({(place[2] - place[0], place[3] - place[1]) for place in (red, green, blue)}) == 1


def test_labels_stand_above_and_a_value_only_where_it_fits():
    page = Page()
    draw_tiles(page, [Tile(flat(*colour), "channel 7", "max 1.5", "7") for colour in COLOURS], 3)
    assert words(page.finish()) == ["channel 7", "max 1.5"] * 3
    narrow = Page()
    draw_tiles(narrow, [Tile(flat(*colour), "channel 7", "max 1.5", "7") for colour in COLOURS], 12)
    assert words(narrow.finish()) == ["7", "max 1.5"] * 3
    tiny = Page()
    draw_tiles(tiny, [Tile(flat(0, 0, 0), "7")] * 120, 60)
    assert not words(tiny.finish())


def test_rows_are_named_on_the_left():
    page, plain = Page(), Page()
    tiles = [Tile(flat(*colour)) for colour in COLOURS]
    named = draw_tiles(page, tiles, 1, rows=["filter 1", "filter 2", "filter 3"])
    assert named[0].x > draw_tiles(plain, tiles, 1)[0].x == pytest.approx(MARGIN, abs=0.01)
    assert words(page.finish()) == ["filter 1", "filter 2", "filter 3"]


@pytest.mark.parametrize(("high", "wide"), [(3, 3), (3, 30), (30, 3)])
def test_no_tile_is_higher_than_the_largest_or_wider_than_the_page(high, wide):
    (box,) = draw_tiles(Page(), [Tile(flat(0, 0, 0, high=high, wide=wide))], 1)
    assert box.height <= LARGEST + 0.01
    assert box.width <= INNER + 0.01
    assert box.width / box.height == pytest.approx(wide / high, rel=0.02)


def test_enlarged_pixels_stay_squares():
    page = Page()
    checks = np.array([[[0] * 3, [255] * 3], [[255] * 3, [0] * 3]], np.uint8)
    draw_tiles(page, [Tile(checks)], 1, smooth=False)
    (drawn,) = pictures(page.finish())
    side = len(drawn) // 2
    assert np.array_equal(drawn, checks.repeat(side, 0).repeat(side, 1))


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_many_images_are_one_picture_that_looks_the_same(theme):
    places = [Rect(0.5 + n % 10 * 0.3, 0.4 + n // 10 * 0.3, 0.25, 0.25).snapped() for n in range(MANY)]
    images = [flat(n, 2 * n, 50) for n in range(MANY)]
    drawn = []
    for parts in ([slice(None)], [slice(None, MANY // 2), slice(MANY // 2, None)]):
        page = Page(Look(theme))
        for part in parts:
            draw_images(page, images[part], places[part])
        page.top = 4.0
        drawn.append(page.finish())
    assert [len(figure.axes) for figure in drawn] == [1, MANY]
    assert np.array_equal(*map(render, drawn))
    assert patches(drawn[1])[3] == (3, 6, 50)
