"""From stored values to the network's input: what the search sees is what the file gives back; each view by Pillow."""

import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, ImageFilter

from cnnviz.adversarial.catalog import TRANSFORMS
from cnnviz.adversarial.pipeline import (
    SIZES,
    attacked_photo,
    input_pipeline,
    input_transforms,
    sum_on_photo,
    supported_transforms,
)
from cnnviz.errors import MethodError
from cnnviz.io import photo, write
from cnnviz.models.preprocess import Geometry, fit
from tests.support.corpus.files import swapped_profile
from tests.support.networks import lite0, random_classifier

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
        original = photo.decode_stored(Path(name).read_bytes())
        attacked = attacked_photo(original, NETWORK, "crop", path)
        changed = original.values ^ 1
        Path(path).write_bytes(write.encode_image(path, original.image(changed), {"a": "recipe"}))
        assert np.array_equal(attacked.photo(changed), photo.read_photo(path)), path
        views = input_pipeline(attacked, ("blur",)).forward(torch.from_numpy(changed))
        assert torch.equal(views[:1], fit(photo.read_photo(path), NETWORK)[0]), path


def test_the_adjoint_is_the_transpose_of_the_resize():
    original = photo.StoredImage(noise(50, 70, 3), None, None, (255, 255, 255))
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
    original = photo.StoredImage(np.zeros((2, 17000, 3), np.uint8), None, None, (255, 255, 255))
    with pytest.raises(MethodError, match="17000x2 pixels are too many for the transform webp80"):
        input_pipeline(attacked_photo(original, NETWORK, "squash"), ("webp80",))


def test_transparency_in_a_jpeg_is_refused():
    original = photo.StoredImage(noise(20, 20, 3), noise(20, 20), None, (255, 255, 255))
    with pytest.raises(MethodError, match="has transparency"):
        attacked_photo(original, NETWORK, "crop", "x.jpg")


PHOTO = np.random.default_rng(0).integers(0, 256, (300, 420, 3)).astype(np.uint8)


@pytest.fixture(scope="module")
def geometry():
    return fit(PHOTO, lite0())[1]


def cropped(image: Image.Image, side: int = 256, kind: Image.Resampling = Image.Resampling.BICUBIC) -> np.ndarray:
    small = np.asarray(image.resize((int(side * 420 / 300), side), kind))
    top, left = round((side - 224) / 2), round((small.shape[1] - 224) / 2)
    return small[top : top + 224, left : left + 224]


def through(kind: str, quality: int) -> Image.Image:
    file = io.BytesIO()
    Image.fromarray(PHOTO).save(file, kind, quality=quality)
    return Image.open(file).convert("RGB")


def test_every_view_is_what_pillow_makes(geometry):
    image = Image.fromarray(PHOTO)
    want = {
        "jpeg90": cropped(through("JPEG", 90)),
        "jpeg75": cropped(through("JPEG", 75)),
        "webp80": cropped(through("WEBP", 80)),
        "blur": cropped(image.filter(ImageFilter.GaussianBlur(1))),
        "bilinear": cropped(image, kind=Image.Resampling.BILINEAR),
        **{f"resize{side}": cropped(image, side) for side in SIZES},
    }
    found = {view.name: view.see(PHOTO) for view in input_transforms(TRANSFORMS, geometry)}
    assert found.keys() == want.keys()
    for name, seen in found.items():
        assert np.array_equal(seen, want[name]), name


def test_the_geometry_is_otherwise_the_same(geometry):
    (view,) = input_transforms(["bilinear"], geometry)
    assert view.geometry == replace(geometry, kind="bilinear")


def test_what_is_squashed_is_resized_squashed():
    _, geometry = fit(PHOTO, lite0(), "squash")
    found = {view.name: view.see(PHOTO) for view in input_transforms(["resize"], geometry)}
    small = np.asarray(Image.fromarray(PHOTO).resize((252, 252), Image.Resampling.BICUBIC))
    assert np.array_equal(found["resize288"], small[14:238, 14:238])
