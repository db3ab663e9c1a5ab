"""A clip of known motion, for the benchmarks: a photo pans, in front of it an ellipse with another photo moves."""

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

WIDTH, HEIGHT = 288, 192
PAN, MOVE = (2.5, 0.5), (-3.0, 1.0)  # pixels a frame, x and y, of the camera and of the ellipse
START = (118.0, 42.0)  # x and y of the ellipse's photo in the first frame
SAMPLES = Path(__file__).parent.parent / "sample_images"
Field = NDArray[np.float32]
Picture = NDArray[np.uint8]
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class KnownClip:
    """Frames, uint8 (H, W, 3); for each but the first the true backward flow (H, W, 2) and visibility mask (H, W)."""

    frames: list[Picture]
    flows: list[Field]
    visible: list[Mask]


def photo(name: str, size: tuple[int, int]) -> Field:
    """Return a sample photo at ``size`` (w, h), float32 (h, w, 3)."""
    image = Image.open(SAMPLES / f"{name}.jpg").convert("RGB")
    return np.asarray(image.resize(size, Image.Resampling.LANCZOS), np.float32)


def positions() -> tuple[Field, Field]:
    """Return x and y of every pixel."""
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH].astype(np.float32)
    return x, y


def known_motion(count: int) -> KnownClip:
    """Return a clip of ``count`` frames of coffee, whose camera turns back before the photo's edge, and chelsea."""
    back, front = photo("coffee", (480, 320)), photo("chelsea", (150, 100))
    rows, columns = np.mgrid[0:100, 0:150]
    ellipse = ((((rows - 50) / 46) ** 2 + ((columns - 75) / 70) ** 2) < 1).astype(np.float32)
    x, y = positions()
    clip, before = KnownClip([], [], []), np.zeros((HEIGHT, WIDTH), bool)
    for number in range(count):
        camera, place = _path(number)
        shown = cv2.remap(back, x + camera[0], y + camera[1], cv2.INTER_CUBIC)
        left, top = x - place[0], y - place[1]
        object_ = cv2.remap(front, left, top, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
        alpha = cv2.remap(ellipse, left, top, cv2.INTER_LINEAR)[..., None]
        clip.frames.append(np.rint((shown * (1 - alpha) + object_ * alpha).clip(0, 255)).astype(np.uint8))
        inside = alpha[..., 0] > 0.5
        if number:
            steps = [now - then for now, then in zip(_path(number), _path(number - 1), strict=True)]
            flow = np.where(inside[..., None], -steps[1], steps[0]).astype(np.float32)
            clip.flows.append(flow)
            clip.visible.append(_was_visible(flow, inside, before))
        before = inside
    return clip


def _path(number: int) -> tuple[Field, Field]:
    """Return where the camera and the ellipse are, x and y; both go to and fro, as far as the photo reaches."""
    step = 24 - abs(number % 48 - 24)
    camera = np.array([60 + PAN[0] * step, 50 + PAN[1] * step], np.float32)
    return camera, np.array([START[0] + MOVE[0] * step, START[1] + MOVE[1] * step], np.float32)


def _was_visible(flow: Field, inside: Mask, before: Mask) -> Mask:
    """Return which pixels were visible in the frame before: within it, on the same side of the ellipse's edge."""
    x, y = positions()
    x, y = x + flow[..., 0], y + flow[..., 1]
    within = (x >= -0.5) & (x <= WIDTH - 0.5) & (y >= -0.5) & (y <= HEIGHT - 0.5)
    was = cv2.remap(before.astype(np.float32), x, y, cv2.INTER_LINEAR) > 0.5
    return np.asarray(within & (was == inside))


def warp_error(before: Picture, now: Picture, flow: Field, visible: Mask) -> float:
    """Return the RMS of ``now`` minus ``before`` warped by the true flow, in grey levels, over visible pixels.

    Two pixels beside what was not visible are left out: edges are interpolated there. Lanczos over 8 x 8 pixels.
    """
    x, y = positions()
    warped = cv2.remap(before.astype(np.float32), x + flow[..., 0], y + flow[..., 1], cv2.INTER_LANCZOS4,
                       borderMode=cv2.BORDER_REPLICATE)  # fmt: skip
    inside = cv2.erode(visible.astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
    return float(np.sqrt(np.square(now - warped)[inside].mean()))
