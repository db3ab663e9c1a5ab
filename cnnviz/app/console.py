"""What is said to a person, on standard error: notes, errors, progress on a terminal."""

import contextlib
import os
import sys
from collections.abc import Iterator
from typing import Protocol

from cnnviz.errors import printable


class ReportProgress(Protocol):
    """What is told how far something is, and in a few words how it stands."""

    def __call__(self, done: int, total: int, words: str = "") -> None:
        """Take ``done`` of ``total``."""


class Console:
    """Standard error. ``quiet`` leaves errors alone, ``debug`` adds where they arose; progress needs a terminal."""

    def __init__(self, quiet: bool = False, debug: bool = False) -> None:
        self.quiet = quiet
        self.debug = debug
        self._said: set[str] = set()

    def note(self, text: str) -> None:
        """Say something, unless quiet."""
        if not self.quiet:
            _print(text)

    def once(self, text: str) -> None:
        """Say something, unless quiet, or said already."""
        if text not in self._said:
            self._said.add(text)
            self.note(text)

    def error(self, text: str) -> None:
        """Say what went wrong."""
        if self.debug and sys.exc_info()[0]:
            import traceback

            traceback.print_exc()
        _print(text)

    @property
    def lively(self) -> bool:
        """Whether there is a terminal to draw progress on."""
        there = sys.stderr is not None and sys.stderr.isatty()
        return there and not self.quiet and os.environ.get("TERM") != "dumb" and not os.environ.get("NO_COLOR")

    @contextlib.contextmanager
    def progress(self, label: str, unit: str = "") -> Iterator[ReportProgress]:
        """Show how far something long is; yields a function to be told (done, total). Nothing shows before it is."""
        if not self.lively:
            yield lambda done, total, words="": None
            return
        from rich.console import Console as Rich
        from rich.markup import escape
        from rich.progress import BarColumn, DownloadColumn, MofNCompleteColumn, Progress, TextColumn
        from rich.progress import TimeRemainingColumn as Remaining

        count = (DownloadColumn(),) if unit == "bytes" else (MofNCompleteColumn(), TextColumn(unit))
        columns = (TextColumn("{task.description}"), BarColumn(), *count, Remaining())
        bar = Progress(*columns, console=Rich(stderr=True), transient=True)

        def tick(done: int, total: int, words: str = "") -> None:
            if not bar.tasks:
                bar.start()
                bar.add_task(escape(printable(label)), total=None)
            text = escape(printable(f"{label}, {words}" if words else label))
            bar.update(bar.tasks[0].id, completed=done, total=total or None, description=text)

        try:
            yield tick
        finally:
            bar.stop()


def _print(text: str) -> None:
    lines = "\n".join(map(printable, text.split("\n")))
    with contextlib.suppress(OSError, ValueError):  # standard error is closed or full: nobody to tell
        print(f"cnnviz: {lines}", file=sys.stderr, flush=True)
