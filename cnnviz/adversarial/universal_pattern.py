"""A pattern on the network's input, laid onto photographs of other sizes, and what the network sees of it there."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from cnnviz.io.stored_image import StoredImage
from cnnviz.models.preprocess import STRIP, Geometry, resampling


def add_pattern(original: StoredImage, geometry: Geometry, pattern: NDArray[np.int16]) -> NDArray[np.uint8]:
    """Return stored values (H, W, C) with a pattern (3, h, w) of levels added where the network looks.

    Resampled to the photograph's own pixels, bilinear, in whole levels; a grey photograph gets the channels' mean. Made
    in strips, so that a large one costs no more memory than its own.
    """
    found = np.empty_like(original.values)
    for top in range(0, len(found), STRIP):
        rows = slice(top, top + STRIP)
        change = np.nan_to_num(geometry.to_photo(pattern, rows)).transpose(1, 2, 0)
        if found.shape[2] == 1:
            change = change.mean(2, keepdims=True)
        found[rows] = np.clip(original.values[rows] + change.round(), 0, 255)
    return found


def resize_matrices(geometry: Geometry) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return the matrices (h, h) and (w, w) that lead a pattern through a photograph back to the network's input.

    Along each axis: onto the photograph as in ``laid``, and what the network's own resize and crop leave of it. As if
    nothing were rounded.
    """
    down, across = (_way(geometry, axis) for axis in (0, 1))
    return down, across


def _way(geometry: Geometry, axis: int) -> NDArray[np.float32]:
    size, photo = geometry.size[axis], geometry.photo[axis]
    line = replace(
        geometry,
        photo=(photo, 1),
        resized=(geometry.resized[axis], 1),
        offset=(geometry.offset[axis], 0),
        size=(size, 1),
    )  # the photograph one pixel wide
    onto = np.nan_to_num(line.to_photo(np.eye(size, dtype=np.float32)[..., None])[..., 0])
    seen = resampling(photo, geometry.resized[axis], geometry.kind, geometry.offset[axis], size)
    found: NDArray[np.float32] = seen @ onto.T
    return found
