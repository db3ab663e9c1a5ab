"""What must be read, and the photograph that it holds."""

import os
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from tests.support.corpus.cases import HEIGHT, TURNS, WIDTH, Case, grey, paletted, patches, save, smooth
from tests.support.corpus.files import (
    chunk,
    description,
    encode,
    encoded_srgb,
    exif,
    gamma_curve,
    ink_profile,
    interlaced,
    jpeg,
    png,
    profile,
    segment,
    swapped_profile,
    tags,
    tiff,
    xyz,
)  # fmt: skip


def _plain(folder: Path) -> Iterator[Case]:
    for ending, options, tolerance in (
        ("jpg", {"quality": 97, "subsampling": 0}, 5), ("png", {}, 0), ("webp", {"lossless": True}, 0), ("tif", {}, 0),
        ("bmp", {}, 0), ("ppm", {}, 0), ("jp2", {}, 0), ("avif", {"quality": 95, "subsampling": "4:4:4"}, 6),
    ):  # fmt: skip
        picture = smooth(f"plain.{ending}")
        kind = Image.registered_extensions()[f".{ending}"]
        yield save(folder, f"plain.{ending}", encode(picture, kind, **options), picture, tolerance)
    image, truth = paletted("plain.gif")
    yield save(folder, "plain.gif", encode(image, "GIF"), truth)
    icon = smooth("plain.ico", 48, 48)
    yield save(folder, "plain.ico", encode(icon, "ICO", sizes=[(48, 48)]), icon)
    for name in ("lossy.webp", "progressive.jpg"):
        options = {"progressive": True, "subsampling": 0} if name.endswith("jpg") else {}
        kind = "JPEG" if name.endswith("jpg") else "WEBP"
        yield save(folder, name, encode(smooth(name), kind, quality=97, **options), smooth(name), 8)
    for name in ("lzw.tif", "deflate.tif"):
        squeezed = encode(smooth(name), "TIFF", compression="tiff_lzw" if name == "lzw.tif" else "tiff_adobe_deflate")
        yield save(folder, name, squeezed, smooth(name))
    brand = encode(smooth("brand.avif"), "AVIF", quality=95, subsampling="4:4:4").replace(b"ftypavif", b"ftypmif1", 1)
    yield save(folder, "brand.avif", brand, smooth("brand.avif"), 6)


def _exif(folder: Path) -> Iterator[Case]:
    for number, turn in TURNS.items():
        upright = smooth(f"exif-{number}")
        yield save(folder, f"exif-{number}.jpg", jpeg(turn(upright), exif=exif(number)), upright, 5)
    picture = smooth("exif-9")
    yield save(folder, "exif-9.jpg", jpeg(picture, exif=exif(9)), picture, 5)
    for ending, kind in (("png", "PNG"), ("tif", "TIFF"), ("webp", "WEBP")):
        upright = smooth(f"exif.{ending}")
        options = {"lossless": True} if ending == "webp" else {}
        yield save(folder, f"exif.{ending}", encode(TURNS[6](upright), kind, exif=exif(6), **options), upright)
    broken = smooth("exif-broken")
    data = segment(jpeg(broken), 0xE1, b"Exif\0\0not EXIF at all")
    yield save(folder, "exif-broken.jpg", data, broken, 5)
    words = chunk(b"tEXt", b"Raw profile type exif\0\nexif\n      12\nno numbers\n")
    broken = smooth("exif-broken.png")
    data = png(broken.reshape(HEIGHT, -1), 8, 2, words)
    yield save(folder, "exif-broken.png", data, broken, 0, "EXIF data cannot be read")
    deep = smooth("exif-16", channels=1)[..., 0]
    data = encode(TURNS[8](deep).astype(np.uint16) * 257, "PNG", exif=exif(8))
    yield save(folder, "exif-16.png", data, grey(deep))


