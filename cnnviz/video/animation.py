"""Animated images through Pillow: GIF, APNG and WebP; durations in milliseconds, the recipe inside."""

from collections.abc import Iterator, Sequence
from fractions import Fraction
from io import BytesIO
from itertools import pairwise
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from PIL import Image, ImageFile, PngImagePlugin

from cnnviz.control import ignore_note
from cnnviz.io.color import to_rgb
from cnnviz.io.image_file import MAX_PIXELS, check_integrity, open_image, read_bytes
from cnnviz.io.recipe import KEY, Recipe, dump_recipe, to_comment, to_xmp
from cnnviz.video.frame import Clip, Frame

DEFAULT = 100  # milliseconds of a frame without a duration, or with less than the 20 that players support
WHITE = (255, 255, 255)
SAMPLES = 24  # frames that a GIF's palette is made from


def open_animation(path: str | Path, max_pixels: int = MAX_PIXELS) -> Clip:
    """Return the clip in an animated image's file; a photo is a clip of one frame. Raises PhotoError."""
    data = read_bytes(path, max_pixels)
    with open_image(BytesIO(data), max_pixels) as image:
        check_integrity(image.format or "", data)
        lengths = list(_decode(image))
    rate = len(lengths) / Fraction(sum(lengths), 1000)
    return Clip(rate, Fraction(1, 1000), len(lengths), False, lambda: _frames(data, max_pixels))


def has_frames(path: str | Path) -> bool:
    """Return whether an image file has several frames to be played; nothing is decoded. Raises PhotoError."""
    with Path(path).open("rb") as file, open_image(file, MAX_PIXELS) as image:
        return image.format in ("GIF", "PNG", "WEBP") and getattr(image, "n_frames", 1) > 1


def _decode(image: ImageFile.ImageFile) -> Iterator[int]:
    """Decode the frames of an image one after the other; yield each one's duration in milliseconds."""
    for number in range(getattr(image, "n_frames", 1)):
        image.seek(number)
        image.load()
        duration = round(image.info.get("duration") or 0)
        yield duration if duration >= 20 else DEFAULT


def _frames(data: bytes, max_pixels: int) -> Iterator[Frame]:
    with open_image(BytesIO(data), max_pixels) as image:
        time = 0
        for length in _decode(image):
            yield Frame(to_rgb(image.copy(), WHITE, ignore_note), Fraction(time, 1000), Fraction(length, 1000))
            time += length


def write_animation(
    file: BinaryIO, frames: Sequence[Frame], kind: str, recipe: Recipe, *, lossless: bool = False
) -> None:
    """Write frames as GIF, PNG (APNG) or WEBP, repeated endlessly, with the recipe inside; WEBP also ``lossless``."""
    pictures = [Image.fromarray(frame.picture) for frame in frames]
    options: dict[str, Any] = {"save_all": True, "loop": 0, "duration": _durations(frames, 10 if kind == "GIF" else 1)}
    if kind == "GIF":
        palette = _palette(frames)
        pictures = [picture.quantize(palette=palette, dither=Image.Dither.FLOYDSTEINBERG) for picture in pictures]
        options |= {"comment": to_comment(recipe), "optimize": False, "disposal": 1}
    elif kind == "PNG":
        text = PngImagePlugin.PngInfo()
        text.add_itxt(KEY, dump_recipe(recipe))
        options |= {"pnginfo": text}
    else:
        options |= {"xmp": to_xmp(recipe), "quality": 90, "method": 4, "lossless": lossless}
    pictures[0].save(file, kind, append_images=pictures[1:], **options)


def _durations(frames: Sequence[Frame], step: int) -> list[int]:
    """Return the duration of each frame in milliseconds, a multiple of ``step``; rounding errors do not accumulate."""
    times = [*(frame.time for frame in frames), frames[-1].time + frames[-1].duration]
    ends = [step * round((time - times[0]) * 1000 / step) for time in times]
    return [max(step, after - before) for before, after in pairwise(ends)]


def _palette(frames: Sequence[Frame]) -> Image.Image:
    """Return one palette of 255 colours for all frames, against flicker, from frames spread over the clip."""
    chosen = frames[:: max(1, len(frames) // SAMPLES)]
    step = max(1, round((sum(frame.picture.shape[0] * frame.picture.shape[1] for frame in chosen) / 2e6) ** 0.5))
    strip = np.concatenate([frame.picture[::step, ::step].reshape(-1, 3) for frame in chosen])
    return Image.fromarray(strip[None]).quantize(255, method=Image.Quantize.MAXCOVERAGE, kmeans=1)
