"""Sharpness, noise, clipping and blocks of images whose values are known."""

import io

import cv2
import numpy as np
import pytest
from PIL import Image

from cnnviz import read_photo
from cnnviz.dense import quality
from cnnviz.dense.quality import Quality, blocking, measure_quality, noise_level, small_copy
from tests.conftest import PHOTOS

RNG = np.random.default_rng(0)


def noise(sigma: float, size: tuple[int, int] = (480, 640)) -> np.ndarray:
    grey = np.clip(RNG.normal(128, sigma, size), 0, 255).astype(np.uint8)
    return grey[..., None].repeat(3, 2)


def test_the_noise_of_white_noise_is_its_standard_deviation():
    for sigma in (4.0, 12.0):
        assert noise_level(noise(sigma)[..., 0].astype(np.float32)) == pytest.approx(sigma, rel=0.13)


def test_texture_is_no_noise_as_long_as_a_part_is_smooth():
    image = noise(30)[..., 0].astype(np.float32)
    image[:, 320:] = 128
    assert noise_level(image) == 0
    assert noise_level(noise(30, (9, 12))[..., 0].astype(np.float32)) == pytest.approx(30, rel=0.5)


def test_a_slope_has_no_noise_and_no_sharpness():
    slope = np.tile(np.linspace(0, 250, 480).astype(np.float32), (360, 1))
    assert noise_level(slope[1:-1, 1:-1]) < 0.05
    assert measure_quality(np.repeat(np.rint(slope)[..., None], 3, 2).astype(np.uint8)).sharpness < 0.1


def test_the_gain_of_noise_is_the_energy_of_the_blurred_laplacian():
    impulse = np.zeros((41, 41), np.float32)
    impulse[20, 20] = 1
    response = cv2.Laplacian(cv2.GaussianBlur(impulse, (0, 0), quality.BLUR), cv2.CV_32F)
    assert float((response**2).sum()) == pytest.approx(quality.NOISE_GAIN, rel=2e-3)


def test_pure_noise_is_not_sharp():
    assert measure_quality(noise(20)).sharpness == 0


def test_clipped_pixels_are_black_or_have_a_channel_at_its_maximum():
    image = np.full((100, 100, 3), 128, np.uint8)
    image[:25], image[25:50], image[50:75, :, 0], image[75:, :, 0] = 255, 0, 255, 0
    assert measure_quality(image).clipped == 0.75


def test_blocks_are_seen_on_their_grid_alone():
    blocks = np.kron(RNG.integers(60, 200, (12, 12)), np.ones((8, 8))).astype(np.uint8)
    assert blocking(blocks) > 1000
    assert blocking(blocks[4:, 4:]) < 1
    assert blocking(noise(10)[..., 0]) == pytest.approx(1, abs=0.05)
    assert blocking(blocks[:16, :16]) == 1.0


def test_a_small_copy_has_the_longer_side_that_is_asked_for():
    assert small_copy(noise(1, (16, 12)), 480).shape == (480, 360, 3)
    assert small_copy(noise(1, (20, 3000)), 480).shape == (3, 480, 3)


def test_the_score_is_a_sum_of_logarithms():
    plain = Quality(40.0, 0.0, 0.0, 1.0)
    assert plain.score(0.5) == pytest.approx(np.log(0.6) + np.log(40.1) + 2 * np.log(1.01))
    assert Quality(40.0, 0.0, 0.0, 2.8).score(0.5) == pytest.approx(plain.score(0.5) - 2 * np.log(2))
    assert Quality(40.0, 2.0, 0.0, 1.0).score(0.5) == pytest.approx(plain.score(0.5) - 1.5 * np.log(2))
    assert Quality(0.0, 0.0, 1.0, 9.0).score(0.0) < plain.score(0.0)


@pytest.mark.parametrize("name", ["chelsea", "coffee", "astronaut"])
def test_spoilt_copies_of_a_photo_score_lower_at_equal_confidence(name):
    photo = read_photo(PHOTOS / f"{name}.jpg")
    file = io.BytesIO()
    Image.fromarray(photo).save(file, "JPEG", quality=8)
    spoilt = {
        "blurred": cv2.GaussianBlur(photo, (0, 0), 1.5),
        "noisy": np.clip(photo + RNG.normal(0, 25, photo.shape), 0, 255).astype(np.uint8),
        "dark": photo // 4,
        "overexposed": np.clip(photo * 1.6 + 60, 0, 255).astype(np.uint8),
        "compressed": np.asarray(Image.open(file)),
    }
    score = measure_quality(photo).score(0.5)
    assert [kind for kind, copy in spoilt.items() if measure_quality(copy).score(0.5) >= score] == []
