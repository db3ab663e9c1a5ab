"""A page: always 9.6 inches wide, as high as its contents, panels side by side."""

import numpy as np
import pytest
from matplotlib.text import Text

from cnnviz.figures.output import render
from cnnviz.figures.page import INNER, NARROWEST, Page, Rect
from cnnviz.figures.style import GAP, MARGIN, THEMES, Look


@pytest.mark.parametrize("scale", [1, 2])
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_a_page_is_1920_pixels_wide_in_the_themes_colours(theme, scale) -> None:
    page = Page(Look(theme, scale))
    page.heading("title", "subtitle")
    image = render(page.finish())
    assert image.shape[1] == 1920 * scale
    assert tuple(image[0, 0]) == tuple(int(THEMES[theme].paper[i : i + 2], 16) for i in (1, 3, 5))
    assert 100 * scale < image.shape[0] < 250 * scale


def test_text_is_shortened_and_math_is_not_read() -> None:
    page = Page()
    page.heading("x" * 400, "cost $a_b$ " * 60)
    page.note("note")
    texts = [text.get_text() for text in page.finish().findobj(Text) if text.get_text()]
    assert texts[0].endswith("…")
    assert len(texts) == 4  # title, two lines of the subtitle, note
    assert "$a_b$" in texts[1]


@pytest.mark.parametrize("aspects", [[1.0], [1.5, 1.0], [1.0] * 4, [0.1, 1.0, 6.0]])
def test_panels_of_a_row_have_one_height_and_stay_on_the_page(aspects: list[float]) -> None:
    page = Page()
    boxes = page.row(aspects, [f"panel {n}" for n in range(len(aspects))], height=3.0)
    assert len({(box.y, box.height) for box in boxes}) == 1
    assert boxes[0].height <= 3.0 + 1e-9
    assert boxes[-1].right <= MARGIN + INNER + 0.01
    for left, right, aspect in zip(boxes, boxes[1:], aspects, strict=False):
        assert right.x - left.x == pytest.approx(max(aspect * left.height, NARROWEST) + GAP, abs=0.01)
    letters = [text.get_text() for text in page.finish().findobj(Text) if len(text.get_text()) == 1]
    assert letters == list("abcd"[: len(aspects)])


def test_a_picture_keeps_its_pixels() -> None:
    page, noise = Page(), np.random.default_rng(0).integers(0, 256, (100, 200, 3)).astype(np.uint8)
    page.picture(Rect(0.5, 0.5, 1.0, 0.5), noise)
    page.top = 1.0
    assert np.array_equal(render(page.finish())[100:200, 100:300], noise)


def test_an_enlarged_picture_shows_squares_unless_it_is_smooth() -> None:
    for smooth in (False, True):
        page = Page()
        page.picture(Rect(0, 0, 1, 1), np.array([[[0] * 3, [255] * 3]], np.uint8), smooth=smooth)
        page.top = 1.0
        row = render(page.finish())[50, :200, 0]
        assert (len(np.unique(row)) == 2) != smooth


def test_a_value_stands_right_of_a_title_where_both_fit() -> None:
    page = Page()
    page.panel_title(0.5, 0.5, "channel 7", 2.2, "activation 33.6")
    page.panel_title(0.5, 1.0, "channel 8", 1.2, "activation 33.6")
    page.top = 1.5
    texts = page.finish().texts
    assert [text.get_text() for text in texts] == ["a", "channel 7", "activation 33.6", "b", "channel 8"]
    assert texts[2].get_position()[0] * 9.6 == pytest.approx(2.7)
    assert texts[2].get_ha() == "right"


def test_a_label_without_room_is_left_out() -> None:
    page = Page()
    box = Rect(0, 0, 1.0, 1.0)
    axes = page.picture(box, np.zeros((2, 2, 3), np.uint8))
    page.label(axes, box, (0.1, 0.9), "cat")
    page.label(axes, box, (0.1, 0.9), "a name that is too long")
    assert [text.get_text() for text in axes.texts] == ["cat"]


def test_panels_beyond_z_have_two_letters():
    page = Page()
    for _ in range(28):
        page.row([2.0], ["Panel"], height=0.1)
    assert {"a", "z", "aa", "ab"} <= {text.get_text() for text in page.finish().findobj(Text)}
