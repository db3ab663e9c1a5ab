"""Text within its width, and text written upwards."""

import numpy as np
import pytest

from cnnviz.figures.text import caption, drawing, ellipsize, font_size, load_font, upright_text


def test_a_long_text_is_cut_to_its_width():
    font = load_font(14)
    assert ellipsize("short", font, 400) == "short"
    cut = ellipsize("word " * 50, font, 100)
    assert cut.endswith("...")
    assert 60 < font.getlength(cut) <= 100


@pytest.mark.parametrize(("align", "top"), [("centre", 27), ("end", 0)])
def test_a_text_written_upwards_is_the_turned_line(align, top):
    ink = np.argwhere(np.asarray(upright_text("mmmmm", load_font(14), 120, 20, align)).min(2) < 200)
    assert np.asarray(upright_text("mmmmm", load_font(14), 120, 20, align)).shape == (120, 20, 3)
    assert abs(ink[:, 0].min() - top) < 10
    assert np.ptp(ink[:, 0]) > np.ptp(ink[:, 1])


def test_a_caption_and_a_drawing_stay_in_their_part_of_the_image():
    canvas = np.full((60, 200, 3), 255, np.uint8)
    caption(canvas[:, :100], "title " * 20, "below", 16)
    assert canvas[:, :100].min() < 60
    assert canvas[:, 100:].min() == 255
    with drawing(canvas[:, 150:]) as pen:
        pen.rectangle((0, 0, 500, 500), (1, 2, 3))
    assert (canvas[:, 150:] == (1, 2, 3)).all()
    assert canvas[:, 100:150].min() == 255


def test_the_font_grows_with_the_image_and_less_than_that_beyond_40_pixels():
    assert [font_size(*size) for size in ((100, 100), (520, 900), (1040, 9000))] == [11, 20, 40]
    assert 40 < font_size(2080, 9000) < 80
