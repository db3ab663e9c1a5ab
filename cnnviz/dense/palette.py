"""The colours of PASCAL VOC's masks (Everingham et al. 2010): those of the devkit's VOClabelcolormap."""

from functools import cache

import numpy as np
from numpy.typing import NDArray

COLOURS = 256


@cache
def voc_palette() -> NDArray[np.uint8]:
    """Return the colours of 256 classes, (256, 3).

    From the lowest on, the bits of an index go in turn to red, green and blue, each channel's highest bit first.
    """
    palette = np.zeros((COLOURS, 3), np.uint8)
    for bit in range(8):
        shift = 7 - bit // 3
        palette[:, bit % 3] |= ((np.arange(COLOURS) >> bit & 1) << shift).astype(np.uint8)
    return palette
