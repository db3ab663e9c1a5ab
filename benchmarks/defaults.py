"""Study of occlusion settings: which window, stride, fill, border and score localise the object best.

``python benchmarks/defaults.py PHOTOS [VIEWS]``, where PHOTOS is a folder with the photos of defaults_subjects.json.

Occlusion maps of EfficientNet-Lite0 for views of photos with objects boxed by hand, and for mosaics of four photos
(defaults_subjects.json, which also names the sources of the photos). Three measures:

- hit: the map's maximum lies on the object (the pointing game, without tolerance);
- energy: the share of the map's positive sum that lies on the object, and the share of a uniform map;
- curves: mean probability of insertion minus deletion, in the map's order of pixels; both with grey and with a blurred
  baseline, so that no fill has an advantage.

Prints the table, and writes defaults.json to the folder of this file. About half an hour on two idle cores; VIEWS
limits the number of views, which are in mixed order.
"""

import json
import platform
import sys
from itertools import product
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from cnnviz import Network, fit, load_network, read_photo
from cnnviz.attribution.deletion_insertion import pixel_order
from cnnviz.attribution.fills import occluder
from cnnviz.attribution.occlusion import Occlusion, occlusion
from cnnviz.attribution.pointing_game import pointing_game

HERE = Path(__file__)
STEPS = 9  # of the curves
TILE = 256  # side of a mosaic's tile, in pixels
Setting = tuple[int, int, str, str]  # window, stride, fill, border

COARSE: list[Setting] = [
    *((16, 16, fill, "inside") for fill in ("grey", "blur")),
    *product((32, 64), (16,), ("grey", "blur"), ("inside", "overhang")),
    *((48, 16, fill, "overhang") for fill in ("grey", "blur")),
    (64, 16, "noise", "overhang"), (96, 16, "blur", "overhang"),
]  # fmt: skip
STRIDES: list[Setting] = [(32, 8, "blur", "overhang"), (64, 8, "blur", "overhang"), (64, 32, "blur", "overhang")]


