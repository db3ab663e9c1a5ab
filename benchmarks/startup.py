"""Start-up CPU time of cnnviz commands, compared with the imports that they need.

    python benchmarks/startup.py [ROUNDS]

Each command and its reference run alternately, so that a busy machine slows both. The result is the ratio of the
medians of CPU time (user and system, child processes included). Prints a table, writes startup.json to the folder of
this file, and fails if a ratio is above its bound.
"""

import importlib.metadata
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import sysconfig
from pathlib import Path

HERE = Path(__file__).parent
CNNVIZ = str(Path(sysconfig.get_path("scripts")) / "cnnviz")
PHOTO = str(HERE.parent / "sample_images" / "chelsea.jpg")
LIGHT = "import click, rich.console"
TAB = {"_CNNVIZ_COMPLETE": "bash_complete", "COMP_WORDS": "cnnviz occlude -m res", "COMP_CWORD": "3"}
# Arguments, environment, expected exit status, reference code, largest allowed ratio.
CASES = [
    (["--help"], {}, 0, LIGHT, 2.0),
    (["--version"], {}, 0, LIGHT, 2.0),
    (["occlude", "--strid", "8"], {}, 2, LIGHT, 2.0),
    ([], TAB, 0, LIGHT, 2.0),
    (["classify", PHOTO], {}, 0, "import torch", 1.4),
]


def seconds(command: list[str], env: dict[str, str], status: int) -> float:
    """Run a command and return its CPU time."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(command, env=os.environ | env, capture_output=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode != status:
        sys.exit(f"{' '.join(command)} ended with {done.returncode}: {done.stderr.decode()}")
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


def measure(words: list[str], env: dict[str, str], status: int, code: str, rounds: int) -> tuple[float, float]:
    """Return the median CPU times of a command and of its reference, after one round to fill the disk cache."""
    pairs = [
        (seconds([CNNVIZ, *words], env, status), seconds([sys.executable, "-c", code], {}, 0))
        for _ in range(rounds + 1)
    ]
    ours, theirs = zip(*pairs[1:], strict=True)
    return statistics.median(ours), statistics.median(theirs)


def main() -> None:
    """Measure every case, print the table and store it."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 9
    rows = []
    print(f"{'command':<24}{'against':<30}{'CPU s':>7}{'CPU s':>7}{'ratio':>7}{'bound':>7}")
    for words, env, status, code, bound in CASES:
        ours, theirs = measure(words, env, status, code, rounds)
        name = "(completion)" if env else " ".join(Path(word).name for word in words)
        ratio = round(ours / theirs, 2)
        print(f"{name:<24}{code:<30}{ours:>7.2f}{theirs:>7.2f}{ratio:>7.2f}{bound:>7.1f}", flush=True)
        rows.append({"command": name, "against": code, "cpu_seconds": round(ours, 3),
                     "against_cpu_seconds": round(theirs, 3), "ratio": ratio, "bound": bound})  # fmt: skip
    packages = ("cnnviz", "click", "rich", "torch", "numpy", "pillow")
    facts = {
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} CPUs",
        "versions": {"python": platform.python_version()}
        | {name: importlib.metadata.version(name) for name in packages},
        "rounds": rounds,
        "results": rows,
    }
    (HERE / "startup.json").write_text(json.dumps(facts, indent=2) + "\n")
    over = [row["command"] for row in rows if row["ratio"] > row["bound"]]
    if over:
        sys.exit(f"above the bound: {', '.join(over)}")


if __name__ == "__main__":
    main()
