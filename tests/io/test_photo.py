"""From the bytes of a file to its pixels: every case of the corpus, frames, background, size."""

import subprocess
import sys
import time

import numpy as np
import pytest
from PIL import Image

from cnnviz.control import Control
from cnnviz.errors import PhotoError
from cnnviz.io.photo import decode_photo, read_photo
from tests.support import corpus

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
