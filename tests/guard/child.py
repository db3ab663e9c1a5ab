"""One process of the byte guard: ``python child.py PLAN.json`` runs cases in process and writes what each left.

The plan names the tree, the inputs, the folder for results and the cases: name, key and command lines. A case is run
in FOLDER/NAME/, which keeps the files it wrote and the standard output of line N as ``.stdout-N``; its exit statuses
and digests go to FOLDER/NAME.json.
"""

import contextlib
import gc
import hashlib
import importlib
import io
import json
import os
import shutil
import sys
import time
import traceback
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

INVOKE = (("cnnviz.cli", "invoke"), ("cnnviz.cli", "_run"))  # where the function from words to a status may be
TRACEBACK = b"Traceback (most recent call last)"


def invoke() -> Callable[[list[str]], int]:
    """Return the function of this tree that runs a command line and returns its exit status."""
    for module, name in INVOKE:
        found = getattr(importlib.import_module(module), name, None)
        if found is not None:
            return found  # type: ignore[no-any-return]
    raise SystemExit(f"none of {INVOKE} is in this tree: extend INVOKE in {__file__}")


def digest(path: Path) -> str:
    """Return the sha256 of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def link_large(source: str, target: str) -> None:
    """Copy a file; weights, which are large and never written to, are linked."""
    if source.endswith(".pth"):
        with contextlib.suppress(OSError):  # another file system
            os.link(source, target)
            return
    shutil.copyfile(source, target)


def files(folder: Path) -> dict[str, str]:
    """Return the digests of all files below a folder, by relative name."""
    return {str(path.relative_to(folder)): digest(path) for path in sorted(folder.rglob("*")) if path.is_file()}


@contextlib.contextmanager
def streams(stdin: str | None, stdout: Path, stderr: Path) -> Iterator[None]:
    """Let the three standard streams be files, for Python and for what uses the descriptors."""
    sys.stdout.flush()
    sys.stderr.flush()
    kept = [os.dup(number) for number in range(3)]
    opened = [os.open(stdin or os.devnull, os.O_RDONLY)]
    opened += [os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666) for path in (stdout, stderr)]
    for number, descriptor in enumerate(opened):
        os.dup2(descriptor, number)
        os.close(descriptor)
    sys.stdin = io.TextIOWrapper(io.BufferedReader(io.FileIO(0, closefd=False)), encoding="utf-8")
    try:
        yield
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        for number, descriptor in enumerate(kept):
            os.dup2(descriptor, number)
            os.close(descriptor)


@contextlib.contextmanager
def setting(env: dict[str, str], threads: int) -> Iterator[None]:
    """Change the environment and torch's threads for a while."""
    import torch

    before = dict(os.environ)
    os.environ.update(env)
    torch.set_num_threads(threads)
    try:
        yield
    finally:
        torch.set_num_threads(1)
        os.environ.clear()
        os.environ.update(before)


def run_line(run: Callable[[list[str]], int], line: dict[str, Any], number: int) -> dict[str, Any]:
    """Run one command line in the current folder; return its exit status and whether there was a traceback."""
    stdout, stderr = Path(line["stdout"] or f".stdout-{number}"), Path(f".stderr-{number}")
    status: int | str
    with setting(line["env"], line["threads"]), streams(line["stdin"], stdout, stderr):
        try:
            status = int(run(line["words"]))
        except SystemExit as leave:
            status = f"SystemExit({leave.code})"
        except BaseException:  # noqa: BLE001 - told as a result of the line
            traceback.print_exc()
            status = "exception"
    said = stderr.read_bytes()
    stderr.unlink()
    return {"status": status, "traceback": TRACEBACK in said, "said": said.decode(errors="replace")[-600:]}


def run_case(run: Callable[[list[str]], int], case: dict[str, Any], inputs: Path, before: dict[str, str]) -> Any:
    """Run a case in the current folder; return its record. Inputs that are as they were are removed."""
    shutil.copytree(inputs, ".", dirs_exist_ok=True, copy_function=link_large)
    start = time.perf_counter()
    lines = [run_line(run, line, number) for number, line in enumerate(case["lines"])]
    seconds = round(time.perf_counter() - start, 2)
    left = files(Path())
    for name in before:
        if left.get(name) == before[name]:
            Path(name).unlink()
            del left[name]
        elif name not in left:
            left[name] = "removed"
    return {"key": case["key"], "lines": lines, "files": left, "seconds": seconds}


def main(plan: dict[str, Any]) -> None:
    """Run the cases of a plan."""
    warnings.simplefilter("ignore")  # as cnnviz's own main does
    import cnnviz

    if not Path(str(cnnviz.__file__)).is_relative_to(plan["tree"]):
        raise SystemExit(f"cnnviz is {cnnviz.__file__}, not of {plan['tree']}")
    run, inputs, folder = invoke(), Path(plan["inputs"]), Path(plan["folder"])
    before = files(inputs)
    for case in plan["cases"]:
        here = folder / case["name"]
        shutil.rmtree(here, ignore_errors=True)
        here.mkdir(parents=True)
        os.chdir(here)
        record = run_case(run, case, inputs, before)
        (folder / f"{case['name']}.json").write_text(json.dumps(record, indent=1))
        os.chdir(folder)
        gc.collect()


if __name__ == "__main__":
    main(json.loads(Path(sys.argv[1]).read_text()))
