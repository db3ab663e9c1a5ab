"""The end of a terminal: a line, or a bar, with what is being done, erased before anything else is printed.

There is one for the process. It is on standard error, and empty where that is no terminal.
"""

import contextlib
import os
import shutil
import sys
import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.progress import Progress

ERASE = "\r\x1b[K"
STOPPING = "stopping; Ctrl-C again ends at once"


def is_lively() -> bool:
    """Return whether standard error is a terminal to draw progress on: not with NO_COLOR, nor TERM=dumb."""
    there = sys.stderr is not None and not sys.stderr.closed and sys.stderr.isatty()
    return there and os.environ.get("TERM") != "dumb" and not os.environ.get("NO_COLOR")


class StatusLine:
    """What is shown, plain text; once ``stop`` was called, it says so whatever else is asked for."""

    def __init__(self) -> None:
        self._text = ""
        self._stopping = False
        self._bar: Progress | None = None
        self._lock = threading.RLock()  # the thread that answers Ctrl-C writes too

    def words(self, text: str) -> str:
        """Return the words to show for a text."""
        return STOPPING if self._stopping else text

    @contextlib.contextmanager
    def showing(self, text: str) -> Iterator[None]:
        """Show a text until the block ends; then what was shown before."""
        before = self._text
        self._show(text)
        try:
            yield
        finally:
            self._show(before)

    @contextlib.contextmanager
    def replaced_by(self, bar: "Progress") -> "Iterator[Progress]":
        """Show a bar in the place of the line until the block ends."""
        self.erase()
        before, self._bar = self._bar, bar
        bar.start()
        try:
            yield bar
        finally:
            self._bar = before
            bar.stop()

    def stop(self) -> None:
        """Say that the work is being stopped."""
        with self._lock:
            self._stopping = True
            if self._bar:
                self._bar.update(self._bar.task_ids[0], description=STOPPING)
            else:
                self._show(STOPPING)

    def erase(self) -> None:
        """Erase the line, before other words are printed."""
        with self._lock:
            if self._text:
                self._write(ERASE)
            self._text = ""

    def _show(self, text: str) -> None:
        with self._lock:
            if self._bar:
                return  # rich draws
            text = self.words(text) if text else ""
            width = shutil.get_terminal_size().columns - 1  # a longer line would wrap, and could not be erased
            self._write((ERASE if self._text else "") + text[:width])
            self._text = text

    def _write(self, text: str) -> None:
        if text and is_lively():
            with contextlib.suppress(OSError, ValueError):
                sys.stderr.write(text)
                sys.stderr.flush()


LINE = StatusLine()