def _profiles(folder: Path) -> Iterator[Case]:
    for name, title in (("profile", b"swapped"), ("profile-lie", b"sRGB IEC61966-2.1")):
        values = smooth(name)
        truth = encoded_srgb((values[..., [1, 0, 2]] / 255.0) ** 1.8)
        data = encode(values, "PNG", icc_profile=swapped_profile(1.8, title))
        yield save(folder, f"{name}.png", data, truth.round().astype(np.uint8), 2)
    values = smooth("profile.jpg")
    truth = encoded_srgb((values[..., [1, 0, 2]] / 255.0) ** 1.8).round().astype(np.uint8)
    yield save(folder, "profile.jpg", jpeg(values, icc_profile=swapped_profile(1.8)), truth, 8)
    shade = smooth("profile-grey", channels=1)[..., 0]
    dim = profile(b"GRAY", {b"desc": description(b"dim"), b"wtpt": xyz(0.9642, 1, 0.8249), b"kTRC": gamma_curve(1.0)})
    truth = grey(encoded_srgb(shade / 255.0).round().astype(np.uint8))
    yield save(folder, "profile-grey.png", encode(shade, "PNG", icc_profile=dim), truth, 2)
    yield save(
        folder, "profile-16.png", encode(shade[::-1].astype(np.uint16) * 257, "PNG", icc_profile=dim), truth[::-1], 2
    )
    clear = smooth("profile-clear", channels=4)
    colours = encoded_srgb((clear[..., [1, 0, 2]] / 255.0) ** 1.8)
    data = encode(clear, "PNG", icc_profile=swapped_profile(1.8))
    yield save(folder, "profile-clear.png", data, _over(colours, clear[..., 3]), 2)
    said = "colour profile"
    for name, icc in (("profile-broken", b"no profile" * 30), ("profile-cut", swapped_profile(1.8)[:200]),
                      ("profile-other", ink_profile())):  # fmt: skip
        yield save(folder, f"{name}.png", encode(smooth(name), "PNG", icc_profile=icc), smooth(name), 0, said)


def _over(values: Any, alpha: Any, background: int = 255) -> Any:
    """Return colours (H, W, 3) under alpha (H, W), both 0 to 255, laid on white."""
    a = alpha[..., None] / 255.0
    return np.rint(values * a + background * (1 - a)).astype(np.uint8)


def _inks(folder: Path) -> Iterator[Case]:
    def printed(name: str) -> tuple[Any, Any]:
        inks = smooth(name, channels=4)
        white = 255.0 - inks
        return inks, np.rint(white[..., :3] * white[..., 3:] / 255).astype(np.uint8)

    def image(inks: Any) -> Image.Image:
        return Image.frombytes("CMYK", (WIDTH, HEIGHT), inks.tobytes())

    inks, truth = printed("adobe.jpg")
    yield save(folder, "cmyk-adobe.jpg", jpeg(image(inks)), truth, 5)
    inks, truth = printed("plain.jpg")
    bare = jpeg(image(255 - inks))  # Pillow turns them over on the way out; without Adobe's mark nobody turns them back
    at = bare.index(b"\xff\xee")
    yield save(folder, "cmyk-plain.jpg", bare[:at] + bare[at + 16 :], truth, 5)
    inks, truth = printed("ycck.jpg")
    c, m, y, k = (inks[..., i].astype(float) for i in range(4))
    luma = 0.299 * c + 0.587 * m + 0.114 * y
    stored = np.stack([luma, 128 + (y - luma) / 1.772, 128 + (c - luma) / 1.402, 255 - k], -1).round().clip(0, 255)
    data = bytearray(jpeg(image(255 - stored.astype(np.uint8))))
    data[data.index(b"\xff\xee") + 15] = 2  # Adobe's mark: the colours are YCCK
    yield save(folder, "ycck.jpg", bytes(data), truth, 6)
    inks, truth = printed("cmyk.tif")
    yield save(folder, "cmyk.tif", encode(image(inks), "TIFF"), truth, 1)
    full = np.stack([patches(f"ink {i}", 2)[0] for i in range(4)], -1)
    light = (1 - full[..., 3]) * (1 - full[..., :3].sum(-1) / 6)
    linear = np.where(light > 0.08, ((100 * light + 16) / 116) ** 3, light * 100 / 903.3)
    truth = grey(encoded_srgb(linear).round().astype(np.uint8))
    yield save(folder, "cmyk-profile.tif", encode(image(full * 255), "TIFF", icc_profile=ink_profile()), truth, 2)
    lab = smooth("lab", channels=3)
    lightness, a, b = lab[..., 0] / 2.55, (lab[..., 1] / 16.0 - 8).round(), (lab[..., 2] / 16.0 - 8).round()
    f = np.stack([(lightness + 16) / 116 + a / 500, (lightness + 16) / 116, (lightness + 16) / 116 - b / 200], -1)
    xyz = np.where(f > 6 / 29, f**3, 3 * (6 / 29) ** 2 * (f - 4 / 29)) * (0.9642, 1, 0.8249)
    to_linear = np.array(
        [[3.1338561, -1.6168667, -0.4906146], [-0.9787684, 1.9161415, 0.0334540], [0.0719453, -0.2289914, 1.4052427]]
    )
    truth = encoded_srgb(xyz @ to_linear.T).round().astype(np.uint8)
    stored = np.stack([lab[..., 0], a.astype(np.int8).view(np.uint8), b.astype(np.int8).view(np.uint8)], -1).tobytes()
    yield save(folder, "lab.tif", tiff(tags(HEIGHT, WIDTH, (8, 8, 8), 8, len(stored)), stored), truth, 3)


