"""A progress bar on standard error, by rich, with an estimate of the time that is left."""

import math
import sys
import time
from datetime import timedelta

from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TaskProgressColumn,
    TextColumn,
)
from rich.text import Text

UNKNOWN = "-:--:--"


class TimeLeft:
    """An estimate from the first unit on, units being alike; ``begun``, ``now``: seconds of a monotonic clock.

    The first unit took the time since ``begun``. From the second report on neither counts: the time before the first
    includes what was loaded, and its units those of an earlier run. A new total, or fewer units, is a new count.
    """

    def __init__(self, begun: float) -> None:
        self._start = self._last = begun
        self._first = self._done = 0
        self._total = -1
        self._left = math.inf

    def report(self, done: int, total: int, now: float) -> None:
        """Take ``done`` of ``total`` units."""
        fresh = total != self._total or done < self._done
        if fresh:
            self._start, self._first, self._left = self._last, 0, math.inf
        if done > self._first:
            self._left = (total - done) * (now - self._start) / (done - self._first)
        if fresh:
            self._start, self._first = now, done
        self._last, self._done, self._total = now, done, total

    def seconds(self, now: float) -> float:
        """Return the seconds that are left; infinity before the first unit."""
        return max(0.0, self._left - (now - self._last))


class _Remaining(ProgressColumn):
    max_refresh = 0.5  # seconds

    def __init__(self, left: TimeLeft) -> None:
        super().__init__()
        self._left = left

    def render(self, task: Task) -> Text:
        """Return hours, minutes and seconds."""
        seconds = self._left.seconds(time.monotonic())
        known = math.isfinite(seconds) and task.total is not None
        return Text(str(timedelta(seconds=math.ceil(seconds))) if known else UNKNOWN, "progress.remaining")


def progress_bar(unit: str, left: TimeLeft) -> Progress:
    """Return a bar of one task, to be started: how much of it is done, and the time that is ``left``.

    ``unit``: its plural; "bytes" are shown as such, "pixels" as a percentage.
    """
    counts = {"bytes": (DownloadColumn(),), "pixels": (TaskProgressColumn(),)}
    columns = counts.get(unit, (MofNCompleteColumn(), TextColumn(unit)))
    # rich puts what is printed above the bar; what goes to a file or a pipe is none of its business
    bar = Progress(
        TextColumn("{task.description}"), BarColumn(), *columns, _Remaining(left), console=Console(stderr=True),
        transient=True, redirect_stdout=sys.stdout.isatty(),
    )  # fmt: skip
    bar.add_task("", total=None)
    return bar


def show(bar: Progress, done: int, total: int, text: str) -> None:
    """Show ``done`` of ``total`` units, 0 for an unknown number, and a text."""
    bar.update(bar.task_ids[0], completed=done, total=total or None, description=escape(text))
