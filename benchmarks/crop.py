"""Whether ``cnnviz crop`` finds what the network finds by trying every crop, and keeps the object, at what cost.

``python benchmarks/crop.py FOLDER``: on the photographs of heat.py, with the object's own class and square crops. The
exhaustive search computes the probability of every candidate anew. Prints the share of photographs with the same best
crop, the ratio of the CPU times, the share of the object inside, of what the largest square can hold, and the crop's
side as a share of the photograph's shorter one; writes crop.json to the folder of this file, and fails below bounds.
"""

import json
import statistics
import sys
import time
from pathlib import Path

import numpy as np
import torch
from heat import scenes
from numpy.typing import NDArray

from cnnviz import crop, load_network

HERE = Path(__file__)
SAME, FASTER, INSIDE, WORST = 0.95, 4, 0.98, 0.85
EVERY = 1 << 30


def most_inside(mask: NDArray[np.bool_], side: int) -> int:
    """Return the most pixels of a mask that a square of a side holds, where one side of it is that of the mask."""
    sums = np.pad(mask.sum(int(mask.shape[1] == side)).cumsum(), (1, 0))
    return int((sums[side:] - sums[:-side]).max())


def main() -> None:
    """Print the figures and store them."""
    torch.set_num_threads(1)
    network, rows = load_network("efficientnet_lite0", device="cpu"), list[tuple[float, ...]]()
    for photo, mask, target in scenes(Path(sys.argv[1])):
        start = time.process_time()
        own = crop(network, photo, target=target)
        middle = time.process_time()
        best = crop(network, photo, target=target, rescored=EVERY).crops[0]
        end = time.process_time()
        left, top, right, bottom = own.crops[0].box
        side = right - left
        inside = mask[top:bottom, left:right].sum() / most_inside(mask, min(mask.shape))
        same = own.crops[0].box == best.box
        rows.append((same, inside, side / min(mask.shape), middle - start, end - middle, own.tried))
        print(own.crops[0], best.box, [round(float(one), 3) for one in rows[-1]], flush=True)
    same, inside, sides, fast, slow, tried = zip(*rows, strict=True)
    record = {
        "photographs": len(rows), "same": statistics.fmean(same), "inside": statistics.fmean(inside),
        "worst_inside": min(inside), "side": statistics.fmean(sides), "candidates": statistics.fmean(tried),
        "cpu_s": statistics.median(fast), "exhaustive_cpu_s": statistics.median(slow), "faster": sum(slow) / sum(fast),
    }  # fmt: skip
    record = {key: round(float(value), 3) for key, value in record.items()}
    print(record)
    HERE.with_suffix(".json").write_text(json.dumps(record, indent=1) + "\n", "utf-8")
    if record["same"] < SAME or record["faster"] < FASTER or record["inside"] < INSIDE or min(inside) < WORST:
        sys.exit("below the bounds")


if __name__ == "__main__":
    main()
