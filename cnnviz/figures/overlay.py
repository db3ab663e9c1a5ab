"""Maps over a photo at its own size, without any frame. numpy alone, without matplotlib."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from cnnviz.figures.scale import Scale, map_ground
from cnnviz.io.color import Photo
from cnnviz.models.preprocess import Geometry

STRIP = 256  # rows computed at a time, to save memory on large photos
OUTSIDE = 0.4  # brightness of the photo where the network does not see it


def draw_overlay(photo: Photo, geometry: Geometry, values: NDArray[np.floating], scale: Scale) -> Photo:
    """Return a map (h, w) on the network's input over the grey photo, (H, W, 3); darker outside the network's crop."""
    drawn = np.empty_like(photo)
    for top in range(0, len(photo), STRIP):
        rows = slice(top, min(top + STRIP, len(photo)))
        carried = geometry.to_photo(values, rows)
        ground = map_ground(photo[rows]) * np.where(np.isnan(carried), OUTSIDE, 1)[..., None]
        drawn[rows] = scale.over(ground, carried)
    return drawn


def draw_overlays(
    photo: Photo, geometry: Geometry, maps: Sequence[NDArray[np.floating]], scales: Sequence[Scale]
) -> Photo:
    """Return several maps over the photo, side by side, each with its scale."""
    parts = [draw_overlay(photo, geometry, values, scale) for values, scale in zip(maps, scales, strict=True)]
    return np.concatenate(parts, axis=1)
