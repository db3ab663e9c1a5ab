"""Words in messages: suggestions for misspelt names, names and reasons on one line, plurals."""

from collections.abc import Sequence


def did_you_mean(word: str, names: Sequence[str], hint: str = "") -> str:
    """Return "; did you mean A or B?" for similar names; otherwise ``hint``."""
    import difflib

    close = difflib.get_close_matches(word.lower(), names, n=3, cutoff=0.6)
    return f"; did you mean {' or '.join(close)}?" if close else hint


def plural(count: int, noun: str) -> str:
    """Return the count with its noun: "1 level", "2 levels"."""
    return f"{count} {noun}{'s' * (count != 1)}"


def printable(name: str) -> str:
    """Return a file's name on one line: control characters and undecodable bytes as escapes."""
    return "".join(c if c.isprintable() else _escaped(c) for c in name)


def error_reason(error: Exception) -> str:
    """Return the reason in an error, on one line."""
    if isinstance(code := getattr(error, "code", None), int):  # of HTTP
        return f"{code} {getattr(error, 'reason', '')}"
    inner = getattr(error, "reason", error)
    text = str(getattr(inner, "strerror", None) or inner).strip() or type(inner).__name__
    return printable(text.splitlines()[0])


def _escaped(character: str) -> str:
    byte = ord(character) - 0xDC00  # how Python holds a byte of a name that is not UTF-8
    return f"\\x{byte:02x}" if 0x80 <= byte <= 0xFF else character.encode("unicode_escape").decode()
