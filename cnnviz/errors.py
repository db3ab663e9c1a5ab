"""Errors the user can fix, and their exit statuses."""

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
    """Return the exit status of a run of several inputs: 130 > 3 > 1 > 4 > 0."""
    return next(status for status in GRAVITY if status in statuses or status is Status.OK)


class CnnvizError(Exception):
    """A failure, reported in one line: what happened and what to do."""

    status = Status.FAILED


class InvalidRequest(CnnvizError):  # noqa: N818 - click has a UsageError already
    """The command line, or a call, asks for something impossible."""

    status = Status.USAGE


class PhotoError(CnnvizError):
    """A photo or a clip cannot be read."""


class OutputError(CnnvizError):
    """A result cannot be written."""


class MethodError(CnnvizError):
    """A network or a method cannot be used with this photo."""


class WeightsError(CnnvizError):
    """The weights of a network are unavailable. One or two lines: which file, where to put it."""

    status = Status.WEIGHTS


class Terminated(BaseException):
    """SIGTERM arrived. Not an Exception, so that only clean-up code handles it."""


def internal_error(error: Exception) -> str:
    """Return one line for an unexpected error."""
    text = (str(error).strip().splitlines() or [""])[0]
    return f"internal error: {type(error).__name__}: {text} (--debug shows where)"
