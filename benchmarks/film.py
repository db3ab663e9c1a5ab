"""Temporal coherence and cost of deep dream on clips, compared with independent frames, for clips of known motion.

``python benchmarks/film.py [FOLDER]``: EfficientNet-Lite0 blocks.4 as ``cnnviz dream --octaves 3``, 256 x 160 pixels,
CPU time of one thread (independent frames have the same seed, which favours them). Four synthetic clips: a pan, a
zoom, a square that moves over a static background, and a static clip. Measured for each: the PSNR of a frame against
the previous one warped by the known motion, where not occluded; the RMS of the change and the mean brightness,
relative to the first frame; the time per frame, relative to independent frames. Writes film.json to the folder of
this file, and some frames to FOLDER.
"""

import json
import platform
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from cnnviz import load_network
from cnnviz.synthesis.dream import DreamSettings
from cnnviz.synthesis.dream_clip import DreamStylizer
from cnnviz.synthesis.spec import ObjectiveSpec
from cnnviz.video import optical_flow
from cnnviz.video.coherence import FrameStylizer, stylize_frame

WIDTH, HEIGHT, FRAMES = 256, 160, 30
STEPS, OCTAVES = 10, 3
SAMPLES = Path(__file__).parent.parent / "sample_images"
Array = NDArray[np.float32]


@dataclass
class Clip:
    """Frames, uint8 (H, W, 3); for each but the first the true backward flow (H, W, 2) and visibility mask (H, W)."""

    frames: list[NDArray[np.uint8]]
    flows: list[Array]
    seen: list[NDArray[np.bool_]]


def grid() -> tuple[Array, Array]:
    """Return x and y of every pixel."""
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH].astype(np.float32)
    return x, y


def look(world: Array, x: Array, y: Array) -> Array:
    """Return the image sampled at positions x, y."""
    return cv2.remap(world, x, y, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT)


def photo(name: str) -> Array:
    """Return a sample photo, float32 (H, W, 3), smoothed for sampling between pixels."""
    return cv2.GaussianBlur(np.asarray(Image.open(SAMPLES / f"{name}.jpg").convert("RGB"), np.float32), (0, 0), 0.7)


def camera(world: Array, place: Callable[[int], tuple[float, float, float]]) -> Clip:
    """Return a clip of a camera over an image; ``place(t)`` returns left, top and scale (image pixels a pixel)."""
    x, y = grid()
    clip = Clip([], [], [])
    for t in range(FRAMES):
        left, top, scale = place(t)
        shown = look(world, left + scale * (x - WIDTH / 2), top + scale * (y - HEIGHT / 2))
        clip.frames.append(np.rint(shown.clip(0, 255)).astype(np.uint8))
        if t:
            left_, top_, scale_ = place(t - 1)
            before_x = (left + scale * (x - WIDTH / 2) - left_) / scale_ + WIDTH / 2
            before_y = (top + scale * (y - HEIGHT / 2) - top_) / scale_ + HEIGHT / 2
            back = np.stack([before_x - x, before_y - y], -1).astype(np.float32)
            clip.flows.append(back)
            clip.seen.append(optical_flow.inside_frame(back))
    return clip


def square() -> Clip:
    """Return a clip of a textured square that moves over a static background by (2.3, 0.8) pixels per frame."""
    x, y = grid()
    ground = look(photo("coffee"), x + 150, y + 100)
    patch, side = photo("astronaut"), 64
    clip = Clip([], [], [])
    before = np.zeros((HEIGHT, WIDTH), bool)
    for t in range(FRAMES):
        left, top = 40 + 2.3 * t, 35 + 0.8 * t
        covered = (x >= left) & (x < left + side) & (y >= top) & (y < top + side)
        shown = np.where(covered[..., None], look(patch, x - left + 190, y - top + 60), ground)
        clip.frames.append(np.rint(shown.clip(0, 255)).astype(np.uint8))
        if t:
            back = np.where(covered[..., None], np.float32([-2.3, -0.8]), np.float32(0)).astype(np.float32)
            was = optical_flow.warp(before.astype(np.float32), back, sharp=False)
            clip.flows.append(back)
            clip.seen.append(_within(np.where(covered, was > 0.99, was < 0.01)))
        before = covered
    return clip


