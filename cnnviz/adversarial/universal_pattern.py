"""A pattern on the network's input, resampled onto photos of any size, and what their preprocessing leaves of it."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from cnnviz.io.stored_image import StoredImage
from cnnviz.models.preprocess import STRIP, Geometry, resampling_matrix


def add_pattern(original: StoredImage, geometry: Geometry, pattern: NDArray[np.int16]) -> NDArray[np.uint8]:
    """Return stored values (H, W, C) plus a pattern (3, h, w) of levels, in the part that the network's input covers.

    Resampled to the photo's own pixels, bilinear, in whole levels; a grey photo gets the channels' mean. Made in
    strips, so that a large one costs no more memory than its own.
    """
    changed = np.empty_like(original.values)
    for top in range(0, len(changed), STRIP):
        rows = slice(top, top + STRIP)
        change = np.nan_to_num(geometry.to_photo(pattern, rows)).transpose(1, 2, 0)
        if changed.shape[2] == 1:
            change = change.mean(2, keepdims=True)
        changed[rows] = np.clip(original.values[rows] + change.round(), 0, 255)
    return changed


def resize_matrices(geometry: Geometry) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return the matrices (h, h) and (w, w) from a pattern, through a photo, to the network's input.

    Along each axis: onto the photo as in ``add_pattern``, then the network's own resize and crop. Without rounding.
    """
    rows, columns = (_axis_matrix(geometry, axis) for axis in (0, 1))
    return rows, columns


def _axis_matrix(geometry: Geometry, axis: int) -> NDArray[np.float32]:
    size, photo = geometry.size[axis], geometry.photo[axis]
    line = replace(
        geometry,
        photo=(photo, 1),
        resized=(geometry.resized[axis], 1),
        offset=(geometry.offset[axis], 0),
        size=(size, 1),
    )  # a photo one pixel wide
    onto = np.nan_to_num(line.to_photo(np.eye(size, dtype=np.float32)[..., None])[..., 0])
    resize = resampling_matrix(photo, geometry.resized[axis], geometry.kind, geometry.offset[axis], size)
    matrix: NDArray[np.float32] = resize @ onto.T
    return matrix
