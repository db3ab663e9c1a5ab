"""Colours whose answer is known: distributions over three colours, and a network that tells light from dark."""

from math import log2

import numpy as np
import pytest
import torch

import cnnviz
from cnnviz import colorize, read_photo
from cnnviz.dense.colorize import annealed_mean, entropy
from cnnviz.errors import InvalidRequest, MethodError
from cnnviz.models.lab import lightness
from cnnviz.models.preprocess import to_inputs
from tests.conftest import PHOTOS
from tests.support import results
from tests.support.colorizers import CENTRES, colorizer

BINS = torch.tensor(CENTRES)


def two_greys() -> np.ndarray:
    """Dark on the left, light on the right."""
    photo = np.full((32, 64, 3), 60, np.uint8)
    photo[:, 32:] = 190
    return photo


def test_the_temperature_goes_from_the_mode_to_the_mean():
    logits = torch.randn(3, 4, 5, generator=torch.Generator().manual_seed(0))
    shares = logits.softmax(0)
    torch.testing.assert_close(shares.sum(0), torch.ones(4, 5))
    mean = torch.einsum("qhw,qc->chw", shares, BINS)
    torch.testing.assert_close(annealed_mean(logits, BINS, 1), mean)
    mode = BINS[shares.argmax(0)].permute(2, 0, 1)
    assert torch.equal(annealed_mean(logits, BINS, 0), mode)
    torch.testing.assert_close(annealed_mean(logits, BINS, 1e-4), mode, atol=1e-2, rtol=0)
    paper = shares ** (1 / 0.38)  # equation 5
    paper = torch.einsum("qhw,qc->chw", paper / paper.sum(0), BINS)
    torch.testing.assert_close(annealed_mean(logits, BINS, 0.38), paper, atol=1e-4, rtol=1e-4)


def test_the_mean_is_what_the_published_layers_give():
    logits = torch.randn(1, 3, 4, 5, generator=torch.Generator().manual_seed(0))
    theirs = colorizer().module.model_out(logits.softmax(1))[0] * 110
    torch.testing.assert_close(annealed_mean(logits[0], BINS, 1), theirs.detach(), atol=1e-4, rtol=1e-5)


def test_entropy_is_0_for_one_colour_and_largest_for_all():
    assert float(entropy(torch.tensor([90.0, 0, 0]))) == pytest.approx(0, abs=1e-6)
    assert float(entropy(torch.zeros(3))) == pytest.approx(log2(3))
    assert float(entropy(torch.tensor([0.0, 0, -90]))) == pytest.approx(1)
    assert float(entropy(torch.zeros(313))) == pytest.approx(log2(313), abs=1e-5)


def test_dark_becomes_red_and_light_becomes_green():
    found = colorize(colorizer(), two_greys(), temperature=0)
    np.testing.assert_allclose(found.ab[:, :, 4], np.broadcast_to(np.array(CENTRES[0])[:, None], (2, 32)), atol=1e-4)
    np.testing.assert_allclose(found.ab[:, :, 60], np.broadcast_to(np.array(CENTRES[1])[:, None], (2, 32)), atol=1e-4)
    assert found.image[5, 4].argmax() == 0
    assert found.image[5, 60].argmax() == 1
    assert found.entropy.max() < 0.01
    assert found.most == pytest.approx(log2(3))
    assert found.reduced == 0


def test_colours_of_the_photo_are_ignored():
    photo = read_photo(PHOTOS / "coffee.jpg")
    found = colorize(colorizer(), photo)
    again = colorize(colorizer(), found.image)
    assert np.abs(again.ab - found.ab).mean() < 2  # the lightness of both is rounded to 8 bits


@pytest.mark.parametrize("name", ["astronaut", "chelsea", "coffee"])
@pytest.mark.parametrize("temperature", [0, 0.38, 1])
def test_the_lightness_is_the_photos(name, temperature):
    photo = read_photo(PHOTOS / f"{name}.jpg")
    found = colorize(colorizer(1.0), photo, temperature=temperature)
    ours, theirs = (lightness(to_inputs([image])[0]) for image in (found.image, photo))
    assert float((ours - theirs).abs().max()) / 100 <= 1 / 255


@pytest.mark.parametrize("size", [(20, 3000), (16, 16), (1, 1), (300, 7)])
def test_photos_of_any_shape(size):
    found = colorize(colorizer(), np.full((*size, 3), 90, np.uint8))
    assert found.image.shape == (*size, 3)
    assert found.ab.shape == (2, *size)
    assert np.isfinite(found.entropy).all()


def test_what_cannot_be_coloured_is_refused():
    with pytest.raises(InvalidRequest, match="predicts no colours"):
        colorize(results.network(), results.photo("tiny"))
    for temperature in (-0.1, 1.5, float("nan")):
        with pytest.raises(InvalidRequest, match="take 0 to 1"):
            colorize(colorizer(), results.photo("tiny"), temperature=temperature)
    with pytest.raises(MethodError, match="not finite"):
        colorize(colorizer(float("inf")), results.photo("tiny"))


def test_greys_stay_what_they_are():
    photo = np.arange(256, dtype=np.uint8)[None, :, None].repeat(3, 2)
    assert np.array_equal(colorize(colorizer(), photo).greys, photo)


def test_arrays_and_figure():
    found = results.colorization("grey")
    assert {key: array.shape for key, array in found.arrays().items()} == {"ab": (2, 90, 120), "entropy": (90, 120)}
    assert cnnviz.figure(found).canvas.get_width_height()[0] == 1920
