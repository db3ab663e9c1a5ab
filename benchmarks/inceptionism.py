"""Recognition of class images by held-out networks, for random classes and default settings.

    python benchmarks/inceptionism.py --count 200 --draw 1

Each image is stored as PNG, as JPEG of quality 75, at half and twice its size, and blurred by 2 pixels.
EfficientNet-Lite1 and Lite2, which are loaded after all images are made, classify the stored images. Also measured:
CPU seconds, saturation, the slope of the power spectrum in log-log coordinates, and the root mean square of the two
finest Laplacian bands of brightness and of chroma. With ``--photos FOLDER`` these are measured for photos too, cropped
to 336 pixels. ``--keep FOLDER`` stores the images there, and takes those that it holds. The results are stored in
inceptionism.json, in the folder of this file.
"""

import argparse
import io
import json
import math
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageFilter, ImageOps

from cnnviz import Network, fit, load_network
from cnnviz.synthesis import priors
from cnnviz.synthesis.inceptionism import inceptionism

JUDGES = ("efficientnet_lite1", "efficientnet_lite2")
Pixels = NDArray[np.uint8]


def saturation(picture: Pixels) -> float:
    """Return the mean saturation, as in HSV, of an image (h, w, 3)."""
    values = picture.astype(float)
    most, least = values.max(2), values.min(2)
    return float(((most - least) / np.maximum(most, 1)).mean())


def slope(picture: Pixels) -> float:
    """Return the slope of log power over log frequency; all octaves have the same weight."""
    light = picture.astype(float) @ (0.299, 0.587, 0.114)
    size = min(light.shape)
    light = light[:size, :size] - light[:size, :size].mean()
    power = np.abs(np.fft.fft2(light * np.hanning(size)[:, None] * np.hanning(size))) ** 2
    line = np.fft.fftfreq(size) * size
    ring = np.rint(np.hypot(line[:, None], line)).astype(int)
    rings = np.arange(3, size // 2)
    means = np.array([power[ring == radius].mean() for radius in rings])
    bins = np.digitize(rings, np.geomspace(3, size // 2, 16))
    points = [(np.log(rings[bins == b]).mean(), np.log(means[bins == b]).mean()) for b in np.unique(bins)]
    return float(np.polyfit(*zip(*points, strict=True), 1)[0])


def finest(values: NDArray[np.float64]) -> float:
    """Return the root mean square of the two finest bands of a Laplacian pyramid of values (h, w)."""
    bands = priors.bands(torch.from_numpy(values)[None, None], 2)[:2]
    return math.sqrt(sum(float(band.square().mean()) for band in bands))


def finest_luma(picture: Pixels) -> float:
    """Return ``finest`` of the luma of an image (h, w, 3), in 0 to 1."""
    return finest(picture.astype(float) @ (0.299, 0.587, 0.114) / 255)


def finest_chroma(picture: Pixels) -> float:
    """Return the root mean square of ``finest`` of the two chroma planes of JPEG."""
    luma = picture.astype(float) @ (0.299, 0.587, 0.114)
    planes = 0.564 * (picture[..., 2] - luma), 0.713 * (picture[..., 0] - luma)
    return math.sqrt(sum(finest(plane / 255) ** 2 for plane in planes) / 2)


def stored(picture: Pixels) -> dict[str, Pixels]:
    """Return an image after each kind of storing: PNG, JPEG, resized, blurred."""
    image = Image.fromarray(picture)
    jpeg = io.BytesIO()
    image.save(jpeg, "JPEG", quality=75)
    side = image.width
    changed = {
        "png": image,
        "jpeg75": Image.open(jpeg).convert("RGB"),
        "half": image.resize((side // 2, side // 2), Image.Resampling.BICUBIC),
        "double": image.resize((2 * side, 2 * side), Image.Resampling.BICUBIC),
        "blur2": image.filter(ImageFilter.GaussianBlur(2)),
    }
    return {name: np.array(kind) for name, kind in changed.items()}


def judged(judge: Network, picture: Pixels, target: int) -> tuple[int, float]:
    """Return the target's rank (0: top class) and its probability by a network."""
    with torch.inference_mode():
        shares = judge(fit(picture, judge)[0])[0].softmax(0)
    return int((shares > shares[target]).sum()), float(shares[target])


MEASURES = (saturation, slope, finest_luma, finest_chroma)


def photographs(folder: Path) -> dict[str, list[float]]:
    """Return the 5th, 50th and 95th percentile of the measures of photos, cropped to 336 pixels."""
    seen = [
        np.array(ImageOps.fit(Image.open(path).convert("RGB"), (336, 336), Image.Resampling.BICUBIC))
        for path in sorted(folder.glob("*.jpg"))
    ]
    return {m.__name__: np.percentile([m(picture) for picture in seen], (5, 50, 95)).round(4).tolist()
            for m in MEASURES}  # fmt: skip


def report(pictures: list[Pixels], targets: list[int], judge: Network) -> dict[str, Any]:
    """Return the top-1 and top-5 rates and the mean probability for each kind of storing."""
    rows: dict[str, list[tuple[int, float]]] = {}
    for picture, target in zip(pictures, targets, strict=True):
        for kind, pixels in stored(picture).items():
            rows.setdefault(kind, []).append(judged(judge, pixels, target))
    missed = [judge.classes[t] for t, (rank, _) in zip(targets, rows["png"], strict=True) if rank]
    return {"missed": missed} | {
        kind: {"first": float(np.mean([rank == 0 for rank, _ in found])),
               "first_five": float(np.mean([rank < 5 for rank, _ in found])),
               "probability": round(float(np.mean([share for _, share in found])), 3)}
        for kind, found in rows.items()
    }  # fmt: skip


def main() -> None:
    """Measure and store the results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--draw", type=int, default=1, help="seed of the random classes")
    parser.add_argument("--photos", type=Path)
    parser.add_argument("--keep", type=Path, help="folder to which the images are written")
    options = parser.parse_args()
    torch.set_num_threads(1)
    network = load_network("efficientnet_lite0", device="cpu")
    drawn = torch.randperm(1000, generator=torch.Generator().manual_seed(options.draw))
    targets = drawn[: options.count].tolist()
    pictures, seconds, before = [], [], []
    for number, target in enumerate(targets):
        file = options.keep / f"{target:03}.png" if options.keep else None
        if file and file.exists():
            pictures.append(np.array(Image.open(file)))
            continue
        start = time.process_time()
        result = inceptionism(network, target)
        seconds.append(time.process_time() - start)
        before.append(result.start_probability)
        pictures.append(result.image)
        print(number, network.class_name(target), round(result.probability, 3), flush=True)
        if file:
            file.parent.mkdir(exist_ok=True)
            Image.fromarray(pictures[-1]).save(file)
    found: dict[str, Any] = {"count": options.count, "draw": options.draw, "torch": torch.__version__}
    if seconds:
        found |= {"seconds": round(float(np.median(seconds)), 2), "start_probability": round(max(before), 4)}
    for measure in MEASURES:
        values = [measure(picture) for picture in pictures]
        found[measure.__name__] = np.percentile(values, (0, 5, 50, 95, 100)).round(4).tolist()
    if options.photos:
        found["photographs"] = photographs(options.photos)
    found["judges"] = {name: report(pictures, targets, load_network(name, device="cpu")) for name in JUDGES}
    text = json.dumps(found, indent=2)
    Path(__file__).with_suffix(".json").write_text(text + "\n", "utf-8")
    print(text)


if __name__ == "__main__":
    main()
