"""Heat maps as they are drawn over a photo. numpy alone, without matplotlib."""

import numpy as np

from cnnviz.dense.heat import Heat
from cnnviz.figures.overlay import draw_overlays
from cnnviz.figures.scale import Scale, round_end
from cnnviz.io.color import Photo


def heat_scale(result: Heat, colormap: str = "auto") -> Scale:
    """Return one scale of all maps with a round end: around 0 for logits, from 0 for a geometric mean."""
    end = round_end(float(np.abs(result.maps.numpy()).max()))
    return Scale(-end if len(result.grids) == 1 else 0.0, end, colormap)


def heat_overlays(photo: Photo, result: Heat, colormap: str = "auto") -> Photo:
    """Return the map of each class over the photo at its own size, side by side on one scale, (H, W, 3)."""
    maps = list(result.maps.numpy())
    return draw_overlays(photo, result.geometry, maps, [heat_scale(result, colormap)] * len(maps))
