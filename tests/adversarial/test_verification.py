"""What is reported of an attack is measured on its file; the control of random noise."""

import numpy as np
import pytest
import torch

from cnnviz.adversarial import pipeline
from cnnviz.adversarial.criterion import Criterion
from cnnviz.adversarial.pipeline import attacked_photo
from cnnviz.adversarial.verification import WrittenAttack, distances, noise_control, ssim
from cnnviz.errors import MethodError
from cnnviz.io import write
from cnnviz.io.photo import StoredImage
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
    monkeypatch.setattr(pipeline, "encode_image", lambda path, _, recipe: plain(path, recipe))
    found = written(97).verify()
    assert (found.fooled, found.levels, found.psnr) == (False, 0, None)


def plain(path: str, recipe: dict) -> bytes:
    """A file of the unchanged photo."""
    original = written(105).photo.original
    return write.encode_image(path, original.image(original.values), recipe)


def test_a_recipe_that_would_change_the_image_is_refused(monkeypatch):
    true = write.encode_image
    monkeypatch.setattr(pipeline, "encode_image", lambda path, image, recipe: (
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


DRAW = np.random.default_rng(0)
PHOTO = DRAW.integers(20, 230, (24, 31, 3)).astype(np.uint8)


def test_a_change_is_counted_in_levels():
    after = PHOTO.copy()
    after[0, 0] += 3
    after[5, 7, 1] -= 4
    found = distances(PHOTO, after)
    assert (found.levels, found.l0, found.l1) == (4, 4, 13)
    assert found.l2 == pytest.approx(np.sqrt(3 * 9 + 16), abs=1e-4)
    assert found.changed == pytest.approx(4 / PHOTO.size, abs=1e-6)
    assert found.psnr == pytest.approx(10 * np.log10(255**2 * PHOTO.size / 43), abs=0.01)
    assert 0.99 < found.ssim < 1


def test_nothing_changed():
    found = distances(PHOTO, PHOTO)
    assert (found.levels, found.l0, found.l2, found.psnr, found.ssim) == (0, 0, 0.0, None, 1.0)


def test_ssim_is_the_papers_windows_one_by_one():
    after = np.clip(PHOTO + DRAW.normal(0, 12, PHOTO.shape), 0, 255).astype(np.uint8)
    line = np.exp(-(np.arange(-5, 6) ** 2) / (2 * 1.5**2))
    window = np.outer(line, line) / line.sum() ** 2
    found = []
    for channel in range(3):
        x, y = (np.pad(part[..., channel].astype(float), 5, "symmetric") for part in (PHOTO, after))
        for row in range(PHOTO.shape[0]):
            for column in range(PHOTO.shape[1]):
                a, b = (part[row : row + 11, column : column + 11] for part in (x, y))
                ma, mb = (window * a).sum(), (window * b).sum()
                va, vb, both = (window * (p - m) * (q - n) for p, m, q, n in
                                ((a, ma, a, ma), (b, mb, b, mb), (a, ma, b, mb)))  # fmt: skip
                one, two = (0.01 * 255) ** 2, (0.03 * 255) ** 2
                top = (2 * ma * mb + one) * (2 * both.sum() + two)
                found.append(top / ((ma**2 + mb**2 + one) * (va.sum() + vb.sum() + two)))
    assert ssim(PHOTO, after) == pytest.approx(np.mean(found), abs=1e-4)
