"""IoU of ``cnnviz segment`` without a segmentation network: the object's cut-out, on the photographs of heat.py.

``python benchmarks/cutout.py FOLDER``: as for heat.py, with the object's own class. Prints the mean IoU of all, of the
made photographs with soft and hard edges and of the hand-drawn ones, writes cutout.json to the folder of this file, and
fails below BOUND of all.
"""

import json
import statistics
import sys
import time
from pathlib import Path

import torch
from heat import scenes

from cnnviz import cutout, load_network

HERE = Path(__file__)
BOUND = 0.83
DRAWN = 3


def main() -> None:
    """Print the figures and store them."""
    torch.set_num_threads(1)
    network, found = load_network("efficientnet_lite0", device="cpu"), scenes(Path(sys.argv[1]))
    overlaps, seconds = list[float](), list[float]()
    for photo, mask, target in found:
        start = time.process_time()
        own = cutout(network, photo, target=target).classes == 1
        seconds.append(time.process_time() - start)
        overlaps.append(float((own & mask).sum() / (own | mask).sum()))
    made, drawn = overlaps[:-DRAWN], overlaps[-DRAWN:]
    groups = {"all": overlaps, "soft": made[::2], "hard": made[1::2], "drawn": drawn}
    rows = {name: round(statistics.fmean(values), 3) for name, values in groups.items()}
    record = rows | {"each_drawn": [round(one, 3) for one in drawn], "cpu_s": round(statistics.median(seconds), 2)}
    print(record)
    HERE.with_suffix(".json").write_text(json.dumps(record, indent=1) + "\n", "utf-8")
    if rows["all"] < BOUND:
        sys.exit("below the bound")


if __name__ == "__main__":
    main()
