"""Cost per window position of an occlusion map: cnnviz, the best plain loop, captum.

    OMP_WAIT_POLICY=PASSIVE python benchmarks/occlusion.py [NETWORK ...] [--repeats N] [--zones N] [--threads]

Window 16, stride 8; CPU time of one thread; runs are interleaved in one process; medians of times and of ratios. The
set-up time of cnnviz's engine is divided among the positions of a whole map. To save time each run is a sample.
cnnviz: one batch from each of --zones strata of similar predicted cost, weighted by its positions (0: all batches).
The others: a few positions, which all have the same cost; captum is stopped after them, and its pass of the
unoccluded input is not counted. The fastest plain loop and the fastest setting of captum are determined first.
``cold`` is cnnviz's first run, in which the kernels for each shape are created, as for a single map. Prints a
Markdown table; updates occlusion.json, in the folder of this file, after each network.
"""

import argparse
import importlib.metadata
import json
import os
import platform
import statistics
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from copy import deepcopy
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch
import torchvision
from captum.attr import Occlusion
from torch import Tensor, nn

from cnnviz import load_network
from cnnviz.attribution import occlusion_engines
from cnnviz.attribution.occlusion import EngineOptions, occlusion
from cnnviz.attribution.windows import WindowGrid
from cnnviz.models.network import Network

NETWORKS = (
    "squeezenet1_1", "efficientnet_lite0", "mobilenet_v2", "resnet18", "googlenet", "resnet50", "densenet121", "vgg16",
)  # fmt: skip
THREADED = ("efficientnet_lite0", "resnet18", "vgg16")
WINDOW, STRIDE, SIDE, LARGE = 16, 8, 224, 448
BATCHES, LARGE_BATCHES = (1, 2, 4, 8, 16), (1, 2, 4)
CAPTUM = (1, 8, 32, 64)  # perturbations_per_eval; captum's default is 1
SCOUTING = 2  # runs that determine the fastest setting
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
FILE = Path(__file__).with_suffix(".json")
PACKAGES = ("cnnviz", "torch", "torchvision", "captum", "numpy")
COLUMNS = (
    "network", "cnnviz, ms per position", "best plain loop", "captum default", "captum best",
    "speed-up over captum default", "over captum best", "over plain loop", f"over plain loop at {LARGE} px",
    "bound of exact rectangles",
)  # fmt: skip
Clock = Callable[[], float]
Way = Callable[[], float]  # one run; returns seconds per position


def network(name: str) -> Network:
    """Return a network of cnnviz: the bundled one with its weights, others with random weights."""
    if name == "efficientnet_lite0":
        return load_network(name, device="cpu")
    own = {"init_weights": False, "aux_logits": False} if name == "googlenet" else {}
    torch.manual_seed(0)
    module = torchvision.models.get_model(name, weights=None, **own)
    made = Network.from_module(module, (SIDE, SIDE), MEAN, STD, name=name)
    return made.to(torch.device("cpu"), torch.float32)


class Ours:
    """The incremental engine for one map. A call runs a sample of its batches and returns seconds per position."""

    def __init__(self, folded: Network, x: Tensor, grid: WindowGrid, zones: int) -> None:
        self.grid = grid
        start = time.process_time()
        self.engine = occlusion_engines.choose_engine("incremental", folded, x, torch.full_like(x, 0.5), grid)
        batches = [[grid.boxes[i] for i in zone] for zone in self.engine.batches]
        self.set_up = (time.process_time() - start) / len(grid.boxes)
        self.sample = _sample(batches, self._cost, zones)

    def _cost(self, boxes: list[Any]) -> float:
        return self.engine.evaluate.cost(boxes)

    def __call__(self) -> float:
        """Run the sample; the set-up time is included."""
        total = 0.0
        for boxes, weight in self.sample:
            start = time.process_time()
            self.engine(boxes)
            total += (time.process_time() - start) * weight
        return total / len(self.grid.boxes) + self.set_up

    @property
    def bound(self) -> float:
        """Return the work of a full pass divided by that of each position's own rectangles, as the engine counts it.

        The bound is for work, not time: where small regions stay in the cache, the speed-up can be larger.
        """
        return 1 / statistics.fmean(self._cost([box]) for box in self.grid.boxes)


