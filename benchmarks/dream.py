"""Cost of one step of deep dream: ``python benchmarks/dream.py``.

A complete step of ``cnnviz dream`` (jitter, gradient, normalisation of its bands, colours, update, clamp) against
forward and backward passes of the bare network: frozen, truncated after the layer, not folded, NCHW. CPU time of one
thread, medians; a few steps of one kind alternate with a few of the other, because a dream consists of consecutive
steps. Then one step of 4096 x 4096 pixels in tiles, in a separate process: its peak memory (VmHWM) above the base,
which is the peak after loading the network and before creating the image. Writes dream.json.
"""

import json
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path

import torch
from torch import Tensor

from cnnviz import load_network
from cnnviz.models.features import FeatureExtractor
from cnnviz.synthesis.dream import DreamSettings, dream, dream_octaves
from cnnviz.synthesis.objectives import Objective, layer

LAYER, SIZES, ROUNDS, LARGE = "blocks.4", (224, 512), 9, 4096
ROW = 10  # consecutive runs of one kind: the steps of an octave
OBJECTIVE = Objective((layer(LAYER),))


def bare() -> Callable[[Tensor], Tensor]:
    """Return a function for the gradient of the original network, up to the layer."""
    module = deepcopy(load_network(device="cpu").module).to(memory_format=torch.contiguous_format)

    def gradient(picture: Tensor) -> Tensor:
        x = picture.detach().requires_grad_()
        out = module.blocks[:5](module.bn1(module.conv_stem((x - 0.5) / 0.5)))
        return torch.autograd.grad(OBJECTIVE({LAYER: out}).sum(), x)[0]

    return gradient


def step() -> Callable[[Tensor], Tensor]:
    """Return a function for ROW consecutive steps of deep dream."""
    network = load_network(device="cpu")
    extractor = FeatureExtractor(network, [LAYER])
    settings = DreamSettings(steps=ROW, octaves=1)
    return lambda image: dream_octaves(extractor, lambda _: OBJECTIVE, image, settings, seed=0)[0]


def ratio(size: int) -> dict[str, float]:
    """Return the median CPU seconds per run of both kinds, and their ratio."""
    once = bare()
    forms = {"bare": lambda x: [once(x) for _ in range(ROW)], "step": step()}
    times: dict[str, list[float]] = {name: [] for name in forms}
    picture = torch.rand(1, 3, size, size)
    for _ in range(ROUNDS + 1):
        for name, form in forms.items():
            start = time.process_time()
            form(picture)
            times[name].append((time.process_time() - start) / ROW)
    medians = {name: statistics.median(values[1:]) for name, values in times.items()}
    return {name: round(value, 4) for name, value in medians.items()} | {
        "ratio": round(medians["step"] / medians["bare"], 3)
    }


def peak() -> float:
    """Return the peak memory of this process, in GB; ru_maxrss would include the program that started it."""
    rows = Path("/proc/self/status").read_text().splitlines()
    return next(int(row.split()[1]) for row in rows if row.startswith("VmHWM")) / 1e6


def large() -> None:
    """Print the memory and time of one step on a large image, conversion from bytes to floats included."""
    network = load_network(device="cpu")
    before, start = peak(), time.process_time()
    picture = torch.randint(256, (1, 3, LARGE, LARGE), dtype=torch.uint8)
    dream(network, picture, LAYER, settings=DreamSettings(steps=1, octaves=1, compute_size="full"))
    print(json.dumps({"GB over the base": round(peak() - before, 3), "seconds": round(time.process_time() - start, 1)}))


def main() -> None:
    """Print the results and store them."""
    torch.set_num_threads(1)
    if sys.argv[1:] == ["large"]:
        return large()
    results: dict[str, object] = {str(size): ratio(size) for size in SIZES}
    words = [sys.executable, __file__, "large"]
    results[str(LARGE)] = json.loads(subprocess.run(words, check=True, capture_output=True).stdout)
    record = {"torch": torch.__version__, "machine": platform.machine(), "threads": 1, "rounds": ROUNDS, **results}
    text = json.dumps(record, indent=1)
    print(text)
    Path(__file__).with_suffix(".json").write_text(text + "\n")
    return None


if __name__ == "__main__":
    main()
