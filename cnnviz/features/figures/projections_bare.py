"""Projections and patches as images without a figure. numpy alone, without matplotlib."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from cnnviz.figures.scale import signed_tile
from cnnviz.figures.style import NEUTRAL
from cnnviz.io.color import Photo


def pixels(image: NDArray[np.floating]) -> Photo:
    """Return an image (3, h, w) in [0, 1] as uint8 (h, w, 3)."""
    drawn: Photo = np.rint(image.clip(0, 1) * 255).astype(np.uint8).transpose(1, 2, 0)
    return drawn


def projection_image(values: NDArray[np.floating], scale: float | None = None, *, colours: bool = False) -> Photo:
    """Return a projection (3, h, w) as an image, 0 mid-grey and ``scale`` white; by default its own scale.

    The mean of the three colours, in which patterns of one pixel cancel, unless ``colours``.
    """
    return signed_tile(values if colours else values.mean(0, keepdims=True), scale)


def draw_bare_projections(rows: Sequence[Sequence[NDArray[np.floating]]], *, colours: bool = False) -> Photo:
    """Return rows of projections (3, h, w) alone, side by side, each on its own scale; shorter rows end in grey."""
    lines = [np.concatenate([projection_image(one, colours=colours) for one in row], axis=1) for row in rows]
    widest = max(line.shape[1] for line in lines)
    return np.concatenate([
        np.pad(line, ((0, 0), (0, widest - line.shape[1]), (0, 0)), constant_values=NEUTRAL) for line in lines
    ])  # fmt: skip
