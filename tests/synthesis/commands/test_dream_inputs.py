"""Guides, masks and noise: read at the size of the result, refused by name."""

import numpy as np
import pytest
from PIL import Image

from cnnviz.errors import MethodError
from cnnviz.synthesis.commands.dream_inputs import noise_image, objective_with_guides, read_mask
from tests.synthesis.commands.test_dream_options import options

PHOTO = np.zeros((40, 60, 3), np.uint8)


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Image.new("L", (60, 40), 255).save("white.png")
    Image.new("L", (40, 40), 255).save("square.png")


def test_a_mask_has_the_size_of_the_result():
    assert read_mask(PHOTO, options()) is None
    mask = read_mask(PHOTO, options(mask="white.png", long_side=30))
    assert mask.shape == (1, 1, 20, 30)
    assert float(mask.min()) == 1
    with pytest.raises(MethodError, match=r"square.png: a mask of 40x40 pixels does not fit the photo of 60x40"):
        read_mask(PHOTO, options(mask="square.png"))


def test_guides_are_images_of_the_objective():
    spec = objective_with_guides(options(guide=("white.png", "square.png")))
    assert [guide.shape for guide in spec.guides] == [(40, 60, 3), (40, 40, 3)]
    with pytest.raises(MethodError, match=r"missing.png: no such file"):
        objective_with_guides(options(guide=("missing.png",)))


def test_noise_is_of_the_seed_and_the_long_side():
    assert noise_image(options()).shape == (512, 512, 3)
    one, same, other = (noise_image(options(long_side=40, seed=seed)) for seed in (1, 1, 2))
    assert np.array_equal(one, same)
    assert not np.array_equal(one, other)
