"""Images by their first bytes, and the limit on pixels."""

import pytest
from PIL import Image

from cnnviz.errors import PhotoError
from cnnviz.io.header import may_be_picture
from cnnviz.io.photo import decode_photo
from tests.support import corpus


@pytest.mark.parametrize(
    ("start", "picture"),
    [
        (b"\xff\xd8\xff\xe0", True), (b"\x89PNG\r\n\x1a\n", True), (b"P6\n3 2\n255\n", True), (b"Pf\n3 2\n-1\n", True),
        (b"RIFF\0\0\0\0WEBPVP8 ", True), (b"\0\0\0\x20ftypheic", True), (b"\0\0\0\x20ftypavif", True),
        (b"GIF89a", True),
        (b"BMW is a car and so on, no picture at all", False), (b"Python is a language", False), (b"P-value", False),
        (b"RIFF\0\0\0\0WAVEfmt ", False), (b"\0\0\0\x20ftypisom", False), (b"", False), (b"%!PS-Adobe-3.0 EPSF", False),
    ],
)  # fmt: skip
def test_a_picture_is_told_from_a_text_by_its_first_bytes(start, picture):
    assert may_be_picture(start) is picture


def decode(picture, kind="PNG", **options):
    return decode_photo(corpus.encode(picture, kind), **options)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "GIF", "TIFF", "BMP", "PPM", "JPEG2000", "AVIF"])
def test_the_cap_holds_to_the_pixel(kind):
    picture = corpus.smooth("cap", 20, 30)
    assert decode(picture, kind, max_pixels=600).shape == (20, 30, 3)
    with pytest.raises(PhotoError, match="has more than 599 pixels; see --max-pixels"):
        decode(picture, kind, max_pixels=599)


def test_the_cap_holds_for_later_pages():
    pages = corpus.encode(
        corpus.smooth("small", 8, 8), "TIFF", save_all=True, append_images=[Image.fromarray(corpus.smooth("large"))]
    )
    assert decode_photo(pages, frame=1).shape == (60, 84, 3)
    with pytest.raises(PhotoError, match="has more than 100 pixels"):
        decode_photo(pages, frame=1, max_pixels=100)
