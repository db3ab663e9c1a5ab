"""Crops whose score and place are known."""

from math import log

import numpy as np
import pytest
import torch

import cnnviz
from cnnviz import Network, crop, fit, heat
from cnnviz.dense.crop import ALIKE, cropped, largest_box, overlap
from cnnviz.dense.crop_score import HeatShare
from cnnviz.errors import InvalidRequest, MethodError
from tests.conftest import PHOTOS
from tests.support import results
from tests.support.dense_networks import Red
from tests.support.figures import words
from tests.support.networks import lite0, random_classifier


@pytest.fixture(scope="module")
def photo() -> np.ndarray:
    return cnnviz.read_photo(PHOTOS / "coffee.jpg")


@pytest.fixture(scope="module")
def found(photo):
    return crop(lite0(), photo, shape=(4, 3), count=2)


def test_the_score_is_made_of_the_crop_alone_and_of_the_heat_inside(photo, found):
    best = found.crops[0]
    (left, top, right, bottom) = best.box
    assert (right - left) / (bottom - top) == pytest.approx(4 / 3, abs=0.01)
    with torch.inference_mode():
        logits = lite0()(fit(photo[top:bottom, left:right], lite0(), "squash")[0])[0]
    assert best.probability == pytest.approx(float(logits.double().softmax(0)[found.target]), abs=1e-6)
    share = HeatShare(heat(lite0(), photo, targets=[found.target], fit_mode="squash"))
    assert best.share == pytest.approx(share(best.box))
    assert best.score == pytest.approx(log(best.probability + 0.3) + 6 * log(best.share))


def test_the_cup_is_inside_and_the_crops_differ(found):
    left, top, right, bottom = found.crops[0].box
    assert left < 190
    assert right > 450
    assert top < 20
    assert bottom > 330
    assert [image.shape[:2] for image in found.images()] == [
        (one.box[3] - one.box[1], one.box[2] - one.box[0]) for one in found.crops]  # fmt: skip
    assert overlap(found.crops[0].box, found.crops[1].box) < ALIKE
    assert found.crops[0].score >= found.crops[1].score


def test_boxes():
    assert largest_box((400, 600), (1, 1)) == (400, 400)
    assert largest_box((400, 600), (2, 1), 0.5) == (150, 300)
    assert largest_box((1, 1), (16, 9)) == (1, 1)
    assert overlap((0, 0, 4, 4), (2, 0, 6, 4)) == pytest.approx(1 / 3)
    assert overlap((0, 0, 2, 2), (3, 3, 4, 4)) == 0
    assert cropped(np.arange(48).reshape(4, 4, 3), (1, 2, 3, 4)).tolist() == [
        [[27, 28, 29], [30, 31, 32]], [[39, 40, 41], [42, 43, 44]]]  # fmt: skip


@pytest.mark.parametrize("size", [(16, 16), (20, 300), (300, 40)])
def test_photos_of_any_shape(size):
    photo = np.random.default_rng(0).integers(0, 256, (*size, 3), np.uint8)
    (one,) = crop(lite0(), photo).crops
    side = min(size)
    assert one.box[2] - one.box[0] == one.box[3] - one.box[1] <= side
    assert min(one.box) >= 0
    assert one.box[3] <= size[0]
    assert one.box[2] <= size[1]


def test_a_network_that_rates_finds_what_it_rates_highest():
    photo = np.zeros((64, 256, 3), np.uint8)
    photo[:, 160:224, 0] = 255
    rating = Network.from_module(Rating(), (64, 64), (0.0,) * 3, (1.0,) * 3, ("rating",), "own")
    found = crop(rating, photo, rating=True)
    (best,) = found.crops
    assert found.target is None
    assert (best.probability, best.share) == (None, None)
    assert 160 <= best.box[0] < best.box[2] <= 224
    assert best.score == pytest.approx(10, abs=1e-4)
    figure = cnnviz.figure(found)
    assert "The best crop by rating" in words(figure)
    with pytest.raises(InvalidRequest, match="no target"):
        crop(rating, photo, rating=True, target=0)


class Rating(torch.nn.Module):
    """Ten times the mean of red, as the only output."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = torch.nn.Conv2d(3, 1, 8, 8, bias=False)
        self.conv.weight.data = Red().conv.weight.data[:1]

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.conv(x).mean((2, 3))


def test_its_figure(found):
    assert cnnviz.figure(found).canvas.get_width_height()[0] == 1920


def test_what_does_not_fit_is_refused():
    photo = results.photo("grey")
    for settings in ({"shape": (0, 1)}, {"count": 0}, {"rescored": 0}, {"target": 1000}):
        with pytest.raises(InvalidRequest):
            crop(lite0(), photo, **settings)
    with pytest.raises(MethodError):
        crop(random_classifier(12), photo)
    with pytest.raises(MethodError, match="no pixels"):
        crop(lite0(), photo[:0])
