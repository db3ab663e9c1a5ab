"""Whether a file has all its parts: decoders fill what is missing with grey, or take what there is."""

import re
import struct
import zlib

from cnnviz.errors import PhotoError

# In a JPEG 0xFF begins a marker, but for stuffing (00), restarts (D0 to D7) and fill (FF).
MARKER = re.compile(rb"\xff([^\x00\xd0-\xd7\xff])")
MAX_SCANS = 100  # an encoder writes about ten; each costs a pass over all pixels, so that thousands take minutes
SLICE = 1 << 14  # bytes of a PNG's pixels unpacked at once: at most 16 MB of them


def check_integrity(kind: str, data: bytes) -> None:
    """Raise PhotoError for a file of a kind, by Pillow's name, that lacks its end or whose parts are damaged."""
    checks = {"JPEG": _jpeg, "MPO": _jpeg, "PNG": _png, "GIF": _gif, "PPM": _ppm}
    try:
        whole = kind not in checks or checks[kind](data)
    except (struct.error, zlib.error, IndexError):
        whole = False
    if not whole:
        raise PhotoError("is cut short or damaged: its end is missing, or a part of it does not add up")


def _jpeg(data: bytes) -> bool:
    """Return whether an end marker follows the last scan (a thumbnail in the header has its own)."""
    at, scans = 2, 0
    while found := MARKER.search(data, at):
        marker, at = found[1][0], found.end()
        if marker == 0xD9:
            return True
        if marker not in (0x01, 0xD8):
            at += struct.unpack_from(">H", data, at)[0]
        scans += marker == 0xDA
        if scans > MAX_SCANS:
            raise PhotoError(f"has more than {MAX_SCANS} scans, which would take minutes to decode")
    return False


def _png(data: bytes) -> bool:
    """Return whether the chunks reach the end chunk, those that make the pixels have their checksums, no row lacks."""
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
    """Return how many bytes the rows take at least, each with its filter: Pillow leaves black what is not there."""
    width, height, depth, colour = struct.unpack_from(">IIBB", header)
    bits = depth * {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[colour]
    return int(height * (1 + (width * bits + 7) // 8))


def _gif(data: bytes) -> bool:
    """Return whether the blocks reach the trailer."""
    at = 13 + _gif_colours(data[10])
    while data[at] != 0x3B:
        if data[at] not in (0x21, 0x2C):  # strays between the blocks, which every viewer skips
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
    """Return whether the last number of a plain one has its end; Pillow counts the others."""
    return data[:2] not in (b"P2", b"P3") or data[-1:].isspace()
