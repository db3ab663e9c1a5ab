"""From the bytes of a file to its pixels: every case of the corpus, frames, background, size."""

import io
import subprocess
import sys
import time

import cv2
import numpy as np
import pytest
from PIL import Image

from cnnviz.control import Control
from cnnviz.errors import PhotoError
from cnnviz.io.photo import decode_photo, decode_stored, read_photo
from tests.support import corpus
from tests.support.corpus.files import swapped_profile

FRAMES = {"moving.png": 3, "moving.webp": 3, "pages.tif": 3}


@pytest.fixture(scope="module")
def cases(tmp_path_factory):
    return corpus.build(tmp_path_factory.mktemp("corpus"))


def decode(picture, kind="PNG", **options):
    return decode_photo(corpus.encode(picture, kind), **options)


# The corpus


def test_every_good_picture_is_read_right_and_a_person_is_told_what_is_odd(cases):
    wrong = []
    for case in (case for case in cases if case.good):
        notes = []
        photo = read_photo(case.path, control=Control(note=notes.append))
        assert photo.dtype == np.uint8
        assert photo.flags.writeable
        same = photo.shape == case.truth.shape
        distance = int(np.abs(photo.astype(int) - case.truth).max()) if same else photo.shape
        told = [case.says in note for note in notes]
        if not same or distance > case.tolerance or told != [True] * bool(case.says):
            wrong.append((ascii(case.path.name), distance, case.tolerance, notes))
    assert not wrong


def test_every_bad_picture_is_refused_at_once_and_in_one_line(cases, capfd):
    wrong = []
    for case in (case for case in cases if not case.good):
        start = time.monotonic()
        with pytest.raises(PhotoError) as caught:
            read_photo(case.path)
        text, seconds = str(caught.value), time.monotonic() - start
        if case.says not in text or not text.isprintable() or not text or seconds > 10:
            wrong.append((ascii(case.path.name), text, seconds))
    assert not wrong
    assert capfd.readouterr() == ("", "")  # libtiff, libjpeg and Pillow's log would write there of themselves


def test_the_corpus_is_what_it_says(cases):
    assert len(cases) >= 69
    assert len({case.path for case in cases}) == len(cases)
    good = [case.truth for case in cases if case.good]
    for index, one in enumerate(good):
        assert all(one.shape != other.shape or np.abs(one.astype(int) - other).max() > 20 for other in good[:index])


def test_decoding_does_not_need_what_was_opened_before():
    data = corpus.encode(corpus.smooth("alone"), "WEBP", lossless=True)
    script = "import sys; from cnnviz.io import photo; print(photo.decode_photo(sys.stdin.buffer.read()).shape)"
    done = subprocess.run([sys.executable, "-c", script], input=data, capture_output=True, timeout=60, cwd="/")
    assert (done.stdout, done.stderr) == (b"(60, 84, 3)\n", b"")


def test_decoding_leaves_pillows_limit_alone():
    before = Image.MAX_IMAGE_PIXELS
    decode(corpus.smooth("limit"))
    with pytest.raises(PhotoError):
        decode(corpus.smooth("limit"), max_pixels=9)
    assert before == Image.MAX_IMAGE_PIXELS


# Frames, background, size


@pytest.mark.parametrize("name", FRAMES)
def test_any_frame_can_be_chosen_without_a_note(cases, name):
    path = next(case.path for case in cases if case.path.name == name)
    notes = []
    for number in range(FRAMES[name]):
        truth = corpus.smooth(f"{name} {number}" if number else name)
        assert np.array_equal(read_photo(path, frame=number, control=Control(note=notes.append)), truth)
    assert not notes
    with pytest.raises(PhotoError, match=r"has no frame 3 \(they count from 0\)"):
        read_photo(path, frame=3)


def test_the_second_frame_of_a_gif_and_of_a_stereo_photograph(cases):
    paths = {case.path.name: case.path for case in cases}
    assert np.array_equal(read_photo(paths["moving.gif"], frame=1), corpus.paletted("moving.gif 1")[1])
    second = read_photo(paths["stereo.jpg"], frame=1).astype(int)
    assert np.abs(second - corpus.smooth("depth")).max() <= 90  # Pillow writes it with its own quality
    assert np.abs(second - corpus.smooth("depth")).mean() < 4


def test_a_picture_of_one_frame_has_frame_0_alone():
    picture = corpus.smooth("single")
    assert np.array_equal(decode(picture, frame=0), picture)
    with pytest.raises(PhotoError, match="has no frame 1"):
        decode(picture, frame=1)


# Photos as stored: other values, and slopes back onto the values

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
