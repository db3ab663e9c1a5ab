"""Text of figures in Inter: widths, shortening, line breaks, characters without a glyph."""

import re
from functools import cache
from importlib import resources

from matplotlib import font_manager
from matplotlib.font_manager import FontProperties
from matplotlib.textpath import text_to_path

from cnnviz.figures.style import own_settings

FAMILY = "Inter"
WEIGHTS = {400: "Inter-Regular.ttf", 600: "Inter-SemiBold.ttf"}
ELLIPSIS = "…"


@cache
@own_settings()
def font(bold: bool = False, size: float | None = None) -> FontProperties:
    """Return Inter, Regular or SemiBold, at a size in points: the file of the package, whatever is installed."""
    weight = 600 if bold else 400
    file = str(resources.files("cnnviz") / "data" / "fonts" / WEIGHTS[weight])
    return FontProperties(family=FAMILY, weight=weight, size=size, fname=file)


@cache
def _characters() -> frozenset[str]:
    """Return the characters that Inter, as packaged, has a glyph for."""
    face = font_manager.get_font(font_manager.findfont(font()))
    return frozenset(map(chr, face.get_charmap()))


def is_printable(text: str) -> bool:
    """Return whether the font has a glyph for every character."""
    return _characters().issuperset(text)


def printable(text: str) -> str:
    """Return a text with an ellipsis for every run of characters without a glyph, and spaces for white space."""
    text = re.sub(r"\s+", " ", text.replace("\u0149", "'n").replace("\u00ad", "")).strip()
    runs = (c if c in _characters() else ELLIPSIS for c in text)
    return re.sub(f"{ELLIPSIS}+", ELLIPSIS, "".join(runs))


def width(text: str, size: float, bold: bool = False) -> float:
    """Return the width of a line in inches, at a font size in points."""
    return float(text_to_path.get_text_width_height_descent(text, font(bold, size), ismath=False)[0]) / 72


def shorten(text: str, room: float, size: float, bold: bool = False) -> str:
    """Return the text shortened to ``room`` inches, with an ellipsis where it was cut."""
    text = printable(text)
    if width(text, size, bold) <= room:
        return text
    low, high = 0, len(text)
    while low < high:
        middle = (low + high + 1) // 2
        fits = width(text[:middle].rstrip() + ELLIPSIS, size, bold) <= room
        low, high = (middle, high) if fits else (low, middle - 1)
    return text[:low].rstrip() + ELLIPSIS


def wrap(text: str, room: float, size: float, lines: int | None = None) -> list[str]:
    """Return the text in lines of at most ``room`` inches; of more than ``lines`` the last is cut."""
    words, done = re.split(" (?!%)", printable(text)), list[str]()  # a number stays with its %
    while words and len(done) != lines:
        taken = 1
        while taken < len(words) and width(" ".join(words[: taken + 1]), size) <= room:
            taken += 1
        if len(done) + 1 == lines:
            taken = len(words)
        done.append(shorten(" ".join(words[:taken]), room, size))
        words = words[taken:]
    return done
