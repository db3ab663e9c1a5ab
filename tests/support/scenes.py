"""A clip of scenes with known cuts and one good frame, and a network that needs no weights."""

from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np

from cnnviz import read_photo
from cnnviz.video.clip import write_clip
from cnnviz.video.frame import Clip, Frame
from tests.conftest import PHOTOS

RATE = Fraction(10)
SIZE = (96, 128)


def scene(name: str, length: int, blur: float = 3.0) -> list[np.ndarray]:
    """Return blurred crops of a sample photo that move by one pixel a frame."""
    photo = read_photo(PHOTOS / f"{name}.jpg")
    scale = 1.5 * SIZE[0] / min(photo.shape[:2])
    small = cv2.resize(photo, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    crops = [np.ascontiguousarray(small[at : at + SIZE[0], at : at + SIZE[1]]) for at in range(length)]
    return [cv2.GaussianBlur(crop, (0, 0), blur) if blur else crop for crop in crops]


def clip_frames() -> tuple[list[np.ndarray], int, list[int]]:
    """Return black, two blurred scenes and noise: the frames, the one that is sharp, and the first of each scene."""
    black = [np.zeros((*SIZE, 3), np.uint8)] * 8
    coffee, cat = scene("coffee", 16), scene("chelsea", 16)
    coffee[7] = scene("coffee", 8, 0)[7]
    rng = np.random.default_rng(0)
    noise = [rng.integers(0, 256, (*SIZE, 3), dtype=np.uint8) for _ in range(8)]
    return [*black, *coffee, *cat, *noise], 15, [8, 24, 40]


def clip_of(images: list[np.ndarray]) -> Clip:
    """Return images as a clip that needs no file."""
    frames = [Frame(image, at / RATE, 1 / RATE) for at, image in enumerate(images)]
    return Clip(RATE, Fraction(1, 10), len(frames), False, lambda: iter(frames))


def write_scenes(path: Path) -> Path:
    """Write the clip as an APNG, without loss."""
    images, _, _ = clip_frames()
    write_clip(str(path), list(clip_of(images).frames()), rate=RATE, recipe={})
    return path
