"""Long work that is stopped keeps what it has: Ctrl-C and --time-limit, and --resume to go on."""

import contextlib
import signal
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

from cnnviz.app.console import Console
from cnnviz.app.records import Record, is_unfinished
from cnnviz.control import Report
from cnnviz.errors import MethodError
from cnnviz.io import write
from cnnviz.io.recipe import JsonObject, Recipe, read_recipe
from cnnviz.text import printable

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cnnviz.app.records import Arrays

SAME = ("command", "options", "seed", "versions", "network", "input")
ENDING = ".partial.npz"


class StopRequest:
    """Whether work is to stop: a person pressed Ctrl-C, or the seconds of ``limit`` are over.

    Before the work has ``begun`` there is nothing to keep, and Ctrl-C ends it at once; so does a second one.
    """

    def __init__(self, limit: float | None, begun: bool = True) -> None:
        self.interrupted = False
        self.begun = begun
        self._end = None if limit is None else time.monotonic() + limit

    def __call__(self) -> bool:
        """Return whether to stop now."""
        return self.interrupted or (self._end is not None and time.monotonic() >= self._end)

    def ask(self, _number: int, _frame: FrameType | None) -> None:
        """Handle SIGINT."""
        if self.interrupted or not self.begun:
            raise KeyboardInterrupt
        self.interrupted = True

    def noticing(self, report: Report) -> Report:
        """Return a report that notices when the first unit of the work is done."""

        def noticed(done: int, total: int, text: str = "") -> None:
            self.begun = self.begun or done > 0
            report(done, total, text)

        return noticed


@contextlib.contextmanager
def stop_on_interrupt(limit: float | None = None, *, begun: bool = True) -> Iterator[StopRequest]:
    """Let Ctrl-C ask for an end, not force it, once the work has ``begun``; a second one forces it."""
    stop = StopRequest(limit, begun)
    before = signal.signal(signal.SIGINT, stop.ask)
    try:
        yield stop
    finally:
        signal.signal(signal.SIGINT, before)


def keeps_work(handler: object) -> bool:
    """Return whether the handler of SIGINT lets the work end by itself."""
    stop = getattr(handler, "__self__", None)
    return isinstance(stop, StopRequest) and stop.begun


def partial_path(job_output: str | None) -> Path | None:
    """Return where unfinished work of a picture is kept: beside it; nowhere for standard output."""
    return None if job_output is None or job_output in write.STDOUT else Path(job_output + ENDING)


def keep_partial(path: Path | None, arrays: "Arrays", of: Recipe) -> None:
    """Keep unfinished work with the recipe of what it is to become."""
    if path:
        write.check_output(str(path), overwrite=False)
        write.write_arrays(str(path), arrays, of)


def find_partial(
    path: Path | None, wanted: Recipe, console: Console, names: Sequence[str]
) -> "dict[str, NDArray[Any]] | None":
    """Return the arrays ``names`` of unfinished work of the same recipe; None where there is none, or of another."""
    if path is None or not path.exists():
        return None
    there = read_recipe(path) or {}
    if any(there.get(key) != wanted[key] for key in SAME):
        console.note(f"{printable(str(path))}: belongs to other settings, another photo or version; starting anew")
        return None
    from cnnviz.io.arrays import read_arrays

    found = read_arrays(path, names)
    if len(found) < len(names):
        raise MethodError(f"{printable(str(path))}: is not whole; remove it to start anew")
    return found


def finished_numbers(path: str | None, wanted: Recipe, record: type[Record]) -> JsonObject | None:
    """Return the numbers, of ``record``, in a result that exists, finished and of the same recipe; None otherwise."""
    there = read_recipe(Path(path)) if path and path not in write.STDOUT else None
    if there is None or any(there.get(key) != wanted[key] for key in SAME):
        return None
    numbers = there.get("numbers")
    return numbers if isinstance(numbers, dict) and not is_unfinished(record, numbers) else None


def remove_partial(path: Path | None) -> None:
    """Remove unfinished work that has become whole. What cnnviz did not write stays."""
    if path and read_recipe(path) is not None:
        with contextlib.suppress(OSError):
            path.unlink()
