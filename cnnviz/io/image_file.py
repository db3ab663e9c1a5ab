"""Image files before they are decoded: their bytes, format, number of pixels, and completeness."""

import io
import logging
import os
import re
import stat
import struct
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from PIL import Image, ImageFile, UnidentifiedImageError

from cnnviz.errors import CnnvizError, PhotoError
from cnnviz.text import printable

logging.getLogger("PIL").addHandler(logging.NullHandler())  # otherwise it writes to standard error

MAX_PIXELS = 100_000_000
START = 32
# JPEG includes MPO. Without QOI: Pillow decodes it in Python, minutes for a large one.
FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP", "PPM", "JPEG2000", "AVIF", "ICO")
READABLE = "JPEG, PNG, WebP, GIF, TIFF, BMP, PPM, JPEG 2000, AVIF and ICO"
BRANDS = rb"avi[fs]|hei[cxms]|hev[cxms]|mif1|msf1"
# Stricter than Pillow's own tests, which take a text that begins with "BM" or "Py" for an image.
PICTURE = re.compile(
    rb"\xff\xd8\xff|\x89PNG\r\n\x1a\n|RIFF.{4}WEBP|GIF8[79]a|II[*+]\0|MM\0[*+]|BM.{12}[\x0c(4@l|8]\0{3}|P[1-6fF]\s"
    rb"|\xff\x4f\xff\x51|\0{3}\x0cjP  \r\n\x87\n|\0\0\x01\0[^\0]\0|.{4}ftyp(?:" + BRANDS + rb")",
    re.DOTALL,
)
KINDS = {
    stat.S_IFDIR: "a folder", stat.S_IFIFO: "a FIFO", stat.S_IFSOCK: "a socket", stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}  # fmt: skip
DESCRIPTOR = re.compile(r"/(?:dev|proc/self)/fd/([0-9]{1,9})")
# In a JPEG 0xFF begins a marker, except for stuffing (00), restarts (D0 to D7) and fill (FF).
MARKER = re.compile(rb"\xff([^\x00\xd0-\xd7\xff])")
MAX_SCANS = 100  # encoders write about ten; each is a pass over all pixels, so that thousands take minutes
SLICE = 1 << 14  # compressed bytes of a PNG unpacked at once: at most 16 MB of pixels


def read_bytes(path: str | Path, max_pixels: int = MAX_PIXELS) -> bytes:
    """Return the bytes of a file, or of standard input for "-", /dev/stdin and /dev/fd/N.

    Raises PhotoError for anything but a file, and for one larger than ``max_pixels`` by its header or its length.
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
        raise PhotoError(f"is {KINDS.get(stat.S_IFMT(mode), 'no file')}, not an image")
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


def may_be_picture(start: bytes) -> bool:
    """Return whether the first START bytes of a file are those of an image; True for HEIC, refused later by name."""
    return PICTURE.match(start) is not None


@contextmanager
def open_image(file: IO[bytes], max_pixels: int) -> Iterator[ImageFile.ImageFile]:
    """Yield an image whose header has been checked; any error while it is open becomes a PhotoError."""
    start = file.read(START + 256)
    file.seek(0)
    _check_kind(start)
    limit = Image.MAX_IMAGE_PIXELS
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            # Pillow checks before each allocation; above our limit its warning is an error.
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            Image.MAX_IMAGE_PIXELS = max_pixels
            with Image.open(file, formats=FORMATS) as image:
                yield image
    except CnnvizError:
        raise
    except UnidentifiedImageError:
        raise PhotoError("is broken: its header cannot be read") from None
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise PhotoError(f"has more than {max_pixels:,} pixels; see --max-pixels") from error
    except MemoryError:
        raise PhotoError("does not fit into memory") from None
    except Exception as error:  # decoders can raise any exception on a damaged file
        text = printable((str(error).strip().splitlines() or [type(error).__name__])[0])
        raise PhotoError(f"is broken or cut short ({text})") from error
    finally:
        Image.MAX_IMAGE_PIXELS = limit


def _check_kind(start: bytes) -> None:
    """Raise PhotoError for what is no image by its first bytes, before Pillow tries its decoders."""
    if not start:
        raise PhotoError("is empty")
    if start[4:8] == b"ftyp" and may_be_picture(start) and not re.search(rb"avi[fs]", start[8:]):
        raise PhotoError("is a HEIC image, which is not supported; convert it to JPEG or PNG")
    if not may_be_picture(start):
        raise PhotoError(f"is not an image of a supported format ({READABLE})")


def check_integrity(kind: str, data: bytes) -> None:
    """Raise PhotoError for a truncated or damaged file; ``kind`` is Pillow's name of its format."""
    checks = {"JPEG": _jpeg, "MPO": _jpeg, "PNG": _png, "GIF": _gif, "PPM": _ppm}
    try:
        complete = kind not in checks or checks[kind](data)
    except (struct.error, zlib.error, IndexError):
        complete = False
    if not complete:
        raise PhotoError("is truncated or damaged: its end is missing, or a checksum is wrong")


def _jpeg(data: bytes) -> bool:
    """Return whether an end marker follows the last scan (a thumbnail in the header has its own)."""
    at, scans = 2, 0
    while match := MARKER.search(data, at):
        marker, at = match[1][0], match.end()
        if marker == 0xD9:
            return True
        if marker not in (0x01, 0xD8):
            at += struct.unpack_from(">H", data, at)[0]
        scans += marker == 0xDA
        if scans > MAX_SCANS:
            raise PhotoError(f"has more than {MAX_SCANS} scans, which would take minutes to decode")
    return False


def _png(data: bytes) -> bool:
    """Return whether the end chunk is there, the checksums of critical chunks are right, and no row is missing."""
    width, height, depth, colour = struct.unpack_from(">IIBB", data, 16)
    bits = depth * {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[colour]
    # the bytes of all rows, each with its filter byte, at least: Pillow leaves missing rows black
    missing: int = height * (1 + (width * bits + 7) // 8)
    at, view, rows = 8, memoryview(data), zlib.decompressobj()
    while True:
        length, kind = struct.unpack_from(">I4s", data, at)
        part = view[at + 8 : at + 8 + length]
        at += 12 + length
        if kind[:1].isupper() and zlib.crc32(part, zlib.crc32(kind)) != struct.unpack_from(">I", data, at - 4)[0]:
            return False
        if kind == b"IEND":
            return missing <= 0
        for start in range(0, length if kind == b"IDAT" else 0, SLICE):
            missing -= len(rows.decompress(part[start : start + SLICE])) if missing > 0 else 0


def _gif(data: bytes) -> bool:
    """Return whether the trailer is there."""
    at = 13 + _gif_colours(data[10])
    while data[at] != 0x3B:
        if data[at] not in (0x21, 0x2C):  # stray bytes between the blocks, which viewers skip
            at += 1
            continue
        at += 2 if data[at] == 0x21 else 11 + _gif_colours(data[at + 9])
        while data[at]:
            at += 1 + data[at]
        at += 1
    return True


def _gif_colours(flags: int) -> int:
    return 3 << ((flags & 7) + 1) if flags & 0x80 else 0


def _ppm(data: bytes) -> bool:
    """Return whether the last number of a plain file is complete; Pillow counts the others."""
    return data[:2] not in (b"P2", b"P3") or data[-1:].isspace()
