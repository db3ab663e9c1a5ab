"""Whether ``cnnviz thumbnail`` finds the one good frame of made clips, and their scene cuts.

    python benchmarks/thumbnail.py [CLIPS]

Each clip has a black lead-in, four scenes of moving crops of the sample photos and of textures, a scene of noise, and
between some of them fades in place of cuts. In one scene all frames are blurred, dark, noisy or smeared by motion, but
for one frame, the planted one; the other scenes have no good frame at all. Found: the planted frame is the best of the
clip. Prints a line for each clip, writes thumbnail.json to the folder
of this file, and fails if more than one clip in twenty is missed or a cut outside fades is not within one frame.
"""

import json
import sys
import tempfile
import time
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from cnnviz import load_network, read_photo
from cnnviz.dense.thumbnail import thumbnail
from cnnviz.video.clip import write_clip
from cnnviz.video.frame import Frame

HERE = Path(__file__).parent
RATE, SIZE = Fraction(25), (240, 320)
FADE = 12  # frames
Photo = NDArray[np.uint8]


@dataclass(frozen=True)
class MadeClip:
    """Frames, the planted one, and the cuts outside fades."""

    frames: list[Photo]
    planted: int
    cuts: list[int]


def spoil(image: Photo, kind: int, rng: np.random.Generator) -> Photo:
    """Return a frame blurred, dark, noisy or smeared by motion."""
    if kind == 0:
        return cv2.GaussianBlur(image, (0, 0), 3)
    if kind == 1:
        return image // 5
    if kind == 2:
        return np.clip(image + rng.normal(0, 40, image.shape), 0, 255).astype(np.uint8)
    return cv2.blur(image, (25, 1))


def moving(photo: Photo, length: int, rng: np.random.Generator) -> list[Photo]:
    """Return crops of a photo along a line."""
    height, width = SIZE
    scale = max(1.25 * height / photo.shape[0], 1.25 * width / photo.shape[1])
    large = cv2.resize(photo, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)
    room = np.array([large.shape[0] - height, large.shape[1] - width])
    start, end = rng.random(2) * room, rng.random(2) * room
    places = [np.rint(start + (end - start) * part).astype(int) for part in np.linspace(0, 1, length)]
    return [np.ascontiguousarray(large[y : y + height, x : x + width]) for y, x in places]


def texture(rng: np.random.Generator) -> Photo:
    """Return smooth colours."""
    small = rng.integers(0, 256, (6, 8, 3), dtype=np.uint8)
    return cv2.resize(small, (500, 380), interpolation=cv2.INTER_CUBIC)


def make_clip(photos: list[Photo], rng: np.random.Generator) -> MadeClip:
    """Return one clip."""
    order = rng.permutation(len(photos))
    kinds = rng.permutation(4)
    scenes = [moving(photos[order[at]], int(rng.integers(30, 60)), rng) for at in range(2)]
    scenes += [moving(texture(rng), int(rng.integers(30, 60)), rng)]
    scenes = [[spoil(frame, int(kinds[at]), rng) for frame in scene] for at, scene in enumerate(scenes)]
    clean = moving(photos[order[2]], int(rng.integers(40, 70)), rng)
    planted = int(rng.integers(FADE + 2, len(clean) - FADE - 2))
    scenes.append([frame if at == planted else spoil(frame, int(kinds[3]), rng) for at, frame in enumerate(clean)])
    scenes.append([rng.integers(0, 256, (*SIZE, 3), dtype=np.uint8) for _ in range(30)])
    frames, cuts, found = [np.zeros((*SIZE, 3), np.uint8)] * 20, list[int](), 0
    for at in rng.permutation(len(scenes)):
        scene = scenes[at]
        if rng.random() < 0.4:
            parts = np.linspace(0, 1, FADE + 2)[1:-1]
            last = frames[-1]
            frames += [cv2.addWeighted(scene[0], float(part), last, 1 - float(part), 0) for part in parts]
        else:
            cuts.append(len(frames))
        found = len(frames) + planted if at == 3 else found
        frames += scene
    return MadeClip(frames, found, cuts)


def main() -> None:
    """Make the clips, choose their thumbnails, print and store what was found."""
    count, network, rows = int(sys.argv[1]) if len(sys.argv) > 1 else 20, load_network(device="cpu"), []
    photos = [read_photo(path) for path in sorted((HERE.parent / "sample_images").glob("*.jpg"))]
    for seed in range(count):
        made = make_clip(photos, np.random.default_rng(seed))
        with tempfile.TemporaryDirectory() as folder:
            path = f"{folder}/clip.mp4"
            write_clip(path, [Frame(image, at / RATE, 1 / RATE) for at, image in enumerate(made.frames)], rate=RATE,
                       recipe={})  # fmt: skip
            started = time.process_time()
            result = thumbnail(network, path)
            seconds = time.process_time() - started
        cuts = [round(cut * RATE) for cut in result.cuts]
        rows.append({
            "frames": len(made.frames), "planted": made.planted, "best": [one.index for one in result.frames],
            "found": result.frames[0].index == made.planted, "cuts": made.cuts, "found_cuts": cuts,
            "missed_cuts": sum(min((abs(cut - one) for one in cuts), default=99) > 1 for cut in made.cuts),
            "cpu_seconds": round(seconds, 2),
        })  # fmt: skip
        print(seed, rows[-1], flush=True)
    found, missed = sum(row["found"] for row in rows), sum(row["missed_cuts"] for row in rows)
    (HERE / "thumbnail.json").write_text(json.dumps({"found": found, "of": count, "missed_cuts": missed,
                                                     "cuts": sum(len(row["cuts"]) for row in rows), "clips": rows},
                                                    indent=1) + "\n")  # fmt: skip
    print(f"planted frame found in {found} of {count} clips, {missed} cuts missed")
    if found < 0.95 * count or missed:
        sys.exit("below the bounds")


if __name__ == "__main__":
    main()
