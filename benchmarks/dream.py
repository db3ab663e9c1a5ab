"""What a step of a dream costs: ``python benchmarks/dream.py``.

A whole step, all that ``cnnviz dream`` does between two pictures (jitter, gradient, bands evened, colours, update,
clamp), against forward and backward of the bare network: frozen, cut behind the layer, not folded, NCHW. One thread,
CPU time, medians; a few runs of the one and a few of the other by turns, as a dream is steps in a row. Then one step of
4096 x 4096 pixels in tiles, in a process of its own: how far its peak memory (VmHWM) is above the base, which is the
peak once the network is loaded, before there is a picture. Writes dream.json.
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
from cnnviz.synthesis.dream import dream
from cnnviz.synthesis.objectives import Objective, layer
from cnnviz.synthesis.spec import ObjectiveSpec

LAYER, SIZES, ROUNDS, LARGE = "blocks.4", (224, 512), 9, 4096
AIM = ObjectiveSpec({LAYER: 1.0}, {}, {})
ROW = 10  # runs of one form at a time, the steps of an octave
OBJECTIVE = Objective((layer(LAYER),))


def bare() -> Callable[[Tensor], Tensor]:
    """Return the gradient of the untouched network, as torch runs it, up to the layer."""
    module = deepcopy(load_network(device="cpu").module).to(memory_format=torch.contiguous_format)

    def gradient(picture: Tensor) -> Tensor:
        x = picture.detach().requires_grad_()
        out = module.blocks[:5](module.bn1(module.conv_stem((x - 0.5) / 0.5)))
        return torch.autograd.grad(OBJECTIVE({LAYER: out}).sum(), x)[0]

    return gradient


def step() -> Callable[[Tensor], Tensor]:
    """Return steps of a dream over a picture, ROW in a row."""
    network = load_network(device="cpu")
    trunk = FeatureExtractor(network, [LAYER])

    def climb(picture: Tensor) -> Tensor:
        made = trunk, lambda _: OBJECTIVE
        return dream(network, picture, aim=AIM, steps=ROW, octaves=1, made=made).picture

    return climb


def ratio(size: int) -> dict[str, float]:
    """Return the median CPU seconds of one run of both, and their ratio."""
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
    """Return this program's largest memory so far, in GB; ru_maxrss would count what ran before in its place."""
    rows = Path("/proc/self/status").read_text().splitlines()
    return next(int(row.split()[1]) for row in rows if row.startswith("VmHWM")) / 1e6


def large() -> None:
    """Print what one step of a dream over a large picture, bytes to floats, costs in memory and time."""
    network = load_network(device="cpu")
    before, start = peak(), time.process_time()
    picture = torch.randint(256, (1, 3, LARGE, LARGE), dtype=torch.uint8)
    dream(network, picture, aim=AIM, steps=1, octaves=1)
    print(json.dumps({"GB over the base": round(peak() - before, 3), "seconds": round(time.process_time() - start, 1)}))


def main() -> None:
    """Print the figures and keep them."""
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
