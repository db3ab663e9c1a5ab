"""Class heat maps beside occlusion maps, on 48 photographs with exact masks: where is the object, and at what cost?

``python benchmarks/heat.py FOLDER [COUNT]``, where FOLDER holds the unpacked packages of heat_subjects.json
(``dpkg -x``, ``unzip``).

45 cut-outs with alpha are pasted on other photographs, at sizes and places drawn from a fixed seed; every second one
with soft edges and with its colours drawn towards those of the background. Three sample photos have outlines by hand.
Measures, for EfficientNet-Lite0 and the object's own class, in one thread:

- pointing: the share of photographs whose maximum lies on the object;
- IoU: with one threshold, a share of a map's maximum, tuned on one half of the photographs and measured on the other;
- AP: average precision of a map's order of the pixels;
- CPU s: median of the CPU time of a photograph, the network loaded.

Prints the table, and writes heat.json to the folder of this file. COUNT limits the photographs.
"""

import json
import platform
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

from cnnviz import Network, fit, heat, load_network, occlusion, read_photo

HERE = Path(__file__)
SAMPLES = HERE.parents[1] / "sample_images"
SIZE = 640, 480  # of a made photograph
SIDES = 0.6, 0.95  # of an object's longer side, as a share of the photograph's shorter
LEVELS = np.linspace(0, 1, 51)[1:-1]
Scene = tuple[NDArray[np.uint8], NDArray[np.bool_], int]  # photo (H, W, 3), where its object is (H, W), its class
Method = Callable[[Network, NDArray[np.uint8], int], NDArray[np.float32]]  # to a map (H, W), NaN where there is none


def pasted(
    stamp: Image.Image, ground: Image.Image, soft: bool, random: np.random.Generator
) -> tuple[Image.Image, NDArray[np.bool_]]:
    """Return a photograph with a cut-out pasted on it, and the cut-out's mask."""
    width, height = SIZE
    scale = max(width / ground.width, height / ground.height)
    ground = ground.resize((round(ground.width * scale), round(ground.height * scale))).crop((0, 0, width, height))
    side = random.uniform(*SIDES) * height
    scale = side / max(stamp.size)
    stamp = stamp.resize((round(stamp.width * scale), round(stamp.height * scale)), Image.Resampling.BICUBIC)
    place = tuple(int(random.uniform(0.05, 0.95) * (a - b)) for a, b in zip(SIZE, stamp.size, strict=True))
    alpha = Image.new("L", SIZE)
    alpha.paste(stamp.getchannel("A"), place)
    mask = np.asarray(alpha) >= 128
    layer = Image.new("RGB", SIZE)
    layer.paste(stamp.convert("RGB"), place)
    if soft:
        colours, around = np.asarray(layer, float), np.asarray(ground, float)
        mean = colours[mask].mean(0)
        colours = 0.75 * (colours - mean) + 0.7 * mean + 0.3 * around.mean((0, 1))
        layer = Image.fromarray(np.rint(colours).clip(0, 255).astype(np.uint8))
        alpha = alpha.filter(ImageFilter.GaussianBlur(2.5))
    ground.paste(layer, (0, 0), alpha)
    return ground, mask


def find(folder: Path, name: str) -> Path:
    """Return the file whose path ends with a name, in whatever folder its package was unpacked."""
    found = next(folder.rglob(name), None)
    if found is None:
        raise SystemExit(f"{folder}: holds no {name}")
    return found


def scenes(folder: Path) -> list[Scene]:
    """Return the photographs with their masks and classes."""
    subjects = json.loads(HERE.with_name("heat_subjects.json").read_text("utf-8"))
    random, made = np.random.default_rng(0), list[Scene]()
    for number, (name, target) in enumerate(subjects["stamps"]):
        stamp = Image.open(find(folder, f"stamps/{name}.png")).convert("RGBA")
        ground = Image.open(find(folder, subjects["backgrounds"][number % len(subjects["backgrounds"])])).convert("RGB")
        photo, mask = pasted(stamp, ground, number % 2 == 0, random)
        made.append((np.asarray(photo), mask, target))
    for name, target, outline in subjects["drawn"]:
        photo = read_photo(SAMPLES / f"{name}.jpg")
        canvas = Image.new("1", photo.shape[1::-1])
        ImageDraw.Draw(canvas).polygon([tuple(point) for point in outline], fill=1)
        made.append((photo, np.asarray(canvas), target))
    return made


