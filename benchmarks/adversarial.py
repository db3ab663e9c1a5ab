"""Success rate, size of the change and cost of ``cnnviz adversarial``, measured on the written files.

    python benchmarks/adversarial.py --photos FOLDER --count 200 --part untargeted

Crops of the photos, of random sizes between 167 and 1200 pixels, that the network classifies with p >= 0.6. Each
attacked file is written, then read by ``loader`` below, which shares no code with cnnviz. ``--part`` is one of
untargeted, targeted, jpeg (robustness to it), margin, resize. In resize, a "false claim" is a file that fools
the network at the sizes of the attack's loop but not at all sizes between them. CPU seconds of one thread. The
results of each part are stored in adversarial.json, in the folder of this file.
"""

import argparse
import json
import random
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from PIL import Image

from cnnviz import Network, load_network
from cnnviz.adversarial.criterion import RESIZE_MARGIN, Criterion
from cnnviz.adversarial.minimal import AdversarialResult, minimal_level
from cnnviz.adversarial.pipeline import attacked_photo
from cnnviz.adversarial.target import target_model
from cnnviz.adversarial.verification import WrittenAttack, distances

SURE = 0.6


def loader(path: Path, side: int = 256, kind: str = "bicubic") -> torch.Tensor:
    """Return a file as the network's input, (1, 3, 224, 224): its publisher's preprocessing, by Pillow or OpenCV."""
    image = Image.open(path).convert("RGB")
    scale = side / min(image.size)
    size = [int(part * scale) if part != min(image.size) else side for part in image.size]
    if kind == "area":
        small = cv2.resize(np.asarray(image), size, interpolation=cv2.INTER_AREA)
    else:
        small = np.asarray(image.resize(size, getattr(Image.Resampling, kind.upper())))
    top, left = round((small.shape[0] - 224) / 2), round((small.shape[1] - 224) / 2)
    crop = small[top : top + 224, left : left + 224]
    return torch.from_numpy(crop.copy()).permute(2, 0, 1)[None].float() / 255


def crops(photos: Path, network: Network, count: int, sizes: tuple[int, int]) -> Iterator[tuple[Path, int]]:
    """Yield crops as PNG files, each with the class that the network predicts with p >= 0.6."""
    draw = random.Random(1)
    paths = sorted(photos.iterdir())
    folder = Path(tempfile.mkdtemp())
    found = 0
    while found < count:
        image = Image.open(draw.choice(paths)).convert("RGB")
        share = draw.uniform(0.5, 1) * min(image.size)
        x, y = draw.uniform(0, image.width - share), draw.uniform(0, image.height - share)
        wide = draw.randint(*sizes)
        high = wide if sizes[0] == sizes[1] else round(wide * draw.uniform(0.75, 1.0))
        box = (x, y, x + share, y + share * high / wide)
        path = folder / f"{found:03}.png"
        image.resize((wide, high), Image.Resampling.BICUBIC, box=box).save(path)
        shares = judge(network, loader(path))
        if float(shares.max()) >= SURE:
            found += 1
            yield path, int(shares.argmax())


def judge(network: Network, x: torch.Tensor) -> torch.Tensor:
    """Return the class probabilities (classes,)."""
    with torch.inference_mode():
        return network(x)[0].softmax(0)


class Attack:
    """Attacks photos, writes the results as files, and counts passes and seconds."""

    def __init__(self, network: Network) -> None:
        self.network = network

    def __call__(
        self, path: Path, search: Callable[..., AdversarialResult], goal: int | None = None, margin: float = 0,
        robust_to: tuple[str, ...] = (), **options: Any,
    ) -> tuple[Path, bool, dict[str, Any]]:  # fmt: skip
        """Return the written file, whether the attack reports success, and its numbers."""
        started = time.process_time()
        photo = attacked_photo(path, self.network)
        model, values = target_model([photo], robust_to), photo.original.values
        criterion = Criterion(int(photo.clean_logits.argmax()), goal, margin)
        found = search(model, torch.from_numpy(values), criterion, **options)
        written = path.with_name(f"{path.stem}-attacked.png")
        written.write_bytes(WrittenAttack(photo, criterion, found.values).encode({}))
        numbers = vars(distances(values, found.values.numpy())) | model.queries.as_dict()
        numbers["seconds"] = time.process_time() - started
        return written, found.fooled, numbers


