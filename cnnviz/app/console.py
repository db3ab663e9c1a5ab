"""Messages on standard error: notes, errors, progress on a terminal."""

import contextlib
import os
import sys
from collections.abc import Iterator

from cnnviz.control import Control
from cnnviz.text import printable


class Console:
    """Standard error. ``quiet`` leaves errors alone, ``debug`` adds where they arose; progress needs a terminal."""

    def __init__(self, quiet: bool = False, debug: bool = False) -> None:
        self.quiet = quiet
        self.debug = debug
        self._said: set[str] = set()

    def note(self, text: str) -> None:
        """Print a remark, unless quiet."""
        if not self.quiet:
            _print(text)

    def once(self, text: str) -> None:
        """Print a remark once in this process, unless quiet."""
        if text not in self._said:
            self._said.add(text)
            self.note(text)

    def error(self, text: str) -> None:
        """Print what went wrong."""
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
    def progress(self, label: str, unit: str = "") -> Iterator[Control]:
        """Yield a control that notes, and reports (done, total) as a bar, which is shown from its first call on."""
        if not self.lively:
            yield Control(note=self.note)
            return
        from rich.console import Console as Rich
        from rich.markup import escape
        from rich.progress import BarColumn, DownloadColumn, MofNCompleteColumn, Progress, TextColumn
        from rich.progress import TimeRemainingColumn as Remaining

        count = (DownloadColumn(),) if unit == "bytes" else (MofNCompleteColumn(), TextColumn(unit))
        columns = (TextColumn("{task.description}"), BarColumn(), *count, Remaining())
        bar = Progress(*columns, console=Rich(stderr=True), transient=True)

        def report(done: int, total: int, text: str = "") -> None:
            if not bar.tasks:
                bar.start()
                bar.add_task(escape(printable(label)), total=None)
            description = escape(printable(f"{label}, {text}" if text else label))
            bar.update(bar.tasks[0].id, completed=done, total=total or None, description=description)

        try:
            yield Control(report, note=self.note)
        finally:
            bar.stop()


def _print(text: str) -> None:
    lines = "\n".join(map(printable, text.split("\n")))
    with contextlib.suppress(OSError, ValueError):  # standard error is closed or full: nobody to tell
        print(f"cnnviz: {lines}", file=sys.stderr, flush=True)
