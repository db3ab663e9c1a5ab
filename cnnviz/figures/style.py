"""Constants of every figure: lengths in inches, font sizes in points, colours."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from threading import RLock
from typing import Literal

WIDTH = 9.6  # of every figure: fills a slide of 16:9, two columns of a paper at 287 dpi
DPI = 200  # 1920 pixels at --scale 1
MARGIN = 0.19
GAP = 0.22  # between panels
ROW = 4  # panels in a row, at most

TITLE, SUBTITLE, PANEL, NOTE = 17.0, 10.5, 11.5, 9.5  # font sizes; nothing is smaller than a note
LEADING = 1.4  # distance of two lines of text, in font sizes
LINE, HEAD = NOTE * LEADING / 72, PANEL * (LEADING + 0.2) / 72  # height of a line of a note, of a panel's title

COLORMAPS = ("auto", "viridis", "inferno", "magma", "plasma", "cividis", "turbo", "jet")
LOCK = RLock()  # of matplotlib's settings
ThemeName = Literal["light", "dark"]
BLACK, WHITE = "#18181b", "#ffffff"  # marks over a photo, in every theme
# Okabe & Ito 2008, safe for colour-blind readers; without their black and yellow.
CATEGORIES = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
OTHERS = "#969696"  # of the categories for which no colour is left
NEUTRAL = 128  # grey of the value 0 in images of weights, projections and differences


@dataclass(frozen=True)
class Theme:
    """Colours of paper and text: ``faint`` of secondary text, ``rule`` of grid lines; ``against`` and ``support`` of
    words at the ends of a signed scale; ``accent`` of the one curve, frame or name that matters.
    """

    paper: str
    ink: str
    faint: str
    rule: str
    against: str
    support: str
    accent: str


THEMES: dict[ThemeName, Theme] = {
    "light": Theme("#ffffff", "#18181b", "#5f5f67", "#d4d4d8", "#2166ac", "#b2182b", "#0072b2"),
    "dark": Theme("#101114", "#f4f4f5", "#a1a1aa", "#3f3f46", "#92c5de", "#f4a582", "#56b4e9"),
}


@dataclass(frozen=True)
class Look:
    """How a figure is drawn: its theme, and pixels per pixel of a screen, 1 to 3."""

    theme: ThemeName = "light"
    scale: int = 1


@contextmanager
def own_settings(**settings: str | int) -> Iterator[None]:
    """Give matplotlib its defaults and ``settings``: no matplotlibrc or session changes a figure.

    One thread at a time, since the settings belong to the process. Functions that draw are decorated with it.
    """
    from matplotlib.style import context  # where something is drawn, and not for the constants

    with LOCK, context(["default", {name.replace("_", ".", 1): value for name, value in settings.items()}]):
        yield