def _deep(folder: Path) -> Iterator[Case]:
    def wide(name: str, channels: int = 1) -> tuple[Any, Any]:
        rng = np.random.default_rng(len(name))
        values = smooth(name, channels=channels).astype(np.uint16) * 257 + rng.integers(
            0, 200, (HEIGHT, WIDTH, channels)
        )
        return values.astype(np.uint16), np.rint(values / 257).astype(np.uint8)

    for order in "<>":
        name = f"grey16-{'little' if order == '<' else 'big'}.tif"
        values, truth = wide(name)
        data = values.astype(f"{order}u2").tobytes()
        yield save(folder, name, tiff(tags(HEIGHT, WIDTH, (16,), 1, len(data)), data, order), grey(truth[..., 0]))
    values, truth = wide("grey16.png")
    yield save(folder, "grey16.png", png(values[..., 0].astype(">u2").view(np.uint8), 16, 0), grey(truth[..., 0]))
    values, truth = wide("grey16.pgm")
    header = b"P5\n%d %d\n65535\n" % (WIDTH, HEIGHT)
    yield save(folder, "grey16.pgm", header + values.astype(">u2").tobytes(), grey(truth[..., 0]))
    values, truth = wide("rgb16.png", 3)
    rows = values.reshape(HEIGHT, -1).astype(">u2").view(np.uint8)
    yield save(folder, "rgb16.png", png(rows, 16, 2), truth, 1)
    values, truth = wide("int32.tif")
    yield save(folder, "int32.tif", encode(values[..., 0].astype(np.int32), "TIFF"), grey(truth[..., 0]))
    shade = smooth("float.tif", channels=1)[..., 0]
    yield save(folder, "float.tif", encode(shade / np.float32(255), "TIFF"), grey(shade))
    bits, _ = patches("bits", 2)
    for name, options in (("bits.png", {}), ("bits.tif", {"compression": "group4"})):
        one = Image.fromarray((bits if name == "bits.png" else bits.T.copy()) * np.uint8(255)).convert("1")
        truth = grey((bits if name == "bits.png" else bits.T) * np.uint8(255))
        yield save(folder, name, encode(one, name[-3:].replace("tif", "tiff"), **options), truth)


def _clear(folder: Path) -> Iterator[Case]:
    """Write what one can see through; the answer lies on white."""
    for name in ("rgba.png", "rgba.webp", "la.png"):
        values = smooth(name, channels=4)
        if name == "la.png":
            data, values = encode(values[..., :2], "PNG"), values[..., [0, 0, 0, 1]]
        else:
            data = encode(values, name[5:], **({"lossless": True, "exact": True} if name == "rgba.webp" else {}))
        yield save(folder, name, data, _over(values[..., :3], values[..., 3]), 1)
    indices, palette = patches("palette-alpha.png")
    image, truth = paletted("palette.png")
    yield save(folder, "palette.png", encode(image, "PNG"), truth)
    image, _ = paletted("palette-alpha.png")
    alpha = np.arange(16, dtype=np.uint8) * 17
    data = encode(image, "PNG", transparency=alpha.tobytes())
    yield save(folder, "palette-alpha.png", data, _over(palette[indices], alpha[indices]), 1)
    image, truth = paletted("clear.gif")
    data = encode(image, "GIF", transparency=3)
    hole = patches("clear.gif")[0] == 3
    yield save(folder, "clear.gif", data, np.where(hole[..., None], np.uint8(255), truth))
    # one colour that is clear, as PNG keeps it: with the bits of the pixels
    levels, _ = patches("key4.png")
    rows = levels[:, ::2] << 4 | levels[:, 1::2]
    truth = grey(np.where(levels == 5, 255, levels * 17).astype(np.uint8))
    yield save(folder, "key4.png", png(rows, 4, 0, chunk(b"tRNS", struct.pack(">H", 5))), truth)
    indices, palette = patches("key8.png")
    truth = np.where((indices == 5)[..., None], np.uint8(255), palette[indices])
    key = struct.pack(">3H", *palette[5].tolist())
    yield save(folder, "key8.png", png(palette[indices].reshape(HEIGHT, -1), 8, 2, chunk(b"tRNS", key)), truth)
    indices, palette = patches("key16.png")
    deep = palette.astype(np.uint16) * 256 + 37
    key, rows = deep[5].astype(">u2").tobytes(), deep[indices].reshape(HEIGHT, -1).astype(">u2").view(np.uint8)
    truth = np.where((indices == 5)[..., None], np.uint8(255), palette[indices])
    yield save(folder, "key16.png", png(rows, 16, 2, chunk(b"tRNS", key)), truth)
    shade = patches("key16-grey.png", 200)[0]
    rows = (shade.astype(np.uint16) * 257).astype(">u2").view(np.uint8)
    clear = int(shade[0, 0])
    truth = grey(np.where(shade == clear, np.uint8(255), shade))
    yield save(folder, "key16-grey.png", png(rows, 16, 0, chunk(b"tRNS", struct.pack(">H", clear * 257))), truth)


