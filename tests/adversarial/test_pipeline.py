"""From stored values to the network's input: what the search sees is what the file gives back."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from cnnviz import fit
from cnnviz.adversarial.pipeline import attacked_photo, input_pipeline, sum_on_photo, supported_transforms
from cnnviz.errors import MethodError
from cnnviz.io import photo, stored_image, write
from cnnviz.models.preprocess import Geometry
from tests.support.corpus.files import swapped_profile
from tests.support.networks import random_classifier

NETWORK = random_classifier(16)


def noise(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, shape, np.uint8)


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_the_search_sees_what_the_file_gives_back():
    cup = Image.fromarray(noise(40, 60, 3)).resize((300, 200))
    cup.save("cup.png")
    cup.save("wide.png", icc_profile=swapped_profile(1.8))
    cup.putalpha(Image.linear_gradient("L").resize(cup.size))
    cup.save("clear.png")
    for name, path in (("cup.png", "a.jpg"), ("wide.png", "b.jpg"), ("clear.png", "c.webp"), ("clear.png", "d.png")):
        original = stored_image.decode_stored(Path(name).read_bytes())
        attacked = attacked_photo(original, NETWORK, "crop", path)
        changed = original.values ^ 1
        Path(path).write_bytes(write.encode_image(path, original.image(changed), {"a": "recipe"}))
        assert np.array_equal(attacked.photo(changed), photo.read_photo(path)), path
        views = input_pipeline(attacked, ("blur",)).forward(torch.from_numpy(changed))
        assert torch.equal(views[:1], fit(photo.read_photo(path), NETWORK)[0]), path


def test_the_adjoint_is_the_transpose_of_the_resize():
    original = stored_image.StoredImage(noise(50, 70, 3), None, None, (255, 255, 255))
    pipeline = input_pipeline(attacked_photo(original, NETWORK))
    values = torch.from_numpy(original.values)
    gradient = torch.randn(1, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    change = torch.randint(0, 2, values.shape, generator=torch.Generator().manual_seed(1)) * 40
    moved = ((values.int() + change).clamp(max=255)).to(torch.uint8)
    gained = float(((pipeline.forward(moved) - pipeline.forward(values)) * gradient).sum())
    expected = float(((moved.float() - values.float()) * pipeline.adjoint(gradient)).sum())
    assert gained == pytest.approx(expected, rel=0.05, abs=0.05)  # rounding is not in the adjoint


def test_gradients_of_several_views_are_summed_each_by_its_own_adjoint():
    first = Geometry((40, 60), (20, 30), (2, 5), (16, 16), "bicubic")
    second = Geometry((40, 60), (24, 36), (4, 9), (16, 16))
    gradients = np.random.default_rng(0).normal(size=(3, 3, 16, 16)).astype(np.float32)
    found = sum_on_photo([first, second, first], gradients)
    want = first.back(gradients[0]) + second.back(gradients[1]) + first.back(gradients[2])
    assert found == pytest.approx(want, abs=1e-5)


def test_a_photo_too_large_for_a_format_is_not_put_to_it():
    assert "webp80" not in supported_transforms((300, 17000))
    assert "jpeg75" in supported_transforms((300, 17000))
    original = stored_image.StoredImage(np.zeros((2, 17000, 3), np.uint8), None, None, (255, 255, 255))
    with pytest.raises(MethodError, match="17000x2 pixels are too many for the transform webp80"):
        input_pipeline(attacked_photo(original, NETWORK, "squash"), ("webp80",))


def test_transparency_in_a_jpeg_is_refused():
    original = stored_image.StoredImage(noise(20, 20, 3), noise(20, 20), None, (255, 255, 255))
    with pytest.raises(MethodError, match="has transparency"):
        attacked_photo(original, NETWORK, "crop", "x.jpg")
