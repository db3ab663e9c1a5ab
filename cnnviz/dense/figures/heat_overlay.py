"""Heat maps as they are drawn over a photo. numpy alone, without matplotlib."""

import numpy as np
from numpy.typing import NDArray

from cnnviz.dense.heat import Heat
from cnnviz.figures.overlay import draw_overlays
from cnnviz.figures.scale import Scale, round_end
from cnnviz.io.color import Photo
from cnnviz.models.preprocess import Geometry


def heat_scale(result: Heat, colormap: str = "auto") -> Scale:
    """Return one scale of all maps with a round end: around 0 for logits, from 0 for a geometric mean."""
    return scale_to(float(np.abs(result.maps.numpy()).max()), len(result.grids) > 1, colormap)


def scale_to(largest: float, several: bool, colormap: str = "auto") -> Scale:
    """Return the scale for values of at most ``largest``: of logits, or of the geometric mean of ``several`` scales."""
    end = round_end(largest)
    return Scale(0.0 if several else -end, end, colormap)


def heat_overlays(photo: Photo, result: Heat, colormap: str = "auto") -> Photo:
    """Return the map of each class over the photo at its own size, side by side on one scale, (H, W, 3)."""
    maps = list(result.maps.numpy())
    return draw_overlays(photo, result.geometry, maps, [heat_scale(result, colormap)] * len(maps))


def draw_maps(photo: Photo, maps: NDArray[np.float32], scale: Scale) -> Photo:
    """Return maps (targets, h, w) over a whole photo, side by side, (H, W, 3)."""
    size = maps.shape[1], maps.shape[2]
    geometry = Geometry((photo.shape[0], photo.shape[1]), size, (0, 0), size)
    return draw_overlays(photo, geometry, list(maps), [scale] * len(maps))
