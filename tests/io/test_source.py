"""The bytes of files and streams, without waiting for ever and without a bomb going off."""

import os
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from cnnviz.errors import PhotoError
from cnnviz.io.source import read_bytes
from tests.support import corpus


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
