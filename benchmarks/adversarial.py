"""Do the files that ``cnnviz adversarial`` writes fool, and at which change and price?

    python benchmarks/adversarial.py --photos FOLDER --count 200 --part untargeted

Crops of the photographs, at sizes drawn between 167 and 1200 pixels, that the network is sure of (p >= 0.6). Each file
is written, and judged by ``loader`` below, which knows nothing of cnnviz's own reading. ``--part`` is one of
untargeted, targeted, survive, margin, resize; in resize a "false claim" fools at the sizes in the loop, not at all
between. One thread, processor seconds. The numbers of each part go to
adversarial.json beside this file.
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
from cnnviz.adversarial import file_attack, minimal
from cnnviz.adversarial.distances import distances
from cnnviz.adversarial.target import Criterion, TargetModel
from cnnviz.io import stored_image, write
from cnnviz.models.features import LOGITS, FeatureExtractor

SURE = 0.6


def loader(path: Path, side: int = 256, kind: str = "bicubic") -> torch.Tensor:
    """Return a file as the network takes it, (1, 3, 224, 224): the recipe of its publisher, by Pillow or OpenCV."""
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
    """Yield crops as PNG files, and the class that the network is sure of."""
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
    """Return the probabilities (classes,)."""
    with torch.inference_mode():
        return network(x)[0].softmax(0)


class Attack:
    """Writes the attacked file of a photograph, and counts."""

    def __init__(self, network: Network) -> None:
        self.network, self.trunk = network, FeatureExtractor(network, [LOGITS])

    def __call__(
        self, path: Path, seek: Callable[..., minimal.AdversarialResult], goal: int | None = None, margin: float = 0,
        survive: tuple[str, ...] = (), **options: Any,
    ) -> tuple[Path, bool, dict[str, Any]]:  # fmt: skip
        """Return the written file, whether the attack says that it fools, and its numbers."""
        started = time.process_time()
        original = stored_image.decode_stored(path.read_bytes())
        subject = file_attack.attacked_photo(original, self.network, "crop")
        clean = subject.logits(original.photo(original.values))
        attacked = TargetModel(((file_attack.input_pipeline(subject, survive), self.trunk),))
        aim = Criterion(int(clean.argmax()), goal, margin)
        found = seek(attacked, torch.from_numpy(original.values), aim, **options)
        written = path.with_name(f"{path.stem}-attacked.png")
        written.write_bytes(write.encode_picture(str(written), original.image(found.values.numpy()), {}))
        numbers = distances(original.values, found.values.numpy())
        numbers |= {"seconds": time.process_time() - started, "forward": attacked.passes.forward,
                    "backward": attacked.passes.backward}  # fmt: skip
        return written, found.fooled, numbers


def summary(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the means and medians of what the attacks told."""
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


def grid_part(part: str, network: Network, photos: Path, count: int) -> dict[str, Any]:
    """Return what the search for the smallest level comes to under the conditions of a part."""
    options: dict[str, dict[str, Any]] = {
        "untargeted": {"eps": 16},
        "targeted": {"eps": 2},
        "survive": {"eps": 2, "survive": ("jpeg90", "jpeg75")},
        "margin": {"eps": 16, "margin": 2.0},
        "resize": {"eps": 4, "margin": file_attack.BETWEEN, "survive": ("resize",)},
    }
    attack, draw, rows = Attack(network), random.Random(7), []
    for path, target in crops(photos, network, count, (167, 1200)):
        goal = draw.choice([index for index in range(1000) if index != target]) if part == "targeted" else None
        written, said, row = attack(path, minimal.grid, goal, **options[part])
        row |= {"said": said, "truth": all(fooled(network, x, target, goal) for x in seen(written, part))}
        rows.append(row)
        print(part, len(rows), said, row["truth"], row["levels"], row["backward"], flush=True)
    return summary(rows)


def seen(path: Path, part: str) -> Iterator[torch.Tensor]:
    """Yield what the network is shown of a file: as it is, and what it must survive."""
    yield loader(path)
    if part == "survive":
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
    """Return whether the network is fooled."""
    first = int(judge(network, x).argmax())
    return first != target if goal is None else first == goal


def main() -> None:
    """Measure and store."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=Path, required=True)
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--part", required=True, choices=["untargeted", "targeted", "survive", "margin", "resize"])
    options = parser.parse_args()
    torch.set_num_threads(1)
    network = load_network("efficientnet_lite0", device="cpu")
    found = grid_part(options.part, network, options.photos, options.count)
    path = Path(__file__).with_suffix(".json")
    kept = json.loads(path.read_text("utf-8")) if path.is_file() else {"torch": torch.__version__}
    text = json.dumps(kept | {options.part: found}, indent=2)
    path.write_text(text + "\n", "utf-8")
    print(text)


if __name__ == "__main__":
    main()
