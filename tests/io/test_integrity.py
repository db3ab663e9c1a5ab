"""Truncated and damaged files are refused, also where Pillow would decode them."""

import re

import numpy as np
import pytest

from cnnviz.errors import PhotoError
from cnnviz.io.photo import decode_photo
from tests.support import corpus


@pytest.mark.parametrize("ending", corpus.whole_files())
def test_a_file_cut_anywhere_is_refused_unless_no_pixel_is_lost(ending, capfd):
    data = corpus.whole_files()[ending]
    whole, lost = decode_photo(data), 0
    places = {*range(24), *range(24, len(data), max(1, len(data) // 80)), *range(len(data) - 24, len(data))}
    for place in sorted(places):
        try:
            assert np.array_equal(decode_photo(data[:place]), whole), place
        except PhotoError:
            lost += 1
    assert lost >= len(places) - 24
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("ending", ["jpg", "png", "webp", "gif", "lzw.tif", "bmp", "ppm", "jp2", "avif", "ico"])
def test_a_damaged_file_gives_a_photograph_or_a_photo_error(ending, capfd):
    data = corpus.whole_files()[ending]
    rng = np.random.default_rng(7)
    refused = 0
    for _ in range(150):
        damaged = bytearray(data)
        for place in rng.integers(0, rng.choice([40, len(data)]), 3):
            damaged[place] = rng.choice([0, 1, 127, 255])
        try:
            photo = decode_photo(bytes(damaged), max_pixels=100_000)
            assert photo.ndim == 3
            assert photo.shape[0] * photo.shape[1] <= 100_000
        except PhotoError as error:
            refused += str(error).isprintable() or pytest.fail(repr(error))
    assert refused > 0
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize(("scans", "refused"), [(60, False), (120, True)])
def test_a_jpeg_of_very_many_scans_is_refused(scans, refused):
    data = corpus.jpeg(corpus.smooth("scans"), progressive=True)
    last = max(found.start() for found in re.finditer(b"\xff\xda", data))
    many = data[:-2] + data[last:-2] * scans + data[-2:]
    if refused:
        with pytest.raises(PhotoError, match="has more than 100 scans"):
            decode_photo(many)
    else:
        assert decode_photo(many).shape == (60, 84, 3)
