"""How often ``cnnviz rank`` puts a photo before a spoilt copy of it, on photos it was tuned on and on others.

    python benchmarks/rank.py FOLDER

FOLDER holds the unpacked wheels of scikit-image and scikit-learn and the Debian package mate-backgrounds (``unzip``,
``dpkg -x``). To PHOTOS from there come the sample photos and foolbox's twenty from ImageNet; of all but those of
foolbox also a part, as a further photo. Every second photo, with its part, belongs to the half that the weights of the
score were chosen on.

Eight copies of each: blurred twice, darkened, overexposed, with noise, compressed, tilted and upside down. Prints the
share of pairs in the right order for each kind and half, and for log confidence + log sharpness / 2 of a blurred copy
alone, writes rank.json to the folder of this file, and fails below BOUND of the other half's pairs, or NOISE_BOUND of
those with noise.
"""

import io
import json
import math
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import cv2
import foolbox
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from cnnviz import Network, load_network, read_photo
from cnnviz.dense.quality import small_copy
from cnnviz.dense.rank import score_photo

HERE = Path(__file__).parent
BOUND, NOISE_BOUND = 0.88, 0.8
LARGEST = 1600  # longer side of a photo, in pixels
WHEELS = "camera.png", "china.jpg", "flower.jpg", "motorcycle_left.png", "rocket.jpg"
MATE = ("Aqua", "Blinds", "Dune", "FreshFlower", "Garden", "GreenMeadow", "LadyBird", "RainDrops", "Storm", "TwoWings",
        "Wood", "YellowFlower")  # fmt: skip
PHOTOS = (*WHEELS, *(f"nature/{name}.jpg" for name in MATE))
Photo = NDArray[np.uint8]


def photos(folder: Path) -> Iterator[tuple[int, Photo]]:
    """Yield the photos and their parts, with the number of their half: 0 for that of the choice."""
    samples = sorted((HERE.parent / "sample_images").glob("*.jpg"))
    imagenet = sorted((Path(foolbox.__file__).parent / "data").glob("imagenet_*"))
    others = [next(folder.rglob(name)) for name in PHOTOS]
    for number, path in enumerate([*samples, *imagenet, *others]):
        image = Image.fromarray(read_photo(path))
        image.thumbnail((LARGEST, LARGEST))
        photo = np.asarray(image)
        yield number % 2, photo
        if path not in imagenet:
            height, width = photo.shape[:2]
            yield number % 2, photo[height // 8 :][: height * 9 // 16, width // 4 :][:, : width * 9 // 16].copy()


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
    network, rng = load_network(device="cpu"), np.random.default_rng(1)
    right: dict[str, list[tuple[int, list[bool]]]] = {}
    started, count = time.process_time(), 0
    for half, photo in photos(Path(sys.argv[1])):
        own, count = scores(network, photo), count + 1
        for kind, copy in copies(photo, rng):
            pair = [mine > other for mine, other in zip(own, scores(network, copy), strict=True)]
            for row in (kind, "all"):
                right.setdefault(row, []).append((half, pair))
    seconds = round((time.process_time() - started) / count / 9, 3)
    rows = {}
    print(f"| {count} photos | tuned | held out | plain, held out |\n|---|---|---|---|")
    for kind, pairs in right.items():
        tuned, held = (np.mean([pair for at, pair in pairs if at == half], 0).round(3) for half in (0, 1))
        rows[kind] = {"tuned": tuned[0], "held_out": held[0], "plain": held[1]}
        print(f"| {kind} | " + " | ".join(f"{value:.2f}" for value in rows[kind].values()) + " |")
    result = {"photos": count, "cpu_seconds_a_photo": seconds, "pairs_in_order": rows}
    (HERE / "rank.json").write_text(json.dumps(result, indent=1) + "\n")
    if rows["all"]["held_out"] < BOUND or rows["noise of 25 levels"]["held_out"] < NOISE_BOUND:
        sys.exit("below the bounds")


if __name__ == "__main__":
    main()
