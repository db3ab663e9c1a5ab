"""What a matplotlib figure shows: its words and its pictures."""

import numpy as np
from matplotlib.figure import Figure
from matplotlib.text import Text


def words(figure: Figure) -> list[str]:
    """All texts that are written, top-level ones first."""
    return [text.get_text() for text in figure.findobj(Text) if text.get_text().strip()]


def pictures(figure: Figure) -> list[np.ndarray]:
    """The images of all axes, in the order in which they were drawn."""
    return [np.asarray(image.get_array()) for axes in figure.axes for image in axes.get_images()]


def patches(figure: Figure) -> list[tuple[int, int, int]]:
    """The colour of the middle pixel of every image."""
    return [tuple(image[image.shape[0] // 2, image.shape[1] // 2].tolist()) for image in pictures(figure)]
