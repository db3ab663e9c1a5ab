"""What every long computation is given: where to report its progress, whether to stop, and where to send remarks."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol


class Report(Protocol):
    """Receives the progress of a computation."""

    def __call__(self, done: int, total: int, text: str = "") -> None:
        """Take ``done`` of ``total`` units (``total`` 0: unknown), and a short status such as "margin 0.3"."""


def ignore_progress(done: int, total: int, text: str = "") -> None:
    """Do nothing."""


def never_stopped() -> bool:
    """Return False."""
    return False


def ignore_note(text: str) -> None:
    """Do nothing."""


class Stopped(Exception):  # noqa: N818 - no failure
    """A step that is given up, since the computation is to stop."""


@dataclass(frozen=True)
class Control:
    """Progress, early stopping and remarks of one computation; by default all three are ignored.

    ``report(done, total, text="")`` after each unit of work; ``stopped()`` is asked between units, and once it returns
    True the computation returns what it has; ``note(text)`` takes a remark for the user, one line.
    """

    report: Report = ignore_progress
    stopped: Callable[[], bool] = never_stopped
    note: Callable[[str], None] = ignore_note

    def named(self, name: str) -> "Control":
        """Return the same control, which reports ``name`` beside the progress: a part of a longer computation."""
        return replace(self, report=lambda done, total, text="": self.report(done, total, text or name))

    def __repr__(self) -> str:
        """Return a short form for signatures in help()."""
        own = [name for name in ("report", "stopped", "note") if getattr(self, name) is not getattr(type(self), name)]
        return f"Control({', '.join(f'{name}=...' for name in own)})"
