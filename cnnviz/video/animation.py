"""GIF, APNG and animated WebP, in and out, through Pillow: durations in milliseconds, the recipe inside."""

from collections.abc import Iterator, Sequence
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from PIL import Image, ImageFile, PngImagePlugin

from cnnviz.io.color import to_rgb
from cnnviz.io.header import MAX_PIXELS, open_image
from cnnviz.io.integrity import check_integrity
from cnnviz.io.recipe import KEY, Recipe, dump_recipe, to_comment, to_xmp
from cnnviz.io.source import read_bytes
from cnnviz.video.clip import Clip, Frame

DEFAULT = 100  # milliseconds of a frame that gives none, or less than the 20 that players keep to
WHITE = (255, 255, 255)
SAMPLES = 24  # frames that a GIF's colours are taken from
Moments = Sequence[Frame]


def open_animation(path: str | Path, max_pixels: int = MAX_PIXELS) -> Clip:
    """Return the clip in a moving picture's file; a photograph is a clip of one frame. Raises PhotoError."""
    import io

    data = read_bytes(path, max_pixels)
    with open_image(io.BytesIO(data), max_pixels) as image:
        check_integrity(image.format or "", data)
        lengths = []
        for number in range(getattr(image, "n_frames", 1)):
            image.seek(number)
            image.load()
            lengths.append(_milliseconds(image))
        height, width = to_rgb(image.copy(), WHITE, _silent).shape[:2]
    count, duration = len(lengths), Fraction(sum(lengths), 1000)
    return Clip((height, width), count / duration, Fraction(1, 1000), duration, count, False,
                lambda: _frames(data, max_pixels))  # fmt: skip


def has_frames(path: str | Path) -> bool:
    """Return whether a picture's file has several frames to be played; nothing of it is decoded. Raises PhotoError."""
    # Opened by hand: its caller has seen that it is a file.
    with Path(path).open("rb") as file, open_image(file, MAX_PIXELS) as image:
        return image.format in ("GIF", "PNG", "WEBP") and getattr(image, "n_frames", 1) > 1


def _silent(note: str) -> None:
    """Take a note and drop it."""


def _milliseconds(image: ImageFile.ImageFile) -> int:
    given = round(image.info.get("duration") or 0)
    return given if given >= 20 else DEFAULT


def _frames(data: bytes, max_pixels: int) -> Iterator[Frame]:
    import io

    with open_image(io.BytesIO(data), max_pixels) as image:
        time = 0
        for number in range(getattr(image, "n_frames", 1)):
            image.seek(number)
            image.load()
            length = _milliseconds(image)
            yield Frame(to_rgb(image.copy(), WHITE, _silent), Fraction(time, 1000), Fraction(length, 1000))
            time += length


def save(file: BinaryIO, frames: Moments, kind: str, recipe: Recipe) -> None:
    """Write frames as GIF, PNG (which is APNG) or WEBP, for ever repeated, with the recipe inside."""
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
        options |= {"xmp": to_xmp(recipe), "quality": 90, "method": 4}
    pictures[0].save(file, kind, append_images=pictures[1:], **options)


def _durations(frames: Moments, step: int) -> list[int]:
    """Return how long each frame lasts, in milliseconds, multiples of ``step``: rounded so that nothing adds up."""
    times = [*(frame.time for frame in frames), frames[-1].time + frames[-1].duration]
    ends = [step * round((time - times[0]) * 1000 / step) for time in times]
    return [max(step, after - before) for before, after in pairwise(ends)]


def _palette(frames: Moments) -> Image.Image:
    """Return the 255 colours that frames spread over the clip share: one palette, so that nothing flickers."""
    chosen = frames[:: max(1, len(frames) // SAMPLES)]
    step = max(1, round((sum(frame.picture.shape[0] * frame.picture.shape[1] for frame in chosen) / 2e6) ** 0.5))
    strip = np.concatenate([frame.picture[::step, ::step].reshape(-1, 3) for frame in chosen])
    return Image.fromarray(strip[None]).quantize(255, method=Image.Quantize.MAXCOVERAGE, kmeans=1)
