"""Bytes of a file or a stream, without waiting for endless or silent ones."""

import io
import os
import re
import stat
from pathlib import Path

from cnnviz.errors import PhotoError
from cnnviz.io.header import MAX_PIXELS, READABLE, START, may_be_picture, open_image

DESCRIPTOR = re.compile(r"/(?:dev|proc/self)/fd/([0-9]{1,9})")


def read_bytes(path: str | Path, max_pixels: int = MAX_PIXELS) -> bytes:
    """Return the bytes of a file, or of standard input for "-", /dev/stdin and /dev/fd/N.

    Raises PhotoError for a missing file, a device, a FIFO or a socket, an image of more than ``max_pixels`` by its
    header, and a file longer than any image within that limit.
    """
    name = os.fspath(path)
    limit = 16 * max_pixels + (64 << 20)
    try:
        if name in ("-", "/dev/stdin"):
            return _read_stream(0, limit)
        if number := DESCRIPTOR.fullmatch(name):
            return _read_stream(int(number[1]), limit)
        return _read_file(name, limit, max_pixels)
    except OSError as error:
        raise PhotoError((error.strerror or str(error)).lower()) from error
    except ValueError as error:  # a null byte in the name
        raise PhotoError("is not a valid file name") from error


def _read_file(name: str, limit: int, max_pixels: int) -> bytes:
    mode = os.stat(name).st_mode
    if not stat.S_ISREG(mode):
        raise PhotoError(f"is {_kind(mode)}, not an image")
    # O_NONBLOCK: if the file was replaced by a FIFO in between, the read must not hang.
    with os.fdopen(os.open(name, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0)), "rb") as file:
        _check_length(os.fstat(file.fileno()).st_size, limit)
        with open_image(file, max_pixels):
            file.seek(0)
            return file.read(limit)


def _read_stream(descriptor: int, limit: int) -> bytes:
    if os.isatty(descriptor):
        raise PhotoError("is a terminal: pipe an image in, or name a file")
    data = io.BytesIO()
    while chunk := os.read(descriptor, 1 << 20):
        before, after = data.tell(), data.tell() + data.write(chunk)
        # Checked by its start, so that an endless stream of anything else ends here.
        if before < START <= after and not may_be_picture(bytes(data.getbuffer()[:START])):
            raise PhotoError(f"is not an image of a supported format ({READABLE})")
        _check_length(after, limit)
    return data.getvalue()


def _check_length(length: int, limit: int) -> None:
    if length > limit:
        raise PhotoError(f"is longer than any image within --max-pixels ({limit >> 20} MiB)")


def _kind(mode: int) -> str:
    kinds = [
        (stat.S_ISDIR, "a folder"), (stat.S_ISFIFO, "a FIFO"), (stat.S_ISSOCK, "a socket"),
        (stat.S_ISCHR, "a device"), (stat.S_ISBLK, "a device"),
    ]  # fmt: skip
    return next((kind for is_kind, kind in kinds if is_kind(mode)), "no file")
