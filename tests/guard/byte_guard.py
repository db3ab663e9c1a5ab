"""Show that every command still makes the bytes that it made at the base commit.

    python tests/guard/byte_guard.py                     # base and working tree, all cases
    python tests/guard/byte_guard.py --base /tmp/base    # the base's results are kept there and used again
    python tests/guard/byte_guard.py --only dream        # cases whose name holds "dream"
    python tests/guard/byte_guard.py --renamed           # by the tables of renames.py

Each tree runs all command lines of cases.py in processes of its own (child.py). Compared are, of every command line,
exit status and standard output, and every file written; of standard error only whether it holds a traceback. Exit
status 1 where anything differs.
"""

import argparse
import dataclasses
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import compare
import renames
from cases import CASES, Line, parse

BASE = "d1a78f2bb856c1e67c81367e6b13778d7beb876b"
HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
# Of the environment only this is passed on; the rest is the same everywhere.
PASSED = ("PATH", "HOME", "TMPDIR", "LD_LIBRARY_PATH")
FIXED = {
    "LANG": "C.UTF-8", "TZ": "UTC", "TERM": "dumb", "COLUMNS": "100", "PYTHONHASHSEED": "0",
    "PYTHONIOENCODING": "utf-8", "PYTHONDONTWRITEBYTECODE": "1", "OMP_WAIT_POLICY": "PASSIVE",
    "CUDA_VISIBLE_DEVICES": "", "TORCH_HOME": "torch-home", "HF_HOME": "hf-home", "HF_HUB_OFFLINE": "1",
} | dict.fromkeys(THREADS, "1")  # fmt: skip


@dataclasses.dataclass(frozen=True)
class Case:
    """A case with its command lines for one tree; ``key`` changes whenever its results may."""

    name: str
    key: str
    lines: list[Line]


def options() -> argparse.Namespace:
    """Return the options of the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--base", type=Path, metavar="DIR", help="keep the base's results there, and use those there")
    parser.add_argument("--only", default="", metavar="SUBSTRING", help="cases whose name holds it")
    parser.add_argument("--renamed", action="store_true", help="apply the tables of renames.py")
    parser.add_argument("--jobs", type=int, default=2, metavar="N", help="processes at a time [default: 2]")
    parser.add_argument("--tree", type=Path, default=ROOT, metavar="DIR", help="the tree to check [default: this one]")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="keep the new tree's results there")
    return parser.parse_args()


def export(base: Path) -> None:
    """Put the base's package and sample images into ``base``/tree."""
    tree, new = base / "tree", base / "tree.new"
    if tree.exists():
        return
    shutil.rmtree(new, ignore_errors=True)
    new.mkdir(parents=True)
    archive = subprocess.run(
        ["git", "-C", str(ROOT), "archive", BASE, "cnnviz", "sample_images"], check=True, capture_output=True
    )
    subprocess.run(["tar", "x", "-C", str(new)], input=archive.stdout, check=True)
    new.rename(tree)


def make_inputs(base: Path) -> str:
    """Make the input files in ``base``/inputs where they are not there yet; return what tells them from others."""
    key = hashlib.sha256((HERE / "inputs.py").read_bytes()).hexdigest()
    inputs, said = base / "inputs", base / "inputs.key"
    if not said.exists() or said.read_text() != key:
        shutil.rmtree(inputs, ignore_errors=True)
        words = [sys.executable, str(HERE / "inputs.py"), str(base / "tree" / "sample_images"), str(inputs)]
        subprocess.run(words, check=True, env=environment(base / "tree"))
        said.write_text(key)
    return key


def environment(tree: Path) -> dict[str, str]:
    """Return the environment of a process that runs a tree."""
    passed = {key: os.environ[key] for key in PASSED if key in os.environ}
    return passed | FIXED | {"PYTHONPATH": str(tree)}


