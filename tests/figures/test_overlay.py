"""Colours mean what they say, panels stand where they should, and strips leave no seams."""

import numpy as np

from cnnviz.figures import overlay
from cnnviz.figures.palette import PAPER
from cnnviz.models.preprocess import Geometry


def photo(height: int = 60, width: int = 90) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)


def whole(height: int, width: int, size: int = 8) -> Geometry:
    return Geometry((height, width), (size, size), (0, 0), (size, size))


def test_red_supports_blue_opposes_and_zero_is_the_grey_photo():
    flat = np.full((1, 3, 3), 100, np.uint8)
    red, zero, blue = overlay.draw_overlay(flat, np.array([[1.0, 0.0, -1.0]], np.float32), 1.0)[0].astype(int)
    assert red[0] > red[1] + 40
    assert red[0] > red[2] + 30
    assert blue[2] > blue[0] + 40
    assert np.ptp(zero) == 0


def test_the_unseen_part_is_darker_than_the_seen():
    flat = np.full((1, 2, 3), 200, np.uint8)
    unseen, seen = overlay.draw_overlay(flat, np.array([[np.nan, 0.0]], np.float32), 1.0)[0].astype(int)
    assert unseen.max() < seen.min() - 50


def test_bare_is_the_overlay_at_the_photos_own_size_and_strips_leave_no_seam():
    picture = photo(600, 70)
    geometry = whole(600, 70)
    values = np.random.default_rng(1).standard_normal((8, 8)).astype(np.float32)
    panel = overlay.MapPanel(values, "a")
    bare = overlay.draw_figure(picture, geometry, [panel], label="", colormap="signed", bare=True)
    scale = overlay.common_scale([panel])
    assert np.array_equal(bare, overlay.draw_overlay(picture, geometry.to_photo(values), scale))


def test_panels_stand_side_by_side_on_one_scale():
    picture, geometry = photo(), whole(60, 90)
    weak, strong = (np.full((8, 8), v, np.float32) for v in (0.1, 1.0))
    both = overlay.draw_figure(
        picture,
        geometry,
        [overlay.MapPanel(weak, "w"), overlay.MapPanel(strong, "s")],
        label="",
        colormap="signed",
        bare=True,
    )
    assert both.shape == (60, 180, 3)
    assert np.array_equal(both[:, 90:], overlay.draw_overlay(picture, np.full((60, 90), 1.0, np.float32), 1.0))
    assert np.array_equal(both[:, :90], overlay.draw_overlay(picture, np.full((60, 90), 0.1, np.float32), 1.0))


def test_a_figure_has_ink_for_its_captions_and_a_bar():
    values = np.linspace(-1, 1, 64, dtype=np.float32).reshape(8, 8)
    make = [
        overlay.draw_figure(photo(), whole(60, 90), [overlay.MapPanel(values, title, "below")], label=label,
        colormap="signed",
                      bare=False)
        for title, label in (("", ""), ("a title", ""), ("", "drop"))
    ]  # fmt: skip
    assert make[0].shape == make[1].shape
    assert make[0].shape[0] > overlay.SMALL  # small photos are enlarged
    assert not np.array_equal(make[0], make[1])
    assert not np.array_equal(make[0], make[2])


def test_long_titles_stay_within_their_panel():
    values = np.ones((8, 8), np.float32)
    panels = [overlay.MapPanel(values, "x" * 400), overlay.MapPanel(values, "")]
    picture = overlay.draw_figure(photo(), whole(60, 90), panels, label="", colormap="signed", bare=False)
    alone = overlay.draw_figure(photo(), whole(60, 90), [panels[1]] * 2, label="", colormap="signed", bare=False)
    right = picture.shape[1] // 2
    assert np.array_equal(picture[:, right:], alone[:, right:])


def test_an_empty_map_does_not_divide_by_zero():
    zeros = np.zeros((8, 8), np.float32)
    picture = overlay.draw_figure(
        photo(), whole(60, 90), [overlay.MapPanel(zeros, "z")], label="", colormap="signed", bare=True
    )
    assert picture.shape == (60, 90, 3)
    nothing = np.full((8, 8), np.nan, np.float32)
    assert overlay.common_scale([overlay.MapPanel(nothing, "n")]) > 0


def test_marks_are_drawn_on_their_own_panel_at_their_place():
    picture, geometry = np.full((500, 600, 3), 90, np.uint8), whole(500, 600)
    outline = np.zeros((50, 60), bool)
    outline[10:40, 20:50] = True
    flat = np.zeros((8, 8), np.float32)
    panels = [overlay.MapPanel(flat, "", "", overlay.Marks((0.25, 0.75), outline)), overlay.MapPanel(flat, "")]
    marked = overlay.draw_figure(picture, geometry, panels, label="", colormap="signed", bare=True)
    assert np.ptp(marked[:, 600:]) == 0
    rows, columns = (marked[:, :600].min(2) == 255).nonzero()
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (100, 399, 200, 499)
    assert tuple(marked[125, 450]) == PAPER
    assert np.ptp(marked[200:390, 215:485]) == 0  # nothing but the border and the cross


def test_a_scale_from_zero_uses_the_whole_colour_map_and_a_veil_makes_the_photo_pale():
    flat, zero, one = np.full((1, 1, 3), 100, np.uint8), np.zeros((1, 1), np.float32), np.ones((1, 1), np.float32)
    low, middle = (overlay.draw_overlay(flat, zero, 1.0, "viridis", low)[0, 0].astype(int) for low in (0, -1))
    assert np.abs(low - middle).max() > 40
    assert np.array_equal(
        overlay.draw_overlay(flat, one, 1.0, "viridis", 0), overlay.draw_overlay(flat, one, 1.0, "viridis")
    )
    assert overlay.draw_overlay(flat, zero, 1.0, veil=0.5).min() > overlay.draw_overlay(flat, zero, 1.0).max() + 40


def test_a_slide_has_one_height_and_rows_are_stacked():
    picture, geometry = overlay.at_figure_size(photo(60, 90), whole(60, 90))
    assert picture.shape == (480, 720, 3)
    assert geometry.photo == (480, 720)
    both = overlay.stack([np.zeros((2, 5, 3), np.uint8), np.zeros((3, 4, 3), np.uint8)])
    assert both.shape == (5, 5, 3)
    assert both[2:, 4:].min() == 255
