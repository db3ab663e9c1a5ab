"""The order of photos whose ratings and qualities are known."""

import cv2
import numpy as np
import pytest
import torch

import cnnviz
from cnnviz import Control, rank, read_photo
from cnnviz.dense.rank import mean_rating, score_photo
from cnnviz.errors import InvalidRequest
from tests.conftest import PHOTOS
from tests.support.networks import brightness_network, linear_network, lite0


def grey(level: int) -> np.ndarray:
    return np.full((12, 12, 3), level, np.uint8)


def test_a_network_of_one_output_rates_by_it():
    network = linear_network(torch.full((1, 3, 12, 12), 1 / 432), torch.zeros(1))
    found = rank(network, [grey(10), grey(200), grey(90)], rating=True)
    assert [one.index for one in found.photos] == [1, 2, 0]
    assert [round(one.score * 255) for one in found.photos] == [200, 90, 10]
    assert [one.name for one in found.photos] == ["photo 2", "photo 3", "photo 1"]
    with pytest.raises(InvalidRequest, match="--rating"):
        rank(network, [grey(10)])


def test_the_mean_rating_of_several_outputs():
    assert mean_rating([0.0] * 10) == 5.5
    assert mean_rating([-1000.0, 1000.0]) == 2
    assert mean_rating([3.25]) == 3.25
    dark = brightness_network(100, 12)
    assert [one.index for one in rank(dark, [grey(255), grey(0)], rating=True).photos] == [1, 0]


def test_a_blurred_copy_comes_after_its_photo():
    photo = read_photo(PHOTOS / "coffee.jpg")
    found = rank(lite0(), [cv2.GaussianBlur(photo, (0, 0), 4), photo])
    assert [one.index for one in found.photos] == [1, 0]
    best = found.photos[0]
    assert best.top[0].name == "espresso"
    assert best.score == pytest.approx(best.quality.score(best.top[0].probability))
    assert best.thumbnail is not None
    assert best.thumbnail.shape == (320, 480, 3)


def test_a_photo_and_its_mirror_image_have_one_confidence():
    photo = read_photo(PHOTOS / "coffee.jpg")
    one, other = (score_photo(lite0(), image).top[0] for image in (photo, photo[:, ::-1].copy()))
    assert (one.name, one.probability) == (other.name, pytest.approx(other.probability, abs=1e-4))


def test_equal_photos_stay_in_order_and_those_that_fail_are_named(tmp_path):
    (tmp_path / "broken.jpg").write_bytes(b"\xff\xd8\xff no photo")
    network = brightness_network(100, 12)
    found = rank(network, [grey(90), tmp_path / "broken.jpg", grey(90)])
    assert [one.index for one in found.photos] == [0, 2]
    assert list(found.failures) == [1]
    with pytest.raises(InvalidRequest, match="no photo could be read"):
        rank(network, [tmp_path / "broken.jpg"])


def test_a_stopped_ranking_is_that_of_the_photos_so_far():
    done: list[int] = []
    control = Control(report=lambda number, *_: done.append(number), stopped=lambda: len(done) == 2)
    assert len(rank(brightness_network(100, 12), [grey(9)] * 5, control=control).photos) == 2


def test_its_figure_is_the_contact_sheet():
    found = rank(brightness_network(100, 12), [grey(10), grey(200)])
    assert cnnviz.figure(found).canvas.get_width_height()[0] == 1920
