"""Cost of the search of ``cnnviz top-images`` relative to the network's forward pass, and its peak memory.

``python benchmarks/strongest.py``: CPU time of one thread, interleaved, medians; EfficientNet-Lite0, inputs in
memory: the forward pass up to the layer, the forward pass of the whole network, and the search. Then the peak memory
of the command on folders of 300 and 3,000 photos. Writes strongest.json to the folder of this file.
"""

import json
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor

from cnnviz import load_network
from cnnviz.features.top_activations import BATCH, top_activations

LAYERS = ("blocks.2", "blocks.4", "blocks.6")
PICTURES, ROUNDS = 48, 7
FOLDERS = (300, 3000)
SAMPLES = Path(__file__).parent.parent / "sample_images"


def seconds(work: Callable[[], object]) -> float:
    """Return the CPU seconds of a call."""
    start = time.process_time()
    work()
    return time.process_time() - start


def search_cost(layer: str) -> dict[str, float]:
    """Return the search's cost relative to forward passes up to the layer and of the whole network."""
    network = load_network("efficientnet_lite0", device="cpu")
    batches = [torch.rand(BATCH, 3, *network.size) for _ in range(PICTURES // BATCH)]

    def pictures() -> Iterator[tuple[int, Tensor]]:
        for number, inputs in enumerate(batches):
            yield from ((number * BATCH + row, inputs[row : row + 1]) for row in range(BATCH))

    class Reached(Exception):  # noqa: N818
        """Ends a forward pass after the layer."""

    def stop(*_: object) -> None:
        raise Reached

    def forward(*, whole: bool) -> None:
        handle = None if whole else network.layer(layer).register_forward_hook(stop)
        with torch.inference_mode():
            for inputs in batches:
                try:
                    network(inputs)
                except Reached:
                    continue
        if handle:
            handle.remove()

    kinds = {
        "to the layer": lambda: forward(whole=False),
        "whole": lambda: forward(whole=True),
        "search": lambda: top_activations(network, pictures(), layer=layer, top=9),
    }
    taken: dict[str, list[float]] = {kind: [] for kind in kinds}
    for round_ in range(ROUNDS + 1):
        for kind, work in kinds.items():
            cost = seconds(work)
            if round_:
                taken[kind].append(cost)
    median = {kind: statistics.median(values) for kind, values in taken.items()}
    return {kind: round(median["search"] / median[kind], 3) for kind in ("to the layer", "whole")}


def peak(folder: Path, photos: int) -> int:
    """Return the peak memory, in MB, of the command on a folder of ``photos`` photos."""
    folder.mkdir()
    samples = [Image.open(path).convert("RGB") for path in sorted(SAMPLES.glob("*.jpg"))]
    for number in range(photos):
        photo = samples[number % len(samples)]
        left, top = number % 97, number % 89
        photo.crop((left, top, left + 200, top + 200)).save(folder / f"{number:05}.jpg")
    command = [sys.executable, "-m", "cnnviz", "top-images", str(folder), "--layer", "blocks.4", "--channel", "0-3",
               "-o", f"{folder}-out/", "--quiet"]  # fmt: skip
    script = "import resource, subprocess, sys; subprocess.run(sys.argv[1:], check=True); " \
             "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"  # fmt: skip
    done = subprocess.run([sys.executable, "-c", script, *command], capture_output=True, check=True)
    return int(done.stdout) * (1 if sys.platform == "darwin" else 1024) // 1_000_000


def main() -> None:
    """Print both results and store them."""
    torch.set_num_threads(1)
    costs = {layer: search_cost(layer) for layer in LAYERS}
    for layer, row in costs.items():
        print(layer, row, flush=True)
    with tempfile.TemporaryDirectory() as place:
        peaks = {str(count): peak(Path(place) / str(count), count) for count in FOLDERS}
    print("peak memory, MB", peaks)
    record = {"torch": torch.__version__, "machine": platform.machine(), "threads": 1, "rounds": ROUNDS,
              "search relative to forward": costs, "peak MB by photographs": peaks}  # fmt: skip
    Path(__file__).with_suffix(".json").write_text(json.dumps(record, indent=1) + "\n")


if __name__ == "__main__":
    main()
