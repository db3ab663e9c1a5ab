"""A file whole or not at all, and never in the place of one that somebody else wrote."""

import io
import os
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pytest
from PIL import Image

from cnnviz.errors import InvalidRequest, OutputError, Terminated
from cnnviz.io import write

RECIPE = {"recipe": 1, "command": "occlude"}
PICTURE = np.random.default_rng(0).integers(0, 256, (40, 30, 3), np.uint8)


def make(path: Path) -> bytes:
    write.write_image(str(path), PICTURE, RECIPE)
    return path.read_bytes()


def test_png_keeps_every_pixel(tmp_path: Path) -> None:
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(make(tmp_path / "a.png")))), PICTURE)


def test_the_same_picture_is_the_same_bytes_at_another_time(tmp_path: Path) -> None:
    names = ("a.png", "a.jpg", "a.webp")
    first = [make(tmp_path / name) for name in names]
    write.write_arrays(str(tmp_path / "a.npz"), {"x": PICTURE}, RECIPE)
    arrays = (tmp_path / "a.npz").read_bytes()
    time.sleep(2.1)  # a zip archive counts in steps of two seconds
    assert [make(tmp_path / name) for name in names] == first
    write.write_arrays(str(tmp_path / "a.npz"), {"x": PICTURE}, RECIPE)
    assert (tmp_path / "a.npz").read_bytes() == arrays


def test_only_what_cnnviz_wrote_is_replaced_unless_asked(tmp_path: Path) -> None:
    mine, other = tmp_path / "mine.png", tmp_path / "other.png"
    make(mine)
    Image.fromarray(PICTURE).save(other)
    write.check_output(str(mine), overwrite=False)
    write.check_output(str(other), overwrite=True)
    write.check_output(str(tmp_path / "new.png"), overwrite=False)
    with pytest.raises(OutputError, match=r"other\.png: exists and was not written by cnnviz; --overwrite replaces it"):
        write.check_output(str(other), overwrite=False)
    (tmp_path / "link.png").symlink_to(other)
    with pytest.raises(OutputError, match="exists and was not written"):
        write.check_output(str(tmp_path / "link.png"), overwrite=False)


def test_a_device_a_pipe_a_socket_or_a_folder_is_never_replaced(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.png")
    (tmp_path / "folder.png").mkdir()
    (tmp_path / "null.png").symlink_to("/dev/null")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(os.path.relpath(tmp_path / "socket.png"))
        for name in ("pipe.png", "folder.png", "null.png", "socket.png"):
            with pytest.raises(OutputError, match="and is not replaced"):
                write.check_output(str(tmp_path / name), overwrite=True)


def test_places_that_cannot_be_written_are_told_before_any_work(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "loop.png").symlink_to(tmp_path / "loop.png")
    for name, told in (
        ("no/a.png", "there is no folder"), ("file/a.png", "there is no folder"), ("loop.png", "symbolic links"),
        ("a" * 300 + ".png", "file name too long"),
    ):  # fmt: skip
        with pytest.raises(OutputError, match=told):
            write.check_output(str(tmp_path / name), overwrite=True)
    with pytest.raises(OutputError, match="file exists"):
        write.make_folder(tmp_path / "file")


def test_a_folder_without_the_right_to_write_is_told_before_any_work() -> None:
    code = """
import os, sys
from cnnviz.errors import OutputError
from cnnviz.io.write import check_output
if os.geteuid() == 0:  # root may write anywhere, so become somebody else
    os.setuid(65534)
try:
    check_output(sys.argv[1], overwrite=True)
except OutputError as error:
    print(error)
"""
    with tempfile.TemporaryDirectory() as folder:  # pytest's own folders are closed to others
        os.chmod(folder, 0o555)
        done = subprocess.run([sys.executable, "-c", code, f"{folder}/a.png"], capture_output=True, text=True)
    assert (done.stdout, done.stderr) == (f"{folder}/a.png: permission denied\n", "")


def test_the_umask_holds(tmp_path: Path) -> None:
    for mask, mode in ((0o022, 0o644), (0o077, 0o600), (0o002, 0o664)):
        old = os.umask(mask)
        try:
            make(tmp_path / "a.png")
        finally:
            os.umask(old)
        assert (tmp_path / "a.png").stat().st_mode & 0o777 == mode


@pytest.mark.parametrize(
    "error", [OSError(28, "No space left on device"), ValueError("odd"), Terminated(), MemoryError()]
)
def test_whatever_happens_the_old_file_stays_and_nothing_else(tmp_path: Path, error: BaseException) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(b"old")

    def fail(file: BinaryIO) -> None:
        file.write(b"half")
        raise error

    expected = OutputError if isinstance(error, OSError | ValueError) else type(error)
    with pytest.raises(expected) as caught:
        write.write(str(path), fail)
    if expected is OutputError:
        assert str(caught.value).startswith(f"{path}: {'no space' if isinstance(error, OSError) else 'odd'}")
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["a.png"]


def test_a_link_keeps_pointing_where_it_did(tmp_path: Path) -> None:
    (tmp_path / "far").mkdir()
    (tmp_path / "link.png").symlink_to("far/a.png")
    made = make(tmp_path / "link.png")
    assert (tmp_path / "link.png").is_symlink()
    assert (tmp_path / "far" / "a.png").read_bytes() == made


def test_sides_too_long_for_a_format_are_told(tmp_path: Path) -> None:
    for name, side in (("a.jpg", 65501), ("a.webp", 16384)):
        tall = np.zeros((side, 1, 3), np.uint8)
        with pytest.raises(OutputError, match=rf"1x{side} pixels are too many for (JPEG|WEBP); use PNG"):
            write.write_image(str(tmp_path / name), tall, RECIPE)
        write.write_image(str(tmp_path / name), tall[1:], RECIPE)
        write.write_image(str(tmp_path / "a.png"), tall, RECIPE)


def test_the_ending_chooses_the_format() -> None:
    assert [write.image_format(name) for name in ("a.PNG", "a.jpeg", "a.webp", "-", "/dev/stdout")] == [
        "PNG", "JPEG", "WEBP", "PNG", "PNG",
    ]  # fmt: skip
    with pytest.raises(InvalidRequest, match=r"a\.gif: write to a name that ends in \.png, \.jpg, \.jpeg, \.webp"):
        write.image_format("a.gif")


def test_standard_output_is_written_whole_through_a_slow_pipe() -> None:
    code = "import sys; from cnnviz.io import write; write.write('-', lambda f: f.write(bytes(range(256)) * 10_000))"
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as process:
        assert process.stdout
        assert process.stdout.read() == bytes(range(256)) * 10_000
    assert process.returncode == 0
