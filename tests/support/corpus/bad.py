"""What must be refused: cut short, no picture at all, too large, broken, no file."""

import math
import os
import re
import socket
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from tests.support.corpus.cases import HEIGHT, WIDTH, Case, paletted, save, smooth
from tests.support.corpus.files import chunk, encode, jpeg, png, segment, tags, tiff


def whole_files() -> dict[str, bytes]:
    """Return one whole file of every format, by its ending; "scans.jpg" is a progressive one."""
    picture = smooth("whole")
    plain = b"P3\n%d %d\n255\n" % (WIDTH, HEIGHT) + b" ".join(b"%d" % v for v in picture.ravel()) + b"\n"
    return {
        "jpg": jpeg(picture), "scans.jpg": jpeg(picture, progressive=True), "png": encode(picture, "PNG"),
        "webp": encode(picture, "WEBP"), "gif": encode(paletted("whole")[0], "GIF"), "tif": encode(picture, "TIFF"),
        "lzw.tif": encode(picture, "TIFF", compression="tiff_lzw"), "bmp": encode(picture, "BMP"),
        "ppm": encode(picture, "PPM"), "plain.ppm": plain, "jp2": encode(picture, "JPEG2000"),
        "avif": encode(picture, "AVIF"), "ico": encode(picture[:48, :48], "ICO", bitmap_format="bmp"),
    }  # fmt: skip


