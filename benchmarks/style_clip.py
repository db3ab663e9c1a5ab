"""Temporal coherence, drift and cost of style clips, for a clip of known motion and a static one.

``python benchmarks/style_clip.py [--frames N] [--keep FOLDER]``: ``cnnviz style`` on the clip of known_motion.py,
288 x 192 pixels, in the style of sample_styles/strokes.jpg; CPU seconds of one thread. The warp error is the RMS of a
frame minus the one before moved by the true motion, in grey levels, over visible pixels: of the clip itself, of the
style clip, and of frames styled independently. Style: the loss without content. Writes style_clip.json beside this
file, and some frames to FOLDER.
"""

import argparse
import json
import platform
import time
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import torch
from known_motion import HEIGHT, WIDTH, KnownClip, Picture, known_motion, warp_error
from PIL import Image

from cnnviz import Network, StyleSettings, load_network, read_photo, style_transfer
from cnnviz.control import Control
from cnnviz.synthesis.style_clip import StyleClip
from cnnviz.synthesis.style_images import prepare_images
from cnnviz.synthesis.style_methods import StatisticsMethod

ALONE, STATIC = 8, 10  # frames that are styled independently, and of the static clip
SETTINGS = StyleSettings(long_side=WIDTH)
STYLE = Path(__file__).parent.parent / "sample_styles" / "strokes.jpg"


def warp_errors(pictures: list[Picture], clip: KnownClip) -> list[float]:
    """Return the warp error of each frame but the first."""
    pairs = zip(pairwise(pictures), clip.flows, clip.visible, strict=False)
    return [warp_error(before, now, flow, visible) for (before, now), flow, visible in pairs]


def style_distance(network: Network, style: Picture) -> Callable[[Picture], float]:
    """Return a function that measures how far an image is from the style: the loss at the clip's size."""
    settings = replace(SETTINGS, content_weight=0.0)

    def measure(image: Picture) -> float:
        images = prepare_images(image, [style], (), (), long_side=WIDTH, style_scale=1.0, original_colors=None,
                                control=Control())  # fmt: skip
        loss = StatisticsMethod(network, images, settings).make_loss(images.content, images.styles, [(0, 0)])
        return float(loss(images.content))

    return measure


def stylize(network: Network, style: Picture, frames: list[Picture]) -> tuple[list[Picture], list[float]]:
    """Return the stylized frames and the CPU seconds of each."""
    advance = StyleClip(network, frames[0], [style], settings=SETTINGS)
    state, pictures, seconds = None, [], []
    for frame in frames:
        start = time.process_time()
        state = advance(frame, state)
        seconds.append(time.process_time() - start)
        pictures.append(state.image)
        print(f"frame {len(pictures)}: {seconds[-1]:.2f} s", flush=True)
    return pictures, seconds


def measure(network: Network, clip: KnownClip, style: Picture, pictures: list[Picture]) -> dict[str, object]:
    """Return the measures of a stylized clip."""
    distance, errors = style_distance(network, style), warp_errors(pictures, clip)
    static, _ = stylize(network, style, [clip.frames[0]] * STATIC)
    alone = [style_transfer(network, frame, [style], settings=SETTINGS, seed=number).image
             for number, frame in enumerate(clip.frames[:ALONE])]  # fmt: skip
    return {
        "warp error of the clip": round(float(np.mean(warp_errors(clip.frames, clip))), 2),
        "warp error": round(float(np.mean(errors)), 2),
        "warp error of the last ten": round(float(np.mean(errors[-10:])), 2),
        "warp error frame by frame": round(float(np.mean(warp_errors(alone, clip))), 2),
        "style of frames 0, 24, 48, 72, 96 and the last": [
            round(distance(pictures[n]), 4) for n in (0, 24, 48, 72, 96, -1) if n < len(pictures)
        ],
        "style of the photo": round(distance(clip.frames[0]), 4),
        "mean level of frames 0, 48, 96, of the same photo": [round(float(pictures[n].mean()), 2)
                                                              for n in (0, 48, 96) if n < len(pictures)],
        "mean level of the style": round(float(style.mean()), 2),
        "mean change a frame of a static clip, levels": [
            round(float(np.abs(now.astype(float) - before).mean()), 2) for before, now in pairwise(static)],
        "mean level of the static clip's first and last frame": [round(float(static[n].mean()), 2) for n in (0, -1)],
    }  # fmt: skip


def main() -> None:
    """Print the results and store them."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--frames", type=int, default=100)
    parser.add_argument("--keep", type=Path)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    clip, style, network = known_motion(arguments.frames), read_photo(str(STYLE)), load_network(device="cpu")
    pictures, seconds = stylize(network, style, clip.frames)
    figures = measure(network, clip, style, pictures)
    figures["CPU seconds of the first frame"] = round(seconds[0], 2)
    figures["CPU seconds a frame"] = round(float(np.mean(seconds[1:])), 2)
    for name, value in figures.items():
        print(f"{name}: {value}")
    for number in (0, 1, 12, 24, 48, 72, len(pictures) - 1) if arguments.keep else ():
        if number < len(pictures):
            side = np.concatenate([clip.frames[number], pictures[number]], 1)
            Image.fromarray(side).save(arguments.keep / f"frame-{number:03}.png")
    record = {"torch": torch.__version__, "machine": platform.machine(), "threads": 1, "frames": arguments.frames,
              "size": [HEIGHT, WIDTH], "figures": figures}  # fmt: skip
    Path(__file__).with_suffix(".json").write_text(json.dumps(record, indent=1) + "\n")


if __name__ == "__main__":
    main()
