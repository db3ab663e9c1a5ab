"""What the contact sheet of a ranking shows."""

import numpy as np

from cnnviz.dense.figures.contact_sheet import draw_contact_sheet, framed
from tests.support import results
from tests.support.figures import pictures, words


def test_photos_stand_best_first_with_their_place_and_score():
    found = results.ranking().photos
    text = words(draw_contact_sheet(found, "efficientnet_lite0", 9))
    assert "The best 4 of 9 photos by technical quality" in text
    assert [word.split()[0] for word in text if word.split()[0].isdigit()] == ["1", "2", "3", "4"]
    assert any("EfficientNet-Lite0" in word for word in text)


def test_ratings_are_called_ratings():
    text = words(draw_contact_sheet(results.ranking(2, True).photos, "vgg16", 2))
    assert "2 photos by rating" in text


def test_a_photo_lies_in_the_corner_of_its_tile():
    tile = framed(np.zeros((10, 20, 3), np.uint8), 1.0, "#ffffff")
    assert tile.shape == (20, 20, 3)
    assert (tile[:10] == 0).all()
    assert (tile[10:] == 255).all()
    assert len(pictures(draw_contact_sheet(results.ranking(3).photos, "vgg16", 3))) == 3