def _frames(folder: Path) -> Iterator[Case]:
    said = "several frames or pages"
    for name, kind, options in (
        ("moving.png", "PNG", {}), ("moving.webp", "WEBP", {"lossless": True}), ("pages.tif", "TIFF", {}),
    ):  # fmt: skip
        others = [Image.fromarray(smooth(f"{name} {number}")) for number in (1, 2)]
        data = encode(smooth(name), kind, save_all=True, append_images=others, **options)
        yield save(folder, name, data, smooth(name), 0, said)
    image, truth = paletted("moving.gif")
    data = encode(image, "GIF", save_all=True, append_images=[paletted("moving.gif 1")[0]])
    yield save(folder, "moving.gif", data, truth, 0, said)
    second = Image.fromarray(smooth("depth"))
    data = encode(smooth("stereo.jpg"), "MPO", save_all=True, append_images=[second], quality=97, subsampling=0)
    yield save(folder, "stereo.jpg", data, smooth("stereo.jpg"), 5)
    shade = smooth("loop", channels=1)[..., 0]
    for name, following in (("loop-self.tif", 8 + shade.size), ("loop-far.tif", 2**32 - 2)):
        picture = shade if name == "loop-self.tif" else shade[::-1].copy()
        data = tiff(tags(HEIGHT, WIDTH, (8,), 1, shade.size), picture.tobytes(), following=following)
        yield save(folder, name, data, grey(picture), 0, said if name == "loop-far.tif" else "")


def _odd(folder: Path) -> Iterator[Case]:
    for name, height, width in (("one.png", 1, 1), ("tall.png", 5000, 1), ("wide.png", 2, 90)):
        picture = smooth(name, height, width)
        yield save(folder, name, encode(picture, "PNG"), picture)
    yield save(folder, "png.jpg", encode(smooth("png.jpg"), "PNG"), smooth("png.jpg"))
    yield save(folder, "jpeg.txt", jpeg(smooth("jpeg.txt")), smooth("jpeg.txt"), 5)
    yield save(folder, "no-ending", encode(smooth("no-ending"), "PNG"), smooth("no-ending"))
    yield save(
        folder, "after.jpg", jpeg(smooth("after.jpg")) + b"a second file\xff\xd8\xff" * 9, smooth("after.jpg"), 5
    )
    picture = smooth("interlaced.png", HEIGHT + 1, WIDTH + 1)
    yield save(folder, "interlaced.png", interlaced(picture), picture)
    picture = smooth("upside.bmp")
    data = encode(picture[::-1], "BMP")  # rows from the top, which a negative height says
    yield save(folder, "upside.bmp", data[:22] + struct.pack("<i", -HEIGHT) + data[26:], picture)
    image, truth = paletted("outgrown.gif")
    data = encode(image, "GIF")
    yield save(folder, "outgrown.gif", data[:6] + struct.pack("<HH", 8, 8) + data[10:], truth)


NAMES = (
    "new\nline.png", "red\x1b[31m.png", os.fsdecode(b"caf\xe9.png"), "-dash.png", "--json", "[red]markup[bold].png",
    "größe 猫 \N{CAT}.png", "n" * 246 + ".png", "two  spaces .png", "100%s%d.png", "'quote\"$(id)`.png", "a\\b.png",
    "\u202egnp.png", "tab\t.png", "~.png", "*.png",
)  # fmt: skip


def _names(folder: Path) -> Iterator[Case]:
    for name in NAMES:
        yield save(folder, name, encode(smooth(name), "PNG"), smooth(name))
    yield save(folder, "bad\nname\x1b[2J.png", b"text", says="is not an image")
    yield save(folder, os.fsdecode(b"bad-\xff\xfe.png"), b"text", says="is not an image")


PARTS = (_plain, _exif, _profiles, _inks, _deep, _clear, _frames, _odd, _names)
