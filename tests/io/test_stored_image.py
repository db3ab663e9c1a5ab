"""A photograph as its file stores it: back to a photograph as any reader has it, and slopes back onto its values."""

import io

import cv2
import numpy as np
import pytest
from PIL import Image

from cnnviz.io.photo import decode_photo
from cnnviz.io.stored_image import decode_stored
from tests.support.corpus.files import swapped_profile

DRAW = np.random.default_rng(0)
RGB = DRAW.integers(0, 256, (13, 17, 3)).astype(np.uint8)
ALPHA = DRAW.integers(0, 256, (13, 17)).astype(np.uint8)


def encoded(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def clear(mode: str) -> Image.Image:
    image = Image.fromarray(RGB).convert(mode.removesuffix("A"))
    image.putalpha(Image.fromarray(ALPHA))
    return image


def turned() -> bytes:
    exif = Image.Exif()
    exif[0x0112] = 6
    return encoded(Image.fromarray(RGB), "TIFF", exif=exif)


KINDS = {
    "rgb": encoded(Image.fromarray(RGB)),
    "grey": encoded(Image.fromarray(RGB).convert("L")),
    "clear": encoded(clear("RGBA")),
    "clear grey": encoded(clear("LA")),
    "profile": encoded(Image.fromarray(RGB), icc_profile=swapped_profile(1.8)),
    "clear profile": encoded(clear("RGBA"), icc_profile=swapped_profile(1.8)),
    "turned": turned(),
    "palette": encoded(Image.fromarray(RGB).quantize(16)),
}


@pytest.mark.parametrize("kind", KINDS)
def test_other_values_are_the_photo_that_their_file_gives_back(kind):
    found = decode_stored(KINDS[kind], background="teal")
    assert np.array_equal(found.photo(found.values), decode_photo(KINDS[kind], background="teal"))
    moved = found.values ^ 1
    data = encoded(found.image(moved), **({"icc_profile": found.icc} if found.icc else {}))
    assert np.array_equal(found.photo(moved), decode_photo(data, background="teal"))
    assert np.array_equal(found.photo(moved), decode_photo(data, **found.reading))
    again = decode_stored(data, **found.reading)
    assert np.array_equal(again.values, moved)
    assert again.icc == found.icc
    assert (again.alpha is None) == (found.alpha is None)
    assert found.alpha is None or np.array_equal(again.alpha, found.alpha)


@pytest.mark.parametrize("kind", ["rgb", "grey", "clear", "clear grey"])
def test_slopes_go_back_by_the_transpose(kind):
    found = decode_stored(KINDS[kind])
    slope = DRAW.normal(size=(13, 17, 3)).astype(np.float32)
    low, high = np.full_like(found.values, 50), np.full_like(found.values, 250)
    there = ((found.photo(high).astype(float) - found.photo(low)) * slope).sum()
    assert 200 * found.back(slope).sum() == pytest.approx(there, abs=slope.size**0.5)  # each was rounded
    assert found.back(slope).shape == found.values.shape
    if kind.startswith("clear"):
        weights = np.abs(found.back(np.ones_like(slope))).sum(2)
        assert weights == pytest.approx(ALPHA / 85, abs=1e-5)


def test_a_file_of_its_own_is_read_however_large():
    found = decode_stored(encoded(Image.fromarray(RGB)), max_pixels=13 * 17)
    assert found.reading == {"max_pixels": 13 * 17, "background": "#ffffff"}


@pytest.mark.parametrize("kind", [".png", ".tif", ".ppm"])
def test_sixteen_bits_become_eight_and_are_told(kind):
    notes: list[str] = []
    deep = cv2.imencode(kind, RGB[..., ::-1].astype(np.uint16) * 257)[1].tobytes()
    assert np.array_equal(decode_stored(deep, note=notes.append).values, RGB)
    assert notes == ["its palette, depth or colour space cannot be kept: it is converted to 8-bit RGB"]
    decode_stored(cv2.imencode(kind, RGB)[1].tobytes(), note=notes.append)
    assert len(notes) == 1


def test_what_other_heads_say_of_depth_is_read():
    notes: list[str] = []
    for data in (
        b"P6 # 300\n 2 1 # 70000\n255\n" + bytes(6),
        encoded(Image.fromarray(RGB), "JPEG2000", no_jp2=True),
        encoded(Image.fromarray(RGB), "AVIF"),
    ):
        decode_stored(data, note=notes.append)
    assert notes == []
    deep = RGB.astype(np.uint16).repeat(4, 0).repeat(4, 1)
    boxed = cv2.imencode(".jp2", deep * 257)[1].tobytes()
    for data in (
        b"P6\n# a comment\n2 1\n1023\n" + bytes(12),
        boxed,
        boxed.partition(b"jp2c")[2],  # the bare stream
        cv2.imencode(".avif", deep * 4, [cv2.IMWRITE_AVIF_DEPTH, 10])[1].tobytes(),
    ):
        decode_stored(data, note=notes.append)
    assert len(notes) == 4