def _sample(zones: list[list[Any]], cost: Callable[[list[Any]], float], count: int) -> list[tuple[list[Any], float]]:
    """Return zones and their weights: the middle one of each of ``count`` strata of zones ordered by cost.

    The weight is the number of positions of the stratum, divided by that of the zone.
    """
    ordered = sorted(zones, key=lambda zone: (cost(zone), -len(zone)))
    count = min(count, len(ordered)) or len(ordered)
    edges = [len(ordered) * i // count for i in range(count + 1)]
    runs = [ordered[a:b] for a, b in pairwise(edges)]
    return [(run[len(run) // 2], sum(map(len, run)) / len(run[len(run) // 2])) for run in runs]


def whole_map(made: Network, x: Tensor, grid: WindowGrid) -> Way:
    """Return the incremental engine for a whole map, set-up and parallel batches included, in wall time."""

    def turn() -> float:
        start = time.perf_counter()
        occlusion(made, x, window=WINDOW, stride=STRIDE, options=EngineOptions("incremental"))
        return (time.perf_counter() - start) / len(grid.boxes)

    return turn


def plain(folded: Network, x: Tensor, grid: WindowGrid, batch: int, clock: Clock = time.process_time) -> Way:
    """Return a plain loop: full passes of the folded network, channels last, ``batch`` at a time."""
    engine = occlusion_engines.FullPassEngine(folded, x, torch.full_like(x, 0.5), grid, None, "")
    times = -(-4 // batch)
    boxes = grid.boxes[:: len(grid.boxes) // (batch * times)][: batch * times]

    def turn() -> float:
        start = clock()
        for first in range(0, len(boxes), batch):
            engine(boxes[first : first + batch])
        return (clock() - start) / len(boxes)

    return turn


class Enough(Exception):  # noqa: N818
    """Ends captum's loop, which cannot evaluate a subset of positions, nor a stride larger than its window."""


def captum(module: nn.Module, x: Tensor, batch: int) -> Way:
    """Return captum's occlusion with ``batch`` perturbations_per_eval, stopped after a few passes.

    Timed from the start of its first occluded pass to the start of a later one: complete iterations of its loop.
    """
    starts: list[float] = []
    passes = -(-4 // batch)

    def forward(inputs: Tensor) -> Tensor:
        starts.append(time.process_time())
        if len(starts) == passes + 2:  # the unoccluded pass, the counted ones, and one that is not made
            raise Enough
        return module(inputs)

    method = Occlusion(forward)

    def turn() -> float:
        starts.clear()
        with suppress(Enough):
            method.attribute(
                x, (3, WINDOW, WINDOW), strides=(3, STRIDE, STRIDE), baselines=0, target=0, perturbations_per_eval=batch
            )
        return (starts[-1] - starts[1]) / (passes * batch)

    return turn


def turns(ways: dict[str, Way], count: int) -> dict[str, list[float]]:
    """Return the times of ``count`` interleaved runs, after one that is not counted."""
    times: dict[str, list[float]] = {name: [] for name in ways}
    for round_ in range(count + 1):
        for name, way in ways.items():
            seconds = way()
            if round_:
                times[name].append(seconds)
    return times


def fastest(ways: dict[str, Way], found: dict[str, float]) -> str:
    """Return the name of the fastest, and store the milliseconds of all in ``found``."""
    times = {name: statistics.median(row) for name, row in turns(ways, SCOUTING).items()}
    found.update({name: ms(seconds) for name, seconds in times.items()})
    return min(times, key=times.__getitem__)


def ms(seconds: float) -> float:
    """Return milliseconds, rounded to four significant digits."""
    return float(f"{1e3 * seconds:.4g}")


def ratio(slow: list[float], fast: list[float]) -> float:
    """Return the median of the ratios of paired runs."""
    return round(statistics.median(a / b for a, b in zip(slow, fast, strict=True)), 2)


def measure(made: Network, repeats: int, zones: int) -> dict[str, Any]:
    """Return the measurements of a network."""
    row: dict[str, Any] = {"measured": stamp(), "repeats": repeats, "scouting_ms": {}}
    unfolded = deepcopy(made.module).to(memory_format=torch.contiguous_format)
    for side, batches in ((SIDE, BATCHES), (LARGE, LARGE_BATCHES)):
        torch.manual_seed(0)
        x = torch.rand(1, 3, side, side)
        grid = WindowGrid.over((side, side), WINDOW, STRIDE)
        loops = {f"batch {batch}": plain(made.folded, x, grid, batch) for batch in batches}
        scouted = row["scouting_ms"].setdefault(str(side), {})
        loop = fastest(loops, scouted)
        ours = Ours(made.folded, x, grid, zones)
        cold = ours()
        ways: dict[str, Way] = {"ours": ours, "plain": loops[loop]}
        setting = "1 NCHW"
        if side == SIDE:
            normal = (x - made.mean) / made.std
            forms = {
                "NCHW": (unfolded, normal),
                "channels last": (made.module, normal.contiguous(memory_format=torch.channels_last)),
            }
            theirs = {f"{batch} {form}": captum(*forms[form], batch) for batch in CAPTUM for form in forms}
            setting = fastest(theirs, scouted)
            ways |= {"captum": theirs["1 NCHW"], "captum best": theirs[setting]}
        times = turns(ways, repeats)
        row[str(side)] = {
            "ms": {name: ms(statistics.median(found)) for name, found in times.items()},
            "set_up_ms_a_map": ms(ours.set_up * len(grid.boxes)),
            "cold_ms": ms(cold),
            "ratios": {name: ratio(found, times["ours"]) for name, found in times.items() if name != "ours"},
            "plain_setting": loop,
            "positions": len(grid.boxes),
            "zones": [len(ours.sample), len(ours.engine.batches)],
        }
        if side == SIDE:
            row[str(side)] |= {"captum_best_setting": setting, "bound": round(ours.bound, 2)}
    return row


def threads(made: Network, repeats: int) -> dict[str, Any]:
    """Return wall times with one thread and with two, and the speed-up."""
    torch.manual_seed(0)
    x = torch.rand(1, 3, SIDE, SIDE)
    grid = WindowGrid.over((SIDE, SIDE), WINDOW, STRIDE)
    forms = {
        "ours": whole_map(made, x, grid),
        "plain, batch 4": plain(made.folded, x, grid, 4, time.perf_counter),
    }

    def on(count: int, way: Way) -> Way:
        def turn() -> float:
            torch.set_num_threads(count)
            try:
                return way()
            finally:
                torch.set_num_threads(1)

        return turn

    times = turns({f"{form} {count}": on(count, way) for form, way in forms.items() for count in (1, 2)}, repeats)
    return {
        form: {
            "measured": stamp(),
            "wall_ms": [ms(statistics.median(times[f"{form} {count}"])) for count in (1, 2)],
            "gain": ratio(times[f"{form} 1"], times[f"{form} 2"]),
        }
        for form in forms
    }


def cells(name: str, row: dict[str, Any]) -> list[str]:
    """Return a network's row of the table."""
    small, large = row[str(SIDE)], row[str(LARGE)]
    took, times = small["ms"], small["ratios"]
    return [
        name, f"{took['ours']:.1f}", f"{took['plain']:.1f} ({small['plain_setting']})", f"{took['captum']:.1f}",
        f"{took['captum best']:.1f} ({small['captum_best_setting']})", f"{times['captum']:.1f}",
        f"{times['captum best']:.1f}", f"{times['plain']:.1f}",
        f"{large['ratios']['plain']:.1f} ({large['plain_setting']})", f"{small['bound']:.1f}",
    ]  # fmt: skip


def line(words: Iterable[str]) -> str:
    """Return a line of a Markdown table."""
    return "| " + " | ".join(words) + " |"


def table(record: dict[str, Any]) -> str:
    """Return all stored results as Markdown."""
    rows = [line(COLUMNS), line(["---"] + ["---:"] * (len(COLUMNS) - 1))]
    rows += [line(cells(name, record["results"][name])) for name in NETWORKS if name in record["results"]]
    for name, forms in record.get("threads", {}).items():
        for form, found in forms.items():
            one, two = found["wall_ms"]
            rows.append(f"\n{name}, {form}: {one:.1f} ms wall a position, {two:.1f} with 2 threads: {found['gain']} x")
    return "\n".join(rows)


def machine() -> str:
    """Return the system, the number of CPUs and their model."""
    info = Path("/proc/cpuinfo")
    names = [text.split(":")[1].strip() for text in info.read_text().splitlines() if text.startswith("model name")]
    return f"{platform.system()} {platform.machine()}, {os.cpu_count()} CPUs" + (f", {names[0]}" if names else "")


def stamp() -> str:
    """Return the time and the machine's load: the rows come from different runs."""
    return f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC, load {os.getloadavg()[0]:.1f}"


def keep(file: Path, kind: str, name: str, found: dict[str, Any]) -> dict[str, Any]:
    """Add a network's row to the file, which another run may have changed since, and return its content."""
    record = json.loads(file.read_text()) if file.exists() else {}
    record |= {
        "machine": machine(),
        "versions": {"python": platform.python_version()} | {p: importlib.metadata.version(p) for p in PACKAGES},
        "window": WINDOW,
        "stride": STRIDE,
        "OMP_WAIT_POLICY": os.environ.get("OMP_WAIT_POLICY", ""),
    }
    record.setdefault("results", {})
    record.setdefault(kind, {})[name] = found
    file.write_text(json.dumps(record, indent=1) + "\n")
    return record


def arguments() -> argparse.Namespace:
    """Return the parsed command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("networks", nargs="*", metavar="NETWORK", help=", ".join(NETWORKS))
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--zones", type=int, default=12, help="batches of cnnviz in each run; 0: all")
    parser.add_argument("--threads", action="store_true", help="only compare two threads with one")
    parser.add_argument("--output", type=Path, default=FILE)
    asked = parser.parse_args()
    if unknown := set(asked.networks) - set(NETWORKS):
        parser.error(f"no network {', '.join(sorted(unknown))}: choose from {', '.join(NETWORKS)}")
    return asked


def main() -> None:
    """Print the table and store it."""
    asked = arguments()
    torch.set_num_threads(1)
    record: dict[str, Any] = {}
    for name in asked.networks or (THREADED if asked.threads else NETWORKS):
        start = time.perf_counter()
        with torch.inference_mode():
            if asked.threads:
                found = threads(network(name), asked.repeats)
                words = f"{name}: {found}"
            else:
                found = measure(network(name), asked.repeats, asked.zones)
                words = line(cells(name, found))
        record = keep(asked.output, "threads" if asked.threads else "results", name, found)
        print(f"{words}  ({time.perf_counter() - start:.0f} s)", flush=True)
    print("\n" + table(record))


if __name__ == "__main__":
    main()
