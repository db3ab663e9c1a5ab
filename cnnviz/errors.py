"""Mistakes a user can mend, and the exit statuses they lead to."""

from enum import IntEnum


class Status(IntEnum):
    """Exit statuses of the command line."""

    OK = 0
    FAILED = 1
    USAGE = 2
    WEIGHTS = 3
    MISSED = 4
    INTERRUPTED = 130
    BROKEN_PIPE = 141
    TERMINATED = 143


GRAVITY = (Status.INTERRUPTED, Status.WEIGHTS, Status.FAILED, Status.MISSED, Status.OK)


def final_status(statuses: set[Status]) -> Status:
    """Return the status that a run of several inputs ends with: 130 > 3 > 1 > 4 > 0."""
    return next(status for status in GRAVITY if status in statuses or status is Status.OK)


class CnnvizError(Exception):
    """A failure told in one line: what happened and what to do."""

    status = Status.FAILED


class InvalidRequest(CnnvizError):  # noqa: N818 - click has a UsageError already
    """The command line asks for something that cannot be."""

    status = Status.USAGE


class PhotoError(CnnvizError):
    """A photograph cannot be read."""


class OutputError(CnnvizError):
    """A picture cannot be written."""


class MethodError(CnnvizError):
    """A network or a method cannot do what was asked with this photograph."""


class WeightsError(CnnvizError):
    """The weights of a network are not to be had. May take two lines: which file, where to put it."""

    status = Status.WEIGHTS


class Terminated(BaseException):
    """SIGTERM arrived. Not an Exception, so that nothing but the clean-up on the way out sees it."""


def internal_error(error: Exception) -> str:
    """Return one line for an error that nobody foresaw."""
    text = (str(error).strip().splitlines() or [""])[0]
    return f"internal error: {type(error).__name__}: {text} (--debug shows where)"


def printable(name: str) -> str:
    """Return a file's name on one line: control characters and undecodable bytes as escapes."""
    return "".join(c if c.isprintable() else _escaped(c) for c in name)


def _escaped(character: str) -> str:
    byte = ord(character) - 0xDC00  # how Python holds a byte of a name that is not UTF-8
    return f"\\x{byte:02x}" if 0x80 <= byte <= 0xFF else character.encode("unicode_escape").decode()
