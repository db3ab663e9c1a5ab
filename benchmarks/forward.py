"""Cost of a forward pass: original, channels last, and with folded batch norm: ``python benchmarks/forward.py``.

CPU time per image on one thread, interleaved, medians; ratios to the original network with batch size 1. Writes
forward.json to the folder of this file. The batch size of occlusion (``cnnviz/attribution/occlusion_engines.py``) is
based on it.
"""

import json
import platform
import statistics
import time
from copy import deepcopy
from pathlib import Path

import torch
from torch import Tensor, nn

from cnnviz import load_network
from cnnviz.graph.fold_batchnorm import fold_batchnorm
from cnnviz.models.loader import build_blank

NETWORKS = ("efficientnet_lite0", "mobilenet_v2", "resnet18", "resnet50")
BATCHES = (1, 2, 4, 8, 16)
ROUNDS = 7
Case = tuple[str, int]


def network(name: str) -> nn.Module:
    """Return the original network, NCHW: the bundled one with its weights, others with random weights."""
    if name == "efficientnet_lite0":
        return load_network(name, device="cpu").module.to(memory_format=torch.contiguous_format)
    module = build_blank(name).to_empty(device="cpu")
    for tensor in [*module.parameters(), *module.buffers()]:
        if tensor.is_floating_point():
            tensor.data.uniform_(0.01, 0.02)
    return module.eval()


def variants(module: nn.Module) -> dict[str, nn.Module]:
    """Return the variants of a network that are compared."""
    folded = fold_batchnorm(module)
    return {
        "plain": module,
        "channels last": deepcopy(module).to(memory_format=torch.channels_last),
        "folded": folded,
        "folded, channels last": deepcopy(folded).to(memory_format=torch.channels_last),
    }


def cost(module: nn.Module, inputs: Tensor) -> float:
    """Return the CPU seconds of a forward pass, per image."""
    start = time.process_time()
    module(inputs)
    return (time.process_time() - start) / len(inputs)


def measure(name: str) -> dict[str, dict[int, float]]:
    """Return the median cost of each variant for each batch size, relative to the original with batch size 1."""
    forms = variants(network(name))
    times: dict[Case, list[float]] = {(form, batch): [] for form in forms for batch in BATCHES}
    with torch.inference_mode():
        for round_ in range(ROUNDS + 1):
            for form, batch in times:
                seconds = cost(forms[form], torch.rand(batch, 3, 224, 224))
                if round_:
                    times[form, batch].append(seconds)
    base = statistics.median(times["plain", 1])
    return {form: {b: round(statistics.median(times[form, b]) / base, 2) for b in BATCHES} for form in forms}


def main() -> None:
    """Print the table and store it."""
    torch.set_num_threads(1)
    results = {}
    for name in NETWORKS:
        results[name] = measure(name)
        print(f"\n{name:<24}" + "".join(f"{batch:>7}" for batch in BATCHES))
        for form, row in results[name].items():
            print(f"  {form:<22}" + "".join(f"{value:>7.2f}" for value in row.values()), flush=True)
    record = {"torch": torch.__version__, "machine": platform.machine(), "threads": 1, "rounds": ROUNDS}
    text = json.dumps({**record, "cost relative to plain, batch 1": results}, indent=1)
    Path(__file__).with_suffix(".json").write_text(text + "\n")


if __name__ == "__main__":
    main()
