"""How often ``cnnviz rank`` puts a photo before a spoilt copy of it.

    python benchmarks/rank.py [PHOTOS...]

PHOTOS are files or folders; by default the sample photos and, where foolbox is installed, its twenty from ImageNet.
Eight copies of each: blurred twice, darkened, overexposed, with noise, compressed, tilted and upside down. Prints the
share of pairs in the right order for each kind, for the score and for the formula without noise, exposure and blocks,
writes rank.json to the folder of this file, and fails below BOUND of all pairs or NOISE_BOUND of those with noise.
"""

import importlib.util
import io
import json
import math
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from cnnviz import Network, load_network, read_photo
from cnnviz.dense.quality import small_copy
from cnnviz.dense.rank import score_photo

HERE = Path(__file__).parent
BOUND, NOISE_BOUND = 0.88, 0.8
Photo = NDArray[np.uint8]


def default_photos() -> list[Path]:
    """Return the sample photos and those of foolbox."""
    found = sorted((HERE.parent / "sample_images").glob("*.jpg"))
    spec = importlib.util.find_spec("foolbox")
    return found + (sorted((Path(spec.origin).parent / "data").glob("imagenet_*")) if spec and spec.origin else [])


def copies(photo: Photo, rng: np.random.Generator) -> Iterator[tuple[str, Photo]]:
    """Yield spoilt copies by name."""
    height, width = photo.shape[:2]
    yield "blurred, 1.5 px", cv2.GaussianBlur(photo, (0, 0), 1.5)
    yield "blurred, 4 px", cv2.GaussianBlur(photo, (0, 0), 4)
    yield "a quarter of the light", photo // 4
    yield "overexposed", np.clip(photo * 1.6 + 60, 0, 255).astype(np.uint8)
    yield "noise of 25 levels", np.clip(photo + rng.normal(0, 25, photo.shape), 0, 255).astype(np.uint8)
    file = io.BytesIO()
    Image.fromarray(photo).save(file, "JPEG", quality=8)
    yield "JPEG of quality 8", np.asarray(Image.open(file))
    turn = cv2.getRotationMatrix2D((width / 2, height / 2), 30, 1)
    yield "tilted by 30 degrees", cv2.warpAffine(photo, turn, (width, height), borderMode=cv2.BORDER_REFLECT)
    yield "upside down", np.ascontiguousarray(photo[::-1, ::-1])


def scores(network: Network, photo: Photo) -> tuple[float, float]:
    """Return the score of a photo, and log confidence + log sharpness / 2 of a blurred copy alone."""
    ranked = score_photo(network, photo)
    luma = cv2.GaussianBlur(cv2.cvtColor(small_copy(photo), cv2.COLOR_RGB2GRAY), (0, 0), 1.5)
    sharpness = float(cv2.Laplacian(luma, cv2.CV_64F).var())
    return ranked.score, math.log(ranked.top[0].probability + 0.01) + math.log(sharpness + 0.1) / 2


def main() -> None:
    """Score every photo and its copies, print the table and store it."""
    given = [Path(word) for word in sys.argv[1:]] or default_photos()
    paths = [path for one in given for path in (sorted(one.iterdir()) if one.is_dir() else [one])]
    network, rng, right = load_network(device="cpu"), np.random.default_rng(1), dict[str, list[list[bool]]]()
    started = time.process_time()
    for path in paths:
        photo = read_photo(path)
        own = scores(network, photo)
        for kind, copy in copies(photo, rng):
            found = scores(network, copy)
            right.setdefault(kind, []).append([mine > other for mine, other in zip(own, found, strict=True)])
    rows = {kind: np.mean(pairs, 0).round(3).tolist() for kind, pairs in right.items()}
    rows["all"] = np.mean([pair for pairs in right.values() for pair in pairs], 0).round(3).tolist()
    print(f"{'copy':<24}{'score':>8}{'plain':>8}")
    for kind, (score, plain) in rows.items():
        print(f"{kind:<24}{score:>8.2f}{plain:>8.2f}")
    seconds = round((time.process_time() - started) / len(paths) / 9, 3)
    result = {"photos": len(paths), "cpu_seconds_a_photo": seconds, "pairs_in_order": rows}
    (HERE / "rank.json").write_text(json.dumps(result, indent=1) + "\n")
    if rows["all"][0] < BOUND or rows["noise of 25 levels"][0] < NOISE_BOUND:
        sys.exit("below the bounds")


if __name__ == "__main__":
    main()
