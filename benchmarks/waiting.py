"""Cost of spinning threads while another program runs: ``python benchmarks/waiting.py``.

The same batches through the default network, with torch's waiting threads spinning or asleep, alone and next to
processes that keep all CPUs busy. Medians over interleaved processes; writes waiting.json.
"""

import json
import os
import statistics
import subprocess
import sys
from pathlib import Path

ROUNDS = 3
WORK = """
import time, torch
from cnnviz import load_network
network, x = load_network(device="cpu").folded, torch.rand(4, 3, 224, 224)
with torch.inference_mode():
    network(x)
    cpu, wall = time.process_time(), time.perf_counter()
    for _ in range(8):
        network(x)
print((time.process_time() - cpu) / 32, (time.perf_counter() - wall) / 32)
"""


def once(policy: str) -> tuple[float, float]:
    """Return CPU and wall seconds per image, measured in a separate process."""
    done = subprocess.run(
        [sys.executable, "-c", WORK], env=os.environ | {"OMP_WAIT_POLICY": policy}, capture_output=True, check=True
    )
    cpu, wall = map(float, done.stdout.split())
    return cpu, wall


def rounds() -> dict[str, dict[str, float]]:
    """Return the medians of both policies, whose runs alternate."""
    times: dict[str, list[tuple[float, float]]] = {"ACTIVE": [], "PASSIVE": []}
    for _ in range(ROUNDS):
        for policy, row in times.items():
            row.append(once(policy))
    pairs = {policy: list(zip(*row, strict=True)) for policy, row in times.items()}
    return {
        policy: {"cpu_ms": round(1e3 * statistics.median(cpu), 1), "wall_ms": round(1e3 * statistics.median(wall), 1)}
        for policy, (cpu, wall) in pairs.items()
    }


def main() -> None:
    """Print the table and store it."""
    results = {"alone": rounds()}
    busy = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(os.cpu_count() or 1)]
    try:
        results["beside a busy program"] = rounds()
    finally:
        for process in busy:
            process.kill()
    for place, policies in results.items():
        for policy, row in policies.items():
            print(f"{place:<22} {policy:<8} {row['cpu_ms']:>7} ms CPU {row['wall_ms']:>7} ms wall per image")
    record = {"cpus": os.cpu_count(), "rounds": ROUNDS, "results": results}
    Path(__file__).with_suffix(".json").write_text(json.dumps(record, indent=1) + "\n")


if __name__ == "__main__":
    main()
