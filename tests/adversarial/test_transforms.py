"""What else may happen to a photograph: each view against Pillow itself."""

import io
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image, ImageFilter

from cnnviz.adversarial.catalog import TRANSFORMS
from cnnviz.adversarial.transforms import SIZES, input_transforms
from cnnviz.models.preprocess import fit
from tests.support.networks import lite0

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
