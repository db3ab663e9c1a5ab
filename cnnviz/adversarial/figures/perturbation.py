"""A photograph, what was changed in it, and the result, side by side, with what each is taken for."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from PIL import Image

from cnnviz.figures.overlay import FAINT, INK, caption, drawing, ellipsize, load_font
from cnnviz.io.color import Photo

LONGER = 640  # pixels of the longer side of each picture
NARROWEST = 240  # a column, for its words
GREY = 128
LINES = 5
STRONG = 0.95  # share of the changed values that are shown as strong as they are; the others are cut off


def figure(before: Photo, after: Photo, numbers: Mapping[str, Any], name: str, missed: Sequence[str] = ()) -> Photo:
    """Return the two photographs (H, W, 3) with their difference between them, and the first five classes of both.

    ``numbers`` are those told of the written file: its levels and changed values, which are the stored ones and not
    those seen through transparency or a profile, the classes by network ``name``, and the warnings. ``missed``: what
    the result was to do and does not.

    The difference is enlarged on its scale of levels until most of it is black or white, around grey, and where the
    photographs are shown smaller each of its pixels is the strongest of those that it stands for.
    """
    change = after.astype(np.int16) - before
    strong, strongest = _strength(change)
    factor = 127 / strong
    pictures = [_small(before), (np.rint(_strongest(change) * factor) + GREY).clip(0, 255), _small(after)]
    height, width = pictures[0].shape[0], max(pictures[0].shape[1], NARROWEST)
    unit = max(14, round(width / 26))
    head, tail = round(3.6 * unit), round((LINES * 1.45 + 1) * unit)
    canvas = np.full((head + height + tail, 3 * width + 4 * unit, 3), 255, np.uint8)
    levels = numbers["levels"]
    words = f"{levels} level{'s' * (levels != 1)} of 255 at most, {numbers['changed']:.1%} of all values"
    titles = [
        ("Photo", f"what {name} takes it for"),
        (f"Change, {factor:.3g} times" + ", cut off" * (strongest > strong), words),
        ("Missed: the best attempt", ", ".join(missed)) if missed else ("Result", "the same size and kind, as written"),
    ]
    for index, (picture, (title, below)) in enumerate(zip(pictures, titles, strict=True)):
        left = unit + index * (width + unit)
        canvas[head : head + height, left : left + picture.shape[1]] = picture
        caption(canvas[:head, left : left + width], title, below, unit)
        below_it = canvas[head + height :, left : left + width]
        if index == 1:
            _notes(below_it, _said(numbers), unit)
        else:
            _classes(below_it, numbers["clean_top" if index == 0 else "top"], unit)
    return canvas


def _said(numbers: Mapping[str, Any]) -> list[str]:
    """Return what is to be known of the numbers before anybody shows them."""
    return [
        *([f"PSNR {numbers['psnr']:.1f} dB"] if numbers["psnr"] is not None else []),
        *(["Random noise of this size fools too"] if numbers["control"] else []),
        *(["Kept out of the search"] if numbers.get("part") == "held_out" else []),
        *(f"Warning: {kind.replace('_', ' ')}" for kind in numbers["warnings"]),
    ]


def _notes(canvas: Photo, notes: Sequence[str], unit: int) -> None:
    font = load_font(round(0.95 * unit))
    with drawing(canvas) as pen:
        for number, text in enumerate(notes[:LINES]):
            pen.text((0, round((0.6 + 1.45 * number) * unit)), ellipsize(text, font, canvas.shape[1]), INK, font)


def _classes(canvas: Photo, top: Sequence[Mapping[str, Any]], unit: int) -> None:
    font = load_font(round(0.95 * unit))
    with drawing(canvas) as pen:
        for number, row in enumerate(top[:LINES]):
            y = round((0.6 + 1.45 * number) * unit)
            share = f"{row['probability']:.1%}"
            room = canvas.shape[1] - round(font.getlength(share)) - unit
            pen.text((0, y), ellipsize(row["name"], font, room), FAINT if number else INK, font)
            pen.text((canvas.shape[1], y), share, FAINT if number else INK, font, anchor="ra")


def _small(photo: Photo) -> Photo:
    """Return a photograph at the size it has in the figure."""
    high, wide = _size(photo.shape)
    return np.asarray(Image.fromarray(photo).resize((wide, high), Image.Resampling.LANCZOS))


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