def summary(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the means and medians of the attacks' numbers."""
    return {
        "count": len(rows),
        "fooled": round(statistics.mean(row["truth"] for row in rows), 4),
        "false_claims": sum(row["said"] and not row["truth"] for row in rows),
        "at_1_level": round(statistics.mean(row["truth"] and row["levels"] <= 1 for row in rows), 4),
        "at_2_levels": round(statistics.mean(row["truth"] and row["levels"] <= 2 for row in rows), 4),
        "at_4_levels": round(statistics.mean(row["truth"] and row["levels"] <= 4 for row in rows), 4),
        "forward": round(statistics.mean(row["forward"] for row in rows), 2),
        "backward": round(statistics.mean(row["backward"] for row in rows), 2),
        "seconds": round(statistics.median(row["seconds"] for row in rows), 3),
        "psnr": round(statistics.median(row["psnr"] or 99.0 for row in rows), 2),
    }


def measure_part(part: str, network: Network, photos: Path, count: int) -> dict[str, Any]:
    """Return the summary of the search for the smallest level, under the conditions of a part."""
    options: dict[str, dict[str, Any]] = {
        "untargeted": {"eps": 16},
        "targeted": {"eps": 2},
        "jpeg": {"eps": 2, "robust_to": ("jpeg90", "jpeg75")},
        "margin": {"eps": 16, "margin": 2.0},
        "resize": {"eps": 4, "margin": RESIZE_MARGIN, "robust_to": ("resize",)},
    }
    attack, draw, rows = Attack(network), random.Random(7), []
    for path, target in crops(photos, network, count, (167, 1200)):
        goal = draw.choice([index for index in range(1000) if index != target]) if part == "targeted" else None
        written, said, row = attack(path, minimal_level, goal, **options[part])
        row |= {"said": said, "truth": all(fooled(network, x, target, goal) for x in inputs_of(written, part))}
        rows.append(row)
        print(part, len(rows), said, row["truth"], row["levels"], row["backward"], flush=True)
    return summary(rows)


def inputs_of(path: Path, part: str) -> Iterator[torch.Tensor]:
    """Yield the network's inputs for a file: unchanged, and after the transforms that the part requires."""
    yield loader(path)
    if part == "jpeg":
        for quality in (90, 75):
            stored = path.with_suffix(".jpg")
            Image.open(path).save(stored, quality=quality)
            yield loader(stored)
    elif part == "margin":
        yield loader(path, kind="bilinear")
        yield loader(path, kind="area")
    elif part == "resize":
        yield from (loader(path, side) for side in range(232, 289, 4))


def fooled(network: Network, x: torch.Tensor, target: int, goal: int | None) -> bool:
    """Return whether the network is fooled: any other class than the target, or the goal if there is one."""
    first = int(judge(network, x).argmax())
    return first != target if goal is None else first == goal


def main() -> None:
    """Measure one part and store the results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=Path, required=True)
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--part", required=True, choices=["untargeted", "targeted", "jpeg", "margin", "resize"])
    options = parser.parse_args()
    torch.set_num_threads(1)
    network = load_network("efficientnet_lite0", device="cpu")
    found = measure_part(options.part, network, options.photos, options.count)
    path = Path(__file__).with_suffix(".json")
    kept = json.loads(path.read_text("utf-8")) if path.is_file() else {"torch": torch.__version__}
    text = json.dumps(kept | {options.part: found}, indent=2)
    path.write_text(text + "\n", "utf-8")
    print(text)


if __name__ == "__main__":
    main()
