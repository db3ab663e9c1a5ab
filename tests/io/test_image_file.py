"""Image files before they are decoded: bytes, format, number of pixels, completeness."""

import os
import re
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cnnviz.errors import PhotoError
from cnnviz.io.image_file import may_be_picture, read_bytes
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


@pytest.fixture(scope="module")
def cases(tmp_path_factory):
    return corpus.build(tmp_path_factory.mktemp("corpus"))


# Files and streams


def test_reading_gives_the_very_bytes(tmp_path):
    data = corpus.encode(corpus.smooth("bytes"), "PNG")
    (tmp_path / "a.png").write_bytes(data)
    assert read_bytes(tmp_path / "a.png") == data
    assert read_bytes(str(tmp_path / "a.png")) == data


@pytest.mark.parametrize("form", ["/dev/fd/{}", "/proc/self/fd/{}"])
def test_a_pipe_is_read_by_its_descriptor(form):
    data = corpus.encode(np.random.default_rng(0).integers(0, 256, (300, 300, 3), np.uint8), "PNG")
    out, into = os.pipe()
    with os.fdopen(into, "wb") as pipe:
        writer = threading.Thread(target=lambda: (pipe.write(data), pipe.close()))
        writer.start()
        read = read_bytes(form.format(out))
        writer.join()
    os.close(out)
    assert len(data) > 1 << 16  # more than the pipe holds at once
    assert read == data


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("/dev/fd/99999", "bad file descriptor"), ("/dev/fd/99999999999999999999", "no such file"),
        ("/dev/zero", "is a device"), ("/dev/null", "is a device"), (".", "is a folder"), ("", "no such file"),
        ("a\0b", "is not a valid file name"), ("x" * 300, "file name too long"), ("/dev/fd/-1", "no such file"),
    ],
)  # fmt: skip
def test_what_is_no_file_is_refused(name, said):
    with pytest.raises(PhotoError, match=said):
        read_bytes(name)


def test_an_endless_stream_ends_at_its_start_or_at_the_limit():
    def read(start):
        out, into = os.pipe()
        done = threading.Event()

        def write():
            with os.fdopen(into, "wb", buffering=0) as pipe:
                try:
                    pipe.write(start)
                    while not done.is_set():
                        pipe.write(bytes(1 << 16))
                except BrokenPipeError:
                    pass

        writer = threading.Thread(target=write)
        writer.start()
        try:
            read_bytes(f"/dev/fd/{out}", max_pixels=1)
        finally:
            done.set()
            os.close(out)
            writer.join(30)
            assert not writer.is_alive()

    with pytest.raises(PhotoError, match="is not an image"):
        read(b"")
    with pytest.raises(PhotoError, match=r"is longer than any image within --max-pixels \(64 MiB\)"):
        read(b"\xff\xd8\xff")


def test_a_terminal_is_not_waited_for():
    master, slave = os.openpty()
    with pytest.raises(PhotoError, match="is a terminal"):
        read_bytes(f"/dev/fd/{slave}")
    os.close(master)
    os.close(slave)


def test_a_huge_file_is_refused_before_it_is_read(tmp_path):
    for name, size in (("header.tif", 1_600_000_200), ("length.tif", 10**12)):
        header = corpus.tiff({256: 40000, 257: 40000, 258: 8, 259: 1, 262: 1, 273: 8, 277: 1, 278: 40000}, b"")
        with (tmp_path / name).open("wb") as file:
            file.write(header)
            file.truncate(size)  # holes: it takes no disk
    for name, said in (("header.tif", "has more than"), ("length.tif", "is longer than any image")):
        seconds, megabytes, text = measure(tmp_path / name)
        assert said in text
        assert seconds < 1
        assert megabytes < 100


# Bombs, measured in a process of their own


def measure(*paths: Path) -> tuple[float, float, str]:
    """Return processor seconds, megabytes over a process that imports images, and what is said: the worst of all."""
    script = """
import sys, time
from cnnviz.errors import PhotoError
from cnnviz.io.photo import read_photo
def peak(): return int(next(line for line in open("/proc/self/status") if line.startswith("VmHWM")).split()[1]) / 1024
base, said = peak(), "nothing"
for path in sys.argv[1:]:
    start = time.process_time()
    try: read_photo(path)
    except PhotoError as error: said = str(error)
    print(time.process_time() - start, peak() - base, said, sep="|")
"""
    done = subprocess.run([sys.executable, "-c", script, *paths], capture_output=True, text=True, timeout=120, cwd="/")
    assert done.stderr == ""
    lines = [line.split("|", 2) for line in done.stdout.splitlines()]
    assert len(lines) == len(paths)
    return max(float(line[0]) for line in lines), max(float(line[1]) for line in lines), lines[-1][2]


def test_bombs_cost_less_than_a_second_and_100_megabytes(cases):
    bombs = [case.path for case in cases if case.path.name.startswith("bomb")]
    assert len(bombs) >= 10
    seconds, megabytes, _ = measure(*bombs)
    assert seconds < 1
    assert megabytes < 100
    assert measure(next(case.path for case in cases if case.path.name == "plain.png"))[2] == "nothing"
