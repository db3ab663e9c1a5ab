"""What is reported of an attack is measured on its file; the control of random noise."""

import numpy as np
import pytest
import torch

from cnnviz.adversarial import verification
from cnnviz.adversarial.criterion import Criterion
from cnnviz.adversarial.pipeline import attacked_photo
from cnnviz.adversarial.verification import WrittenAttack, noise_control
from cnnviz.errors import MethodError
from cnnviz.io import write
from cnnviz.io.stored_image import StoredImage
from tests.support.networks import brightness_network, random_classifier

SIDE = 8


def written(value: int, path: str = "x.png") -> WrittenAttack:
    """Grey of 105 levels, changed to ``value``, before a network that knows bright from dark: 100 levels and more."""
    original = StoredImage(np.full((SIDE, SIDE, 3), 105, np.uint8), None, None, (255, 255, 255))
    photo = attacked_photo(original, brightness_network(100, SIDE), "whole", path)
    return WrittenAttack(photo, Criterion(0), torch.full((SIDE, SIDE, 3), value, dtype=torch.uint8))


@pytest.mark.parametrize(("value", "fooled"), [(104, False), (97, True)])
def test_a_file_is_measured_by_its_bytes(value, fooled):
    found = written(value).verify()
    assert (found.fooled, found.levels, found.l0) == (fooled, 105 - value, 3 * SIDE**2)
    assert found.margin == pytest.approx((100 - value) / 255 * 3 * SIDE**2, abs=1e-3)
    assert (found.margin > 0) is fooled
    assert found.robust_to["jpeg75"] is fooled
    assert not found.control  # half up, half down: the mean stays
    assert found.storing_levels == 0


def test_other_networks_are_told_apart():
    found = written(97).verify([brightness_network(99, SIDE)], [brightness_network(90, SIDE)])
    assert [(row.attacked, row.fooled) for row in found.other_networks] == [(True, True), (False, False)]


def test_the_file_is_believed_and_not_the_search(monkeypatch):
    monkeypatch.setattr(verification, "encode_image", lambda path, _, recipe: plain(path, recipe))
    found = written(97).verify()
    assert (found.fooled, found.levels, found.psnr) == (False, 0, None)


def plain(path: str, recipe: dict) -> bytes:
    """A file of the unchanged photo."""
    original = written(105).photo.original
    return write.encode_image(path, original.image(original.values), recipe)


def test_a_recipe_that_would_change_the_image_is_refused(monkeypatch):
    true = write.encode_image
    monkeypatch.setattr(verification, "encode_image", lambda path, image, recipe: (
        plain(path, recipe) if recipe else true(path, image, recipe)))  # fmt: skip
    attack = written(97)
    assert attack.encode({})
    with pytest.raises(MethodError, match="does not decode to the image that was verified"):
        attack.encode({"a": "recipe"})


def test_storing_alone_is_measured_on_the_untouched_file():
    values = np.random.default_rng(0).integers(0, 256, (40, 60, 3), np.uint8)
    photo = attacked_photo(StoredImage(values, None, None, (255, 255, 255)), random_classifier(16), "crop", "x.jpg")
    attack = WrittenAttack(photo, Criterion(0), torch.from_numpy(values))
    assert attack.verify().storing_levels == np.abs(attack.image.astype(int) - values).max() > 1


def test_the_control_has_the_same_sizes_at_other_places_with_other_signs():
    before = np.full((20, 30, 3), 100, np.uint8)
    after = before.copy()
    after[:5] += 3
    after[5, 0] -= 7
    noise = noise_control(before, after).astype(int) - before
    sizes = [np.sort(np.abs(change), axis=None) for change in (noise, after.astype(int) - before)]
    assert np.array_equal(*sizes)
    assert set(np.unique(noise)) >= {-3, 0, 3}
    assert np.count_nonzero(noise[5:]) > np.count_nonzero(noise) / 2


def test_the_control_keeps_hidden_what_is_hidden():
    before, alpha = np.full((20, 30, 3), 100, np.uint8), np.full((20, 30), 255, np.uint8)
    after = before.copy()
    alpha[:10], after[:10], after[12] = 0, 200, 103
    noise = noise_control(before, after, alpha).astype(int) - before
    assert np.abs(noise[10:]).max() == 3
    assert np.count_nonzero(noise[10:]) == 90
    assert np.count_nonzero(noise[12]) < 45