def square(photo: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the centre of a photo as a tile."""
    side = min(photo.shape[:2])
    top, left = (photo.shape[0] - side) // 2, (photo.shape[1] - side) // 2
    part = Image.fromarray(photo[top : top + side, left : left + side])
    return np.asarray(part.resize((TILE, TILE), Image.Resampling.BICUBIC))


def mask_of(photo: NDArray[np.uint8], boxes: list[list[int]]) -> NDArray[np.float32]:
    """Return a mask, 1 inside boxes in hundredths of the photo (left, top, right, bottom)."""
    mask = np.zeros(photo.shape[:2], np.float32)
    for left, top, right, bottom in boxes:
        rows, columns = (
            slice(round(a * side / 100), round(b * side / 100))
            for a, b, side in ((top, bottom, photo.shape[0]), (left, right, photo.shape[1]))
        )
        mask[rows, columns] = 1
    return mask


def view(subject: dict[str, Any], boxes: dict[str, Any], folder: Path) -> tuple[Any, Any]:
    """Return a subject's image, uint8 (H, W, 3), and the mask of its object, (H, W)."""
    if "photos" in subject:
        tiles = [square(read_photo(folder / name)) for name in subject["photos"]]
        mask = np.zeros((2 * TILE, 2 * TILE), np.float32)
        down, across = divmod(subject["quadrant"], 2)
        mask[down * TILE : (down + 1) * TILE, across * TILE : (across + 1) * TILE] = 1
        return np.concatenate([np.concatenate(tiles[:2], 1), np.concatenate(tiles[2:], 1)]), mask
    photo = read_photo(folder / subject["photo"])
    left, top, right, bottom = subject["crop"]
    mask = mask_of(photo, boxes[subject["photo"]])
    return photo[top:bottom, left:right], mask[top:bottom, left:right]


def curves(network: Network, x: Tensor, values: Tensor, target: int) -> float:
    """Return the mean probability of insertion minus deletion, averaged over a grey and a blurred baseline."""
    rank = pixel_order(values)
    counts = torch.arange(1, STEPS).view(-1, 1, 1, 1) * (rank.numel() / STEPS)
    means = []
    for other in (occluder(x, "grey", network), occluder(x, "blur", network)):
        for before, after in ((other, x), (x, other)):
            batch = torch.where(rank < counts, after, before)
            answers = torch.cat([network.folded(part) for part in batch.split(4)])
            means.append(float(answers.softmax(1)[:, target].mean()))
    return (means[0] - means[1] + means[2] - means[3]) / 2


def judge(network: Network, x: Tensor, values: Tensor, mask: Tensor, target: int) -> dict[str, float]:
    """Return the three measures of a map (h, w)."""
    found = pointing_game(values, mask, tolerance=0)
    return {"hit": float(found.hit), "energy": found.energy, "even": found.covered,
            "curves": curves(network, x, values, target)}  # fmt: skip


def by_logit(result: Occlusion) -> Tensor:
    """Return the map (h, w) of the logit, from the same passes as that of the probability."""
    target = result.targets[0]
    return result.grid.mean((result.clean_logits - result.logits)[:, target][None])[0]


def one(job: tuple[int, dict[str, Any], dict[str, Any], str]) -> list[dict[str, Any]]:
    """Return the measures of every setting for one subject; strides are compared on every fourth subject."""
    number, subject, boxes, folder = job
    torch.set_num_threads(1)
    network = load_network("efficientnet_lite0", device="cpu")
    picture, where = view(subject, boxes, Path(folder))
    x, geometry = fit(picture, network)
    mask = torch.from_numpy(geometry.to_input(where) > 0.5)
    rows = []
    for window, stride, fill, border in COARSE + (STRIDES if number % 4 == 0 else []):
        result = occlusion(network, x, window=window, stride=stride, fill=fill, border=border,
                           targets=[subject["target"]])  # type: ignore[arg-type]  # fmt: skip
        with torch.inference_mode():
            for score, values in (("probability", result.maps[0]), ("logit", by_logit(result))):
                setting = {"window": window, "stride": stride, "fill": fill, "border": border, "score": score}
                rows.append(setting | {"subject": number, **judge(network, x, values, mask, subject["target"])})
    return rows


def table(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the means for each setting: hits overall and by size of the object, energy, curves."""
    keys = ("window", "stride", "fill", "border", "score")
    found: dict[tuple[Any, ...], list[dict[str, Any]]] = {}
    for row in rows:
        found.setdefault(tuple(row[key] for key in keys), []).append(row)
    lines = []
    for setting, group in found.items():
        sizes = {"small": (0, 0.15), "middle": (0.15, 0.4), "large": (0.4, 1.1)}
        parts = {name: [r["hit"] for r in group if a <= r["even"] < b] for name, (a, b) in sizes.items()}
        means = {key: round(float(np.mean([r[key] for r in group])), 4) for key in ("hit", "energy", "curves")}
        hits = {f"hit_{name}": round(float(np.mean(part)), 4) if part else None for name, part in parts.items()}
        counts = {f"n_{name}": len(part) for name, part in parts.items()}
        lines.append(dict(zip(keys, setting, strict=True)) | {"n": len(group), **means, **hits, **counts})
    return lines


def keep(done: int, lines: list[dict[str, Any]]) -> None:
    """Write the table to the folder of this file, one setting per line."""
    head = f' "torch": "{torch.__version__}", "machine": "{platform.machine()}", "subjects": {done},'
    text = ",\n".join(f"  {json.dumps(line)}" for line in lines)
    HERE.with_suffix(".json").write_text(f'{{\n{head}\n "settings": [\n{text}\n ]\n}}\n')


def main() -> None:
    """Evaluate all subjects, two at a time, and print the table."""
    record = json.loads(HERE.with_name("defaults_subjects.json").read_text())
    subjects = record["views"] + record["mosaics"]
    jobs = [(n, subject, record["boxes"], sys.argv[1]) for n, subject in enumerate(subjects)]
    jobs = sorted(jobs, key=lambda job: job[0] * 37 % len(subjects))  # mixed: the first ones represent all
    jobs = jobs[: int(sys.argv[2])] if len(sys.argv) > 2 else jobs
    rows: list[dict[str, Any]] = []
    with get_context("spawn").Pool(2) as pool:
        for done, more in enumerate(pool.imap_unordered(one, jobs), 1):
            rows += more
            print(f"{done}/{len(jobs)}", file=sys.stderr, flush=True)
            keep(done, table(rows))
    for line in table(rows):
        print("  ".join(f"{v:.3f}" if isinstance(v, float) else f"{v!s:>11}" for v in line.values()))


if __name__ == "__main__":
    main()
