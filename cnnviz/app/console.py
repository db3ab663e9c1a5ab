"""Messages on standard error: notes, errors, progress on a terminal."""

import contextlib
import sys
import time
from collections.abc import Callable, Iterator

from cnnviz.app.status_line import LINE, is_lively
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
        return not self.quiet and is_lively()

    @contextlib.contextmanager
    def status(self, text: str) -> Iterator[None]:
        """Show what is being done, until the block ends."""
        with LINE.showing(printable(text)) if self.lively else contextlib.nullcontext():
            yield

    @contextlib.contextmanager
    def progress(self, label: str, unit: str = "", *, begun: bool = True) -> Iterator[Control]:
        """Yield a control that notes, and reports (done, total) as a bar; before its first call the label is shown.

        Units of "bytes" are counted as such, "pixels" as a percentage. Unless the work has ``begun``, nothing is shown
        before the first call.
        """
        if not self.lively:
            yield Control(note=self.note)
            return
        start = time.monotonic()
        with self.status(label if begun else ""), contextlib.ExitStack() as stack:
            show: Callable[[int, int, str], None] | None = None

            def report(done: int, total: int, text: str = "") -> None:
                nonlocal show
                if show is None:
                    show = stack.enter_context(_bar(unit, start))
                show(done, total, printable(f"{label}, {text}" if text else label))

            yield Control(report, note=self.note)


@contextlib.contextmanager
def _bar(unit: str, start: float) -> "Iterator[Callable[[int, int, str], None]]":
    """Yield what shows (done, total, text) as a bar, which takes the place of the status line; see ``progress_bar``."""
    from cnnviz.app.progress_bar import TimeLeft, progress_bar, show

    left = TimeLeft(start)

    def update(done: int, total: int, text: str) -> None:
        left.report(done, total, time.monotonic())
        show(bar, done, total, LINE.words(text))

    with LINE.replaced_by(progress_bar(unit, left)) as bar:
        yield update


def _print(text: str) -> None:
    lines = "\n".join(map(printable, text.split("\n")))
    LINE.erase()
    with contextlib.suppress(OSError, ValueError):  # standard error is closed or full: nobody to tell
        print(f"cnnviz: {lines}", file=sys.stderr, flush=True)