def _cut(folder: Path) -> Iterator[Case]:
    whole = whole_files()
    for ending in ("jpg", "png", "webp", "gif", "tif", "bmp", "ppm", "jp2", "avif"):
        data = whole[ending]
        for where, length in {"1": 1, "head": 20, "half": len(data) // 2, "last": len(data) - 2}.items():
            yield save(folder, f"cut-{where}.{ending}", data[:length])
    scans = [found.start() for found in re.finditer(b"\xff\xda", whole["scans.jpg"])]
    yield save(folder, "cut-scans.jpg", whole["scans.jpg"][: scans[3]])
    thumbnail = segment(whole["jpg"], 0xE1, b"Exif\0\0" + jpeg(smooth("thumbnail", 12, 16)))
    yield save(folder, "cut-thumbnail.jpg", thumbnail[: len(thumbnail) * 3 // 4])
    half = len(whole["jpg"]) // 2
    yield save(folder, "cut-zeros.jpg", whole["jpg"][:half] + bytes(half))
    yield save(folder, "cut-number.ppm", whole["plain.ppm"][:-2])
    yield save(folder, "cut-lzw.tif", whole["lzw.tif"][: len(whole["lzw.tif"]) // 2])


def _no_pictures(folder: Path) -> Iterator[Case]:
    noise = np.random.default_rng(1).bytes(3000)
    heic = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(200)
    script = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 99 99\n(%pipe%touch ran) (w) file\nshowpage\n%%EOF\n"
    no = "is not an image"
    yield save(folder, "empty.png", b"", says="is empty")
    yield save(folder, "text.jpg", b"BM, Py and GIF are how some texts begin.\n" * 9, says=no)
    yield save(folder, "page.jpg", b"%PDF-1.7\n1 0 obj <<>> endobj\n%%EOF\n", says=no)
    yield save(folder, "drawing.png", b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"/>\n', says=no)
    yield save(folder, "script.png", script, says=no)
    yield save(folder, "phone.heic", heic, says="is a HEIC image")
    yield save(folder, "phone.jpg", heic.replace(b"ftypheic", b"ftypmif1"), says="is a HEIC image")
    yield save(folder, "film.png", b"\0\0\0\x18ftypisom\0\0\0\0isomiso2" + bytes(200), says=no)
    yield save(folder, "noise.jpg", noise, says=no)
    yield save(folder, "noise-in.jpg", b"\xff\xd8\xff\xe0" + noise)
    yield save(folder, "noise-in.png", b"\x89PNG\r\n\x1a\n" + noise)
    yield save(folder, "noise-in.tif", b"II*\0" + noise)
    yield save(folder, "zeros.webp", bytes(3000), says=no)


def _bombs(folder: Path) -> Iterator[Case]:
    dot, large, zip_bomb = (
        np.zeros((8, 24), np.uint8),
        "has more than 100,000,000 pixels",
        zlib.compress(bytes(10**8), 9),
    )
    yield save(folder, "bomb.png", png(dot, 8, 2, size=(50000, 50000)), says=large)
    yield save(folder, "bomb-text.png", png(dot, 8, 2, chunk(b"zTXt", b"a\0\0" + zip_bomb)))
    yield save(folder, "bomb-profile.png", png(dot, 8, 2, chunk(b"iCCP", b"a\0\0" + zip_bomb)))
    screen = b"GIF89a" + struct.pack("<HHBBB", 8, 8, 0x80, 0, 0) + bytes(6)
    frame = b"," + struct.pack("<HHHHB", 0, 0, 60000, 60000, 0) + b"\x02\x02\x4c\x01\0;"
    yield save(folder, "bomb-frame.gif", screen + frame, says=large)
    yield save(folder, "bomb.gif", screen.replace(struct.pack("<HH", 8, 8), b"\xff" * 4) + frame, says=large)
    yield save(folder, "bomb.tif", tiff(tags(10**6, 10**6, (8,), 1, 9), bytes(9)), says=large)
    tiled = tags(16, 16, (8,), 1, 9) | {259: 8, 322: 20000, 323: 20000, 324: 8, 325: len(zip_bomb)}
    yield save(
        folder,
        "bomb-tile.tif",
        tiff({k: v for k, v in tiled.items() if k not in (273, 278, 279)}, zip_bomb),
        says="has tiles of",
    )
    yield save(folder, "bomb-samples.tif", tiff(tags(9, 9, (8,), 1, 81) | {277: 51203}, bytes(81)))
    canvas = b"WEBPVP8X" + struct.pack("<IB3x", 10, 2) + (16382).to_bytes(3, "little") * 2
    body = canvas + encode(smooth("bomb", 8, 8), "WEBP", lossless=True)[12:]
    yield save(folder, "bomb-canvas.webp", b"RIFF" + struct.pack("<I", len(body)) + body)
    solid = bytes.fromhex("52494646220000005745425056503820160000003001009d012a") + struct.pack("<HH", 16383, 16383)
    yield save(folder, "bomb.webp", (solid + bytes(12)).ljust(42, b"\0"))
    bitmap = encode(smooth("bomb", 8, 8), "BMP")
    for name, height in (("tall", 2**31 - 1), ("deep", -(2**31))):
        yield save(folder, f"bomb-{name}.bmp", bitmap[:22] + struct.pack("<i", height) + bitmap[26:])
    inner = png(dot, 8, 2, size=(50000, 50000))
    icon = struct.pack("<HHHBBBBHHII", 0, 1, 1, 16, 16, 0, 0, 1, 32, len(inner), 22) + inner
    yield save(folder, "bomb.ico", icon, says=large)
    wave = bytearray(encode(smooth("bomb", 8, 8), "JPEG2000"))
    at = wave.index(b"\xff\x51")  # the stream's own size, against the box around it
    for offset in (6, 22):
        wave[at + offset : at + offset + 8] = struct.pack(">II", 30000, 30000)
    yield save(folder, "bomb-inside.jp2", bytes(wave))
    data = jpeg(smooth("scans"), progressive=True)
    starts = [found.start() for found in re.finditer(b"\xff\xda", data)]
    yield save(folder, "bomb-scans.jpg", data[:-2] + data[starts[-1] : -2] * 5000 + data[-2:], says="scans")


def _broken(folder: Path) -> Iterator[Case]:
    flipped = bytearray(encode(smooth("flipped"), "PNG"))
    flipped[len(flipped) // 2] ^= 1
    yield save(folder, "flipped.png", bytes(flipped), says="damaged")
    yield save(folder, "short-data.png", png(smooth("short")[:9].reshape(9, -1), 8, 2, size=(WIDTH, HEIGHT)))
    strips = tags(9, 9, (8,), 1, 81)
    count = bytearray(tiff(strips, bytes(81)))
    at = count.index(struct.pack("<HHI", 273, 4, 1))
    count[at + 4 : at + 8] = b"\xff" * 4
    yield save(folder, "strips.tif", bytes(count))
    yield save(folder, "no-directory.tif", b"II*\0" + struct.pack("<I", 2**31) + bytes(99))
    yield save(folder, "no-pixels.png", png(np.zeros((0, 3), np.uint8), 8, 2, size=(0, 0)))
    values = smooth("float", channels=1)[..., 0] / np.float32(255)
    for name, wrong in {"nan": math.nan, "infinite": math.inf, "above": 1.5, "below": -0.25}.items():
        bad = values.copy()
        bad[7, 9] = wrong
        said = "outside 0 to 1" if math.isfinite(wrong) else "not finite"
        yield save(folder, f"{name}.tif", encode(bad, "TIFF"), says=said)
    for name, value in {"above-int": 65536, "below-int": -1}.items():
        wide = smooth(name, channels=1)[..., 0].astype(np.int32) * 257
        wide[7, 9] = value
        yield save(folder, f"{name}.tif", encode(wide, "TIFF"), says="outside 0 to 65535")


def _no_files(folder: Path) -> Iterator[Case]:
    os.mkfifo(folder / "fifo.jpg")
    yield Case(folder / "fifo.jpg", says="is a FIFO, not an image")
    (folder / "loop.jpg").symlink_to("pool.jpg")
    (folder / "pool.jpg").symlink_to("loop.jpg")
    yield Case(folder / "loop.jpg", says="symbolic links")
    yield Case(folder / "pool.jpg", says="symbolic links")
    (folder / "dangling.jpg").symlink_to("nowhere.jpg")
    yield Case(folder / "dangling.jpg", says="no such file")
    (folder / "zero.jpg").symlink_to("/dev/zero")
    yield Case(folder / "zero.jpg", says="is a device, not an image")
    with socket.socket(socket.AF_UNIX) as listener:
        here = Path.cwd()
        os.chdir(folder)  # a socket's path is short
        listener.bind("socket.jpg")
        os.chdir(here)
    yield Case(folder / "socket.jpg", says="is a socket, not an image")
    (folder / "folder.jpg").mkdir()
    yield save(folder / "folder.jpg", "inside.png", encode(smooth("inside"), "PNG"), smooth("inside"))
    locked = save(folder, "locked.png", encode(smooth("locked"), "PNG"), smooth("locked"))
    locked.path.chmod(0)
    yield locked if os.access(locked.path, os.R_OK) else Case(locked.path, says="permission denied")  # root may


PARTS = (_cut, _no_pictures, _bombs, _broken, _no_files)
