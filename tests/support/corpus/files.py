"""Files by hand, where Pillow would write them too well, and ICC profiles with a plain answer."""

import io
import struct
import zlib
from collections.abc import Sequence
from typing import Any

import numpy as np
from PIL import ExifTags, Image


def encode(picture: Any, kind: str, **options: Any) -> bytes:
    """Return a picture, array or image, as a file of a kind by Pillow's name."""
    image = picture if isinstance(picture, Image.Image) else Image.fromarray(np.ascontiguousarray(picture))
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def jpeg(picture: Any, **options: Any) -> bytes:
    """Return a JPEG that differs from the picture by a few levels."""
    return encode(picture, "JPEG", **{"quality": 97, "subsampling": 0} | options)


def chunk(kind: bytes, data: bytes) -> bytes:
    """Return a PNG's chunk."""
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(pixels: Any, depth: int, colour: int, extra: bytes = b"", size: tuple[int, int] | None = None) -> bytes:
    """Return a PNG of rows (H, bytes), written by hand; ``size`` (w, h) may lie."""
    width, height = size or (pixels.shape[1] * 8 // depth // {0: 1, 2: 3, 3: 1}[colour], len(pixels))
    rows = b"".join(b"\0" + row.tobytes() for row in pixels)
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + extra + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def interlaced(picture: Any) -> bytes:
    """Return a PNG of RGB that comes in seven passes."""
    steps = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
    rows = b"".join(b"\0" + row.tobytes() for x, y, dx, dy in steps for row in picture[y::dy, x::dx])
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", picture.shape[1], len(picture), 8, 2, 0, 0, 1))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def tiff(tags: dict[int, Sequence[int] | int], data: bytes, order: str = "<", following: int = 0) -> bytes:
    """Return a TIFF written by hand: data at byte 8, then one directory; a tuple becomes 8-bit or 32-bit counts."""
    entries, extra = b"", b""
    start = 8 + len(data) + len(data) % 2
    tail = start + 2 + 12 * len(tags) + 4
    for tag, value in sorted(tags.items()):
        values = value if isinstance(value, Sequence) else (value,)
        packed = struct.pack(f"{order}{len(values)}I", *values)
        entries += struct.pack(f"{order}HHI", tag, 4, len(values))
        entries += packed if len(packed) == 4 else struct.pack(f"{order}I", tail + len(extra))
        extra += packed if len(packed) > 4 else b""
    head = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(f"{order}I", start)
    directory = struct.pack(f"{order}H", len(tags)) + entries + struct.pack(f"{order}I", following)
    return head + data + bytes(len(data) % 2) + directory + extra


def tags(height: int, width: int, bits: Sequence[int], photometric: int, length: int) -> dict[int, Sequence[int] | int]:
    """Return the tags of an uncompressed TIFF of one strip."""
    return {256: width, 257: height, 258: bits, 259: 1, 262: photometric, 273: 8, 277: len(bits), 278: height,
            279: length}  # fmt: skip


def segment(data: bytes, marker: int, payload: bytes) -> bytes:
    """Return a JPEG with one more segment at its beginning."""
    return data[:2] + bytes([0xFF, marker]) + struct.pack(">H", len(payload) + 2) + payload + data[2:]


def exif(orientation: int) -> Any:
    """Return EXIF data that say how a picture lies."""
    data = Image.Exif()
    data[ExifTags.Base.Orientation] = orientation
    return data


def encoded_srgb(linear: Any) -> Any:
    """Return linear light in [0, 1] as sRGB levels, float64 0 to 255."""
    v = np.clip(linear, 0, 1)
    return 255 * np.where(v <= 0.0031308, 12.92 * v, 1.055 * v ** (1 / 2.4) - 0.055)


def profile(space: bytes, parts: dict[bytes, bytes], pcs: bytes = b"XYZ ") -> bytes:
    """Return an ICC profile of version 2 with these tags."""
    kind = b"prtr" if space == b"CMYK" else b"mntr"
    table, body = struct.pack(">I", len(parts)), b""
    for name, part in parts.items():
        table += name + struct.pack(">II", 132 + 12 * len(parts) + len(body), len(part))
        body += part + bytes(-len(part) % 4)
    white = struct.pack(">3i", 63190, 65536, 54061)
    head = struct.pack(">I4sI4s4s4s12s4s4s24x", 132 + len(table) - 4 + len(body), b"lcms", 0x02100000, kind, space, pcs,
                       struct.pack(">6H", 2000, 1, 1, 0, 0, 0), b"acsp", b"APPL") + bytes(4) + white  # fmt: skip
    return head.ljust(128, b"\0") + table + body


def xyz(*values: float) -> bytes:
    """Return a colour of an ICC profile."""
    return b"XYZ \0\0\0\0" + struct.pack(">3i", *[round(v * 65536) for v in values])


def gamma_curve(value: float) -> bytes:
    """Return a curve of an ICC profile."""
    return b"curv\0\0\0\0" + struct.pack(">IH", 1, round(value * 256))


def description(text: bytes) -> bytes:
    """Return the text of an ICC profile's description."""
    return b"desc\0\0\0\0" + struct.pack(">I", len(text) + 1) + text + bytes(1 + 8 + 3 + 67)


def swapped_profile(gamma: float, name: bytes = b"swapped") -> bytes:
    """Return the profile of a screen whose red and green are swapped against sRGB's, and of another gamma."""
    red, green, blue = (
        (0.4360747, 0.2225045, 0.0139322),
        (0.3850649, 0.7168786, 0.0971045),
        (0.1430804, 0.0606169, 0.7141733),
    )
    curves = {name: gamma_curve(gamma) for name in (b"rTRC", b"gTRC", b"bTRC")}
    primaries = {b"rXYZ": xyz(*green), b"gXYZ": xyz(*red), b"bXYZ": xyz(*blue)}
    return profile(b"RGB ", {b"desc": description(name), b"wtpt": xyz(0.9642, 1, 0.8249)} | primaries | curves)


def ink_profile() -> bytes:
    """Return the profile of a press that prints grey whatever the ink: L* = 100 (1 - k) (1 - (c + m + y) / 6)."""
    corners = [(c, m, y, k) for c in (0, 1) for m in (0, 1) for y in (0, 1) for k in (0, 1)]
    grid = bytes(v for c, m, y, k in corners for v in (round(255 * (1 - k) * (1 - (c + m + y) / 6)), 128, 128))
    identity = struct.pack(">9i", *[65536 * (i % 4 == 0) for i in range(9)])
    ramps = bytes(range(256))
    lut = b"mft1\0\0\0\0" + bytes([4, 3, 2, 0]) + identity + ramps * 4 + grid + ramps * 3
    return profile(b"CMYK", {b"desc": description(b"grey ink"), b"A2B0": lut, b"wtpt": xyz(0.9642, 1, 0.8249)}, b"Lab ")
