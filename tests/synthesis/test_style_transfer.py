"""Style transfer end to end on a tiny network, and at a few pixels on the bundled one."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from cnnviz import Control, StyleResult, StyleSettings, style_transfer
from cnnviz.models.network import Network
from cnnviz.synthesis.style_patches import PatchSettings
from tests.support.networks import lite0

PATCHES = PatchSettings(stride=1, rotations=(30,), scales=(0.8,))
TINY = StyleSettings(style_layers={"pixels": 1, "0": 1, "2": 1}, content_layers={"2": 1}, long_side=None, steps=5)

MRF = replace(TINY, method="mrf", patches=PATCHES)
METHODS = pytest.mark.parametrize("settings", [TINY, MRF], ids=["statistics", "mrf"])


def noise(*size: int, seed: int = 0) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (*size, 3), dtype=np.uint8)


def run(network: Network, content=None, styles=None, settings: StyleSettings = TINY, **options) -> StyleResult:
    content = noise(24, 32) if content is None else content
    return style_transfer(network, content, styles or [noise(20, 20, seed=1)], settings=settings, **options)


@METHODS
def test_the_result_has_the_photos_size_and_its_losses_fall(network: Network, settings: StyleSettings):
    result = run(network, settings=replace(settings, steps=30))
    assert result.image.shape == (24, 32, 3)
    assert result.done == result.of == 30
    assert result.sizes[0].losses[-1] < result.sizes[0].losses[0]


@METHODS
def test_the_same_seed_gives_the_same_bytes(network: Network, settings: StyleSettings):
    one, two, other = (run(network, settings=settings, seed=seed).image for seed in (3, 3, 4))
    assert np.array_equal(one, two)
    assert not np.array_equal(one, other)


@METHODS
def test_two_styles_of_weights_1_and_0_are_the_first_alone(network: Network, settings: StyleSettings):
    styles = [noise(20, 20, seed=1), noise(16, 28, seed=2)]
    both = run(network, styles=styles, style_weights=(2, 0), settings=settings)
    assert np.array_equal(both.image, run(network, styles=styles[:1], settings=settings).image)


@METHODS
@pytest.mark.parametrize("optimizer", ["adam", "lbfgs"])
def test_a_photo_in_its_own_style_stays(network: Network, settings: StyleSettings, optimizer):
    enlarge, sizes = (50, 2) if settings is TINY else (4, 1)
    photo = np.kron(noise(6, 8), np.ones((enlarge, enlarge, 1), np.uint8))
    result = run(network, photo, [photo], replace(settings, optimizer=optimizer, steps=4), seed=1)
    assert len(result.sizes) == sizes
    assert max(loss for at in result.sizes for loss in at.losses) < 1e-6
    assert np.abs(result.image.astype(int) - photo).max() <= 1


@pytest.mark.parametrize("statistics", ["covariance", "gram", "mean-std"])
@pytest.mark.parametrize("init", ["content", "noise", "style"])
def test_every_start_and_every_statistic_gives_a_picture(network: Network, statistics, init):
    result = run(network, settings=replace(TINY, statistics=statistics, init=init, tv_weight=0.1))
    assert torch.isfinite(result.tensor).all()


@METHODS
@pytest.mark.parametrize("flat", ["content", "style", "both"])
def test_constant_images_give_a_picture(network: Network, settings: StyleSettings, flat):
    grey = np.full((20, 24, 3), 128, np.uint8)
    content, style = grey if flat != "style" else noise(20, 24), grey if flat != "content" else noise(20, 24)
    assert torch.isfinite(run(network, content, [style], settings).tensor).all()


@pytest.mark.parametrize("method", ["statistics", "mrf"])
@pytest.mark.parametrize("size", [(1, 40), (40, 1), (2, 2)])
def test_thin_images_give_a_picture(size, method):
    settings = StyleSettings(steps=2, long_side=None, method=method)
    assert run(lite0(), noise(*size), [noise(40, 3)], settings).image.shape == (*size, 3)


@METHODS
def test_what_no_mask_covers_stays(network: Network, settings: StyleSettings):
    mask, photo = np.zeros((24, 32), np.uint8), noise(24, 32)
    mask[:, :16] = 255
    image = run(network, photo, style_masks=[mask], settings=settings).image
    assert np.array_equal(image[:, 16:], photo[:, 16:])
    assert not np.array_equal(image[:, :16], photo[:, :16])


def test_original_colours_are_those_of_the_photo(network: Network):
    photo, luma = noise(24, 32), np.array([0.299, 0.587, 0.114])
    image = run(network, photo, settings=replace(TINY, original_colors="luminance")).image
    chroma = [picture - (picture @ luma)[..., None] for picture in (photo.astype(float), image.astype(float))]
    assert np.abs(chroma[0] - chroma[1]).max() <= 1


def test_a_stopped_transfer_returns_a_picture_of_full_size(network: Network):
    seen: list[int] = []
    control = Control(report=lambda done, *_: seen.append(done), stopped=lambda: len(seen) == 2)
    result = run(network, settings=replace(TINY, long_side=300), control=control)
    assert result.done == 2
    assert result.image.shape == (225, 300, 3)
