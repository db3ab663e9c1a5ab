"""Images searched for what they should show."""

from pathlib import Path

import numpy as np
from PIL import Image


def loaded(path: str | Path) -> Image.Image:
    """Return an image file's pixels and information, the file closed."""
    with Image.open(path) as image:
        image.load()
        return image


def holds(picture: np.ndarray, block: np.ndarray) -> bool:
    """Return whether a picture holds a block, pixel by pixel."""
    height, width = block.shape[:2]
    corners = (picture[: len(picture) - height + 1, : picture.shape[1] - width + 1] == block[0, 0]).all(-1)
    return any(np.array_equal(picture[y : y + height, x : x + width], block) for y, x in np.argwhere(corners))
