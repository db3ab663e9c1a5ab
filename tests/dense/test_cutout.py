"""Cut-outs of objects whose place is known."""

import cv2
import numpy as np
import pytest

import cnnviz
from cnnviz.dense.cutout import grab
from cnnviz.errors import InvalidRequest, MethodError
from tests.support.networks import lite0, random_classifier

DISC = (np.hypot(*(np.mgrid[:60, :80] - np.array([30, 30])[:, None, None])) < 18).astype(np.uint8)


def two_discs() -> tuple[np.ndarray, np.ndarray]:
    """An image of two red discs on blue, and a heat map of the left one alone, coarser than it."""
    image = np.zeros((60, 120, 3), np.uint8) + np.array([20, 40, 200], np.uint8)
    image[:, :80][DISC == 1] = image[:, 60:][DISC[:, :60] == 1] = [210, 30, 20]
    heat = np.zeros((60, 120), np.float32)
    heat[:, :80] = cv2.GaussianBlur(DISC.astype(np.float32), (0, 0), 8)
    return image, heat / heat.max()


def test_the_border_is_that_of_the_colours_and_the_other_disc_is_dropped():
    image, heat = two_discs()
    found = grab(image, heat)
    assert not found[:, 75:].any()
    wanted = np.pad(DISC, ((0, 0), (0, 40)))[:, :120] == 1
    assert (found & wanted).sum() / (found | wanted).sum() > 0.97
    assert np.array_equal(grab(image, heat), found)


def test_without_background_everything_is_the_object():
    assert grab(two_discs()[0], np.full((60, 120), 0.9, np.float32)).all()
    assert grab(np.zeros((1, 1, 3), np.uint8), np.ones((1, 1), np.float32)).all()


@pytest.mark.parametrize("size", [(16, 16), (20, 600), (300, 40)])
def test_photos_of_any_shape(size):
    photo = np.random.default_rng(0).integers(0, 256, (*size, 3), np.uint8)
    found = cnnviz.cutout(lite0(), photo)
    assert found.estimate
    assert found.classes.shape == found.foreground.shape == size
    assert sum(one.area for one in found.areas) == pytest.approx(1)


def test_what_has_no_place_is_refused():
    photo = np.zeros((30, 30, 3), np.uint8)
    with pytest.raises(InvalidRequest, match="counted from 0"):
        cnnviz.cutout(lite0(), photo, target=1000)
    with pytest.raises(MethodError):
        cnnviz.cutout(random_classifier(12), photo)
    with pytest.raises(MethodError, match="no pixels"):
        cnnviz.cutout(lite0(), photo[:0])