def _within(seen: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Exclude pixels next to an edge of the square: interpolation mixes both sides there."""
    return cv2.erode(seen.astype(np.uint8), np.ones((5, 5), np.uint8)).astype(bool)


def clips() -> dict[str, Clip]:
    """Return the four clips by name."""
    cat = photo("chelsea")
    still = camera(cat, lambda t: (220, 130, 1))
    return {
        "pan": camera(cat, lambda t: (160 + 1.7 * t, 110 + 0.6 * t, 1)),
        "zoom": camera(photo("astronaut"), lambda t: (250, 180, 1.4 * 0.99**t)),
        "square": square(),
        "static": still,
    }


def dreamers(clip: Clip) -> tuple[FrameStylizer, FrameStylizer]:
    """Return the stylizer of ``cnnviz dream`` with fewer octaves: the coherent one, and one for independent frames."""
    network = load_network("efficientnet_lite0", device="cpu")
    objective = ObjectiveSpec({"blocks.4": 1.0})
    dream = DreamStylizer(network, clip.frames[0], objective, DreamSettings(octaves=OCTAVES))
    return dream, lambda start, frame, steps, _: dream(start, frame, steps, 0)


def coherent(frames: list[NDArray[np.uint8]], dream: FrameStylizer) -> Iterator[NDArray[np.uint8]]:
    """Yield each frame, stylised after the one before."""
    state = None
    for frame in frames:
        state = stylize_frame(frame, dream, STEPS, state)
        yield state.image


def frame_by_frame(frames: list[NDArray[np.uint8]], dream: FrameStylizer) -> Iterator[NDArray[np.uint8]]:
    """Yield each frame, stylised independently."""
    for number, frame in enumerate(frames):
        inputs = torch.from_numpy(frame.transpose(2, 0, 1).astype(np.float32) / 255)[None]
        yield np.rint(255 * dream(inputs, inputs, STEPS, number)[0].permute(1, 2, 0).numpy()).astype(np.uint8)


def measured(clip: Clip, pictures: list[NDArray[np.uint8]]) -> dict[str, float]:
    """Return the measures of a stylised clip."""
    psnr = []
    for before, now, back, seen in zip(pictures, pictures[1:], clip.flows, clip.seen, strict=False):
        apart = (optical_flow.warp(before.astype(np.float32), back) - now)[seen]
        psnr.append(10 * np.log10(255**2 / max(float(np.square(apart).mean()), 1e-9)))
    added = [p.astype(np.float64) - f for p, f in zip(pictures, clip.frames, strict=False)]
    rms = np.array([np.sqrt(np.square(a).mean()) for a in added])
    mean = np.array([a.mean() for a in added])
    return {
        "psnr mean": round(float(np.mean(psnr)), 2),
        "psnr least": round(float(np.min(psnr)), 2),
        "rms of the first, levels": round(float(rms[0]), 2),
        "rms least": round(float(rms.min() / rms[0]), 3),
        "rms most": round(float(rms.max() / rms[0]), 3),
        "brightness off, levels": round(float(np.abs(mean - mean[0]).max()), 3),
    }


def timed(pictures: Iterator[NDArray[np.uint8]]) -> tuple[list[NDArray[np.uint8]], list[float]]:
    """Return the images and the CPU seconds of each."""
    done, seconds, start = [], [], time.process_time()
    for picture in pictures:
        seconds.append(time.process_time() - start)
        done.append(picture)
        start = time.process_time()
    return done, seconds


def main() -> None:
    """Print the results and store them; write frames to the folder of the command line, if given."""
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    alone_frames = 8
    figures = {}
    for name, clip in clips().items():
        dream, alike = dreamers(clip)
        pictures, seconds = timed(coherent(clip.frames, dream))
        alone, alone_seconds = timed(frame_by_frame(clip.frames[:alone_frames], alike))
        row = measured(clip, pictures)
        row["psnr frame by frame"] = measured(clip, alone)["psnr mean"]
        row["time relative"] = round(statistics.median(seconds[1:]) / statistics.median(alone_seconds), 3)
        figures[name] = row
        print(name, row, flush=True)
        for number in (0, 1, 10, FRAMES - 1) if len(sys.argv) > 1 else ():
            side = np.concatenate([clip.frames[number], pictures[number]], 1)
            Image.fromarray(side).save(Path(sys.argv[1]) / f"{name}-{number:02}.png")
    record = {"torch": torch.__version__, "machine": platform.machine(), "threads": 1, "frames": FRAMES,
              "size": [HEIGHT, WIDTH], "steps": STEPS, "figures": figures}  # fmt: skip
    Path(__file__).with_suffix(".json").write_text(json.dumps(record, indent=1) + "\n")


if __name__ == "__main__":
    main()