def chosen(only: str, inputs: str, *, renamed: bool) -> list[Case]:
    """Return the cases whose name holds ``only``, with the command lines of the base or the renamed ones."""
    found = []
    for name, text in CASES.items():
        if only not in name:
            continue
        lines = parse(text)
        if renamed and name in renames.REPLACED:
            lines = parse(renames.REPLACED[name])
        elif renamed:
            lines = [dataclasses.replace(line, words=renames.words(line.words)) for line in lines]
        key = hashlib.sha256(f"{inputs} {(HERE / 'child.py').read_text()} {lines}".encode()).hexdigest()
        found.append(Case(name, key, lines))
    return found


def missing(cases: list[Case], folder: Path) -> list[Case]:
    """Return the cases of which ``folder`` holds no results."""

    def there(case: Case) -> bool:
        record = folder / f"{case.name}.json"
        return record.exists() and json.loads(record.read_text())["key"] == case.key

    return [case for case in cases if not there(case)]


def run(tree: Path, inputs: Path, folder: Path, cases: list[Case], number: int) -> None:
    """Run cases with a tree in one process; raise CalledProcessError where it does not end as it should."""
    folder.mkdir(parents=True, exist_ok=True)
    plan: dict[str, Any] = {"tree": str(tree), "inputs": str(inputs), "folder": str(folder)}
    plan["cases"] = [dataclasses.asdict(case) for case in cases]
    path = folder / f"plan-{number}"
    path.write_text(json.dumps(plan))
    subprocess.run([sys.executable, str(HERE / "child.py"), str(path)], check=True, env=environment(tree), cwd=folder)
    path.unlink()


def run_all(trees: list[tuple[Path, Path, list[Case]]], inputs: Path, jobs: int) -> None:
    """Run the cases of every tree, given as tree, folder for results and cases, in ``jobs`` processes."""
    trees = [tree for tree in trees if tree[2]]
    parts = max(1, jobs // max(1, len(trees)))
    work = [
        (tree.resolve(), inputs, folder, cases[part::parts], part)
        for tree, folder, cases in trees
        for part in range(parts)
        if cases[part::parts]
    ]
    with ThreadPoolExecutor(jobs) as pool:
        for done in [pool.submit(run, *words) for words in work]:
            done.result()


def report(old: list[Case], new: list[Case], folders: tuple[Path, Path], *, renamed: bool) -> int:
    """Print a line for each case, and what differs; return how many do."""
    failed = 0
    for before, after in zip(old, new, strict=True):
        pairs = zip(before.lines, after.lines, strict=False)
        names = {a.words[0]: b.words[0] for a, b in pairs if a.words and b.words}
        found = compare.case(before.name, *folders, names, renamed=renamed)
        meant = renames.MEANT.get(before.name) if renamed else None
        seconds = json.loads((folders[1] / f"{before.name}.json").read_text())["seconds"]
        word = "ok" if not found else "meant" if meant else "DIFFERENT"
        print(f"{word:10}{before.name} ({seconds} s){f': {meant}' if found and meant else ''}", flush=True)
        if found and not meant:
            failed += 1
            print("\n".join(f"          - {what}" for what in found[:12]), flush=True)
    return failed


def main() -> int:
    """Run both trees and compare; return the exit status."""
    o = options()
    start = time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="byte-guard-") as temporary:
        base = (o.base or Path(temporary) / "base").resolve()
        made = (o.keep or Path(temporary) / "new").resolve()
        export(base)
        inputs = make_inputs(base)
        old, new = (chosen(o.only, inputs, renamed=renamed) for renamed in (False, o.renamed))
        results = base / "results"
        trees = [(base / "tree", results, missing(old, results)), (o.tree, made, new)]
        run_all(trees, base / "inputs", o.jobs)
        failed = report(old, new, (results, made), renamed=o.renamed)
    lines = sum(len(case.lines) for case in new)
    verdict = f"{failed} DIFFERENT" if failed else "all the same"
    print(f"{len(new)} cases, {lines} command lines: {verdict}, {time.perf_counter() - start:.0f} s")
    return 1 if failed or not new else 0


if __name__ == "__main__":
    sys.exit(main())
