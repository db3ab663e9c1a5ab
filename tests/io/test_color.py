"""Backgrounds, and the colours of CSS."""

import numpy as np
import pytest

from cnnviz.errors import InvalidRequest
from cnnviz.io.photo import decode_photo
from tests.support import corpus


def decode(picture, kind="PNG", **options):
    return decode_photo(corpus.encode(picture, kind), **options)


@pytest.mark.parametrize(
    ("name", "colour"),
    [("white", (255,) * 3), ("black", (0,) * 3), ("#336699", (0x33, 0x66, 0x99)), ("tomato", (255, 99, 71))],
)
def test_what_is_clear_shows_the_background(name, colour):
    clear = np.zeros((4, 6, 4), np.uint8)
    clear[:2] = (10, 20, 30, 255)
    clear[2, :] = (200, 100, 0, 128)
    photo = decode(clear, background=name)
    assert (photo[:2] == (10, 20, 30)).all()
    assert (photo[3] == colour).all()
    mixed = np.array((200, 100, 0)) * 128 / 255 + np.array(colour) * 127 / 255
    assert np.abs(photo[2] - mixed).max() <= 1


def test_a_colour_that_nobody_knows_is_wrong_usage():
    with pytest.raises(InvalidRequest, match="no colour is named 'blurple'"):
        decode(corpus.smooth("colour"), background="blurple")
