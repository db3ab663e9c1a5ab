"""Completeness of image files: decoders fill missing parts with grey, or stop there, without an error."""

import re
import struct
import zlib

from cnnviz.errors import PhotoError

# In a JPEG 0xFF begins a marker, except for stuffing (00), restarts (D0 to D7) and fill (FF).
MARKER = re.compile(rb"\xff([^\x00\xd0-\xd7\xff])")
MAX_SCANS = 100  # encoders write about ten; each is a pass over all pixels, so that thousands take minutes
SLICE = 1 << 14  # compressed bytes of a PNG unpacked at once: at most 16 MB of pixels


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
    at, view, missing, rows = 8, memoryview(data), _png_length(data[16:29]), zlib.decompressobj()
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


def _png_length(header: bytes) -> int:
    """Return the least number of bytes of all rows, each with its filter byte: Pillow leaves missing rows black."""
    width, height, depth, colour = struct.unpack_from(">IIBB", header)
    bits = depth * {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[colour]
    return int(height * (1 + (width * bits + 7) // 8))


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