def by_heat(*sizes: int) -> Method:
    """Return the heat map of some sizes."""

    def method(network: Network, photo: NDArray[np.uint8], target: int) -> NDArray[np.float32]:
        found = heat(network, photo, targets=[target], sizes=sizes, fit_mode="squash")
        return found.geometry.to_photo(found.maps.numpy())[0]

    return method


def by_occlusion(network: Network, photo: NDArray[np.uint8], target: int) -> NDArray[np.float32]:
    """Return the occlusion map with the defaults of ``cnnviz occlude``."""
    inputs, geometry = fit(photo, network)
    return geometry.to_photo(occlusion(network, inputs, targets=[target]).maps.numpy())[0]


METHODS: dict[str, Method] = {
    **{f"heat {size}": by_heat(size) for size in (320, 448, 640)},
    "heat 320 + 448 + 640 + 896": by_heat(320, 448, 640, 896),
    "occlude": by_occlusion,
}


def precision(values: NDArray[np.float32], mask: NDArray[np.bool_]) -> float:
    """Return the average precision of an order of the pixels; NaN comes last."""
    order = np.argsort(-np.nan_to_num(values, nan=-np.inf).ravel(), kind="stable")
    hits = mask.ravel()[order]
    return float((hits.cumsum() / np.arange(1, len(hits) + 1))[hits].mean())


def overlaps(values: NDArray[np.float32], mask: NDArray[np.bool_]) -> list[float]:
    """Return the IoU of a map above each of LEVELS, shares of its maximum."""
    known = np.nan_to_num(values, nan=-np.inf)
    parts = [known >= level * known.max() for level in LEVELS]
    return [float((part & mask).sum() / max(1, (part | mask).sum())) for part in parts]


def held_out(table: NDArray[np.float64]) -> float:
    """Return the mean IoU (photos, LEVELS) at the level that is best on the other half of the photographs."""
    first = np.arange(len(table)) % 4 < 2  # both halves have soft edges and hard ones
    chosen = [table[half][:, table[~half].mean(0).argmax()] for half in (first, ~first)]
    return float(np.concatenate(chosen).mean())


def measure(network: Network, method: Method, found: list[Scene]) -> dict[str, float]:
    """Return the measures of a method."""
    method(network, *found[0][::2])  # what is computed once for a network is not counted
    hits, table, areas, seconds = list[bool](), list[list[float]](), list[float](), list[float]()
    for photo, mask, target in found:
        start = time.process_time()
        values = method(network, photo, target)
        seconds.append(time.process_time() - start)
        hits.append(bool(mask.ravel()[np.nanargmax(values)]))
        table.append(overlaps(values, mask))
        areas.append(precision(values, mask))
    numbers = statistics.fmean(hits), held_out(np.array(table)), statistics.fmean(areas), statistics.median(seconds)
    return dict(zip(("pointing", "iou", "ap", "cpu_s"), (round(number, 3) for number in numbers), strict=True))


def main() -> None:
    """Print the table and store it."""
    torch.set_num_threads(1)
    network = load_network("efficientnet_lite0", device="cpu")
    found = scenes(Path(sys.argv[1]))
    step = max(1, len(found) // int(sys.argv[2])) if len(sys.argv) > 2 else 1
    found = found[::step]
    with torch.inference_mode():
        right = [int(network(fit(photo, network)[0]).argmax()) == target for photo, _, target in found]
    print(f"{len(found)} photographs, class right in {sum(right)}\n")
    print("| | pointing | IoU | AP | CPU s |\n|---|---|---|---|---|")
    rows = {}
    for name, method in METHODS.items():
        rows[name] = measure(network, method, found)
        print(f"| {name} | " + " | ".join(f"{value:.3f}" for value in rows[name].values()) + " |", flush=True)
    record = {
        "photographs": len(found), "class_right": sum(right), "methods": rows, "torch": torch.__version__,
        "machine": f"{platform.system()} {platform.machine()}, one thread",
    }  # fmt: skip
    HERE.with_suffix(".json").write_text(json.dumps(record, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
