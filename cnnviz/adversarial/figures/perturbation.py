"""The report of ``cnnviz adversarial``: photo, change made visible, and result, each with its classes."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image

from cnnviz.adversarial.results import Top, Verification
from cnnviz.figures.palette import FAINT, INK
from cnnviz.figures.text import caption, drawing, ellipsize, load_font
from cnnviz.io.color import Photo
from cnnviz.text import plural

LONGER = 640  # pixels of the longer side of each image
NARROWEST = 240  # width of a column, for its words
GREY = 128
LINES = 5
STRONG = 0.95  # share of the changed values shown in proportion; the others are clipped


def draw_perturbation(before: Photo, after: Photo, facts: "ReportFacts", missed: Sequence[str] = ()) -> Photo:
    """Return the two photos (H, W, 3) with their difference between them, and the first five classes of both.

    ``missed``: the requirements that the result does not meet. The difference is enlarged until most of it is black or
    white, around grey; where the photos are shown smaller, each of its pixels is the strongest of those it stands for.
    """
    change = after.astype(np.int16) - before
    strong, strongest = _strength(change)
    factor = 127 / strong
    images = [_small(before), (np.rint(_strongest(change) * factor) + GREY).clip(0, 255), _small(after)]
    height, width = images[0].shape[0], max(images[0].shape[1], NARROWEST)
    unit = max(14, round(width / 26))
    head, tail = round(3.6 * unit), round((LINES * 1.45 + 1) * unit)
    canvas = np.full((head + height + tail, 3 * width + 4 * unit, 3), 255, np.uint8)
    size = facts.verification
    titles = [
        ("Photo", f"what {facts.network} takes it for"),
        (f"Change, {factor:.3g} times" + ", cut off" * (strongest > strong),
         f"{plural(size.levels, 'level')} of 255 at most, {size.changed:.1%} of all values"),
        ("Missed: the best attempt", ", ".join(missed)) if missed else ("Result", "the same size and kind, as written"),
    ]  # fmt: skip
    for index, (image, (title, below)) in enumerate(zip(images, titles, strict=True)):
        left = unit + index * (width + unit)
        canvas[head : head + height, left : left + image.shape[1]] = image
        caption(canvas[:head, left : left + width], title, below, unit)
        foot = canvas[head + height :, left : left + width]
        if index == 1:
            _notes(foot, facts.remarks(), unit)
        else:
            _classes(foot, size.top if index else facts.clean_top, unit)
    return canvas


@dataclass(frozen=True)
class ReportFacts:
    """What is written below the images; distances are of the stored values, whatever transparency or profile hide.

    ``warnings``: kinds of diagnostics; ``held_out``: the photo had no part in the search of a universal change.
    """

    network: str
    clean_top: Top
    verification: Verification
    warnings: Iterable[str] = ()
    held_out: bool = False

    def remarks(self) -> list[str]:
        """Return the lines below the change."""
        psnr = self.verification.psnr
        return [
            *([f"PSNR {psnr:.1f} dB"] if psnr is not None else []),
            *(["Random noise of this size fools too"] if self.verification.control else []),
            *(["Kept out of the search"] if self.held_out else []),
            *(f"Warning: {kind.replace('_', ' ')}" for kind in self.warnings),
        ]


def _notes(canvas: Photo, notes: Sequence[str], unit: int) -> None:
    font = load_font(round(0.95 * unit))
    with drawing(canvas) as pen:
        for number, text in enumerate(notes[:LINES]):
            pen.text((0, round((0.6 + 1.45 * number) * unit)), ellipsize(text, font, canvas.shape[1]), INK, font)


def _classes(canvas: Photo, top: Top, unit: int) -> None:
    font = load_font(round(0.95 * unit))
    with drawing(canvas) as pen:
        for number, row in enumerate(top[:LINES]):
            y = round((0.6 + 1.45 * number) * unit)
            share = f"{row.probability:.1%}"
            room = canvas.shape[1] - round(font.getlength(share)) - unit
            pen.text((0, y), ellipsize(row.name, font, room), FAINT if number else INK, font)
            pen.text((canvas.shape[1], y), share, FAINT if number else INK, font, anchor="ra")


def _small(photo: Photo) -> Photo:
    """Return a photo at its size in the figure."""
    height, width = _size(photo.shape)
    return np.asarray(Image.fromarray(photo).resize((width, height), Image.Resampling.LANCZOS))


def _strength(change: Any) -> tuple[int, int]:
    """Return the size that STRONG of all changes do not exceed, and the largest; 1 where there is none."""
    counts = np.bincount(np.abs(change).ravel(), minlength=2)
    counts[0] = 0
    strong = int(np.searchsorted(counts.cumsum(), STRONG * counts.sum()))
    return max(strong, 1), max(len(counts) - 1, 1)


def _strongest(change: Any) -> Any:
    """Return a change (H, W, 3) at the size of the figure: of each place the value furthest from 0."""
    (high, wide), (height, width) = _size(change.shape), change.shape[:2]
    if high >= height or wide >= width:
        rows, columns = np.arange(high) * height // high, np.arange(wide) * width // wide
        return change[rows][:, columns]
    rows, columns = np.arange(high) * height // high, np.arange(wide) * width // wide
    most = np.maximum.reduceat(np.maximum.reduceat(change, rows, 0), columns, 1)
    least = np.minimum.reduceat(np.minimum.reduceat(change, rows, 0), columns, 1)
    return np.where(-least > most, least, most)


def _size(shape: tuple[int, ...]) -> tuple[int, int]:
    by = LONGER / max(shape[:2])
    return max(1, round(shape[0] * by)), max(1, round(shape[1] * by))
