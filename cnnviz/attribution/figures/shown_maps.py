"""Attribution and occlusion maps as they are drawn, and their bare overlays. numpy alone, without matplotlib."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cnnviz.attribution.backprop import Attribution
from cnnviz.attribution.catalog import METHODS
from cnnviz.attribution.occlusion import Occlusion
from cnnviz.figures.overlay import draw_overlays
from cnnviz.figures.sampling import cells, gaussian, interpolate, nearest
from cnnviz.figures.scale import Scale, round_end, summed_scale
from cnnviz.figures.style import ROW
from cnnviz.io.color import Photo
from cnnviz.models.preprocess import Geometry

SIGMA = 1.2  # of the Gaussian over maps of single pixels, in pixels of the input
WITHOUT_MEDIAN = "smoothgrad"  # noise leaves a gradient at every pixel


@dataclass(frozen=True)
class ShownMap:
    """A map (h, w) on the network's input as it is drawn, of a method and a class, with its scale."""

    method: str
    target: int
    values: NDArray[np.float32]
    scale: Scale


def shown_maps(found: Mapping[str, Attribution], colormap: str = "auto") -> list[ShownMap]:
    """Return the maps of methods by name, class after class.

    Maps of single pixels are blurred, SmoothGrad's lose their median; each scale ends where the magnitudes below add up
    to 98 % of the map's sum.
    """
    first = next(iter(found.values()))
    return [
        _shown(name, one, place, colormap) for place in range(len(first.targets)) for name, one in found.items()
    ]  # fmt: skip


def _shown(name: str, one: Attribution, place: int, colormap: str) -> ShownMap:
    values = one.maps[place].numpy()
    if not METHODS[name].smooth:
        values = gaussian(values, SIGMA)
    if name == WITHOUT_MEDIAN:
        values = (values - np.median(values)).clip(min=0)
    return ShownMap(name, one.targets[place], values, summed(values, one.signed, colormap))


def summed(values: NDArray[np.floating], signed: bool, colormap: str) -> Scale:
    """Return the scale of a map that ends where the magnitudes below add up to 98 % of its sum."""
    end = summed_scale(values)
    return Scale(-end if signed else 0.0, end, colormap)


def is_pixelwise(values: NDArray[np.floating]) -> bool:
    """Return whether a map (h, w) is complete and has a value of its own at each pixel, not one for each window."""
    return not np.isnan(values).any() and tuple(map(len, cells(values))) == values.shape


def sampled(
    values: NDArray[np.floating], ys: NDArray[np.floating], xs: NDArray[np.floating]
) -> NDArray[np.float32]:  # fmt: skip
    """Return a map (h, w) at positions on the input, linear between its cells; one of single pixels is blurred first.

    Where a part is NaN, nothing is interpolated.
    """
    if np.isnan(values).any():
        return nearest(values, ys, xs).astype(np.float32)
    rows, columns = cells(values)
    if is_pixelwise(values):
        values = gaussian(values, SIGMA)
    return interpolate(values[np.ix_(rows.astype(int), columns.astype(int))], rows, columns, ys, xs)


def attribution_overlays(
    photo: Photo, geometry: Geometry, found: Mapping[str, Attribution], colormap: str = "auto"
) -> Photo:
    """Return the maps over the photo at its own size without any frame, (H, W, 3).

    At most four in a row; of several methods and classes each class begins a row. Tiles left over are white.
    """
    maps = shown_maps(found, colormap)
    classes = len(maps) // len(found)
    groups = [maps] if 1 in (classes, len(found)) else [maps[i * len(found) :][: len(found)] for i in range(classes)]
    longest = max(map(len, groups))
    columns = -(-longest // -(-longest // ROW))
    rows = [group[first : first + columns] for group in groups for first in range(0, len(group), columns)]
    return np.concatenate([_bare_row(photo, geometry, row, columns) for row in rows])


def _bare_row(photo: Photo, geometry: Geometry, row: Sequence[ShownMap], columns: int) -> Photo:
    drawn = draw_overlays(photo, geometry, [one.values for one in row], [one.scale for one in row])
    missing = columns * photo.shape[1] - drawn.shape[1]
    return np.pad(drawn, ((0, 0), (0, missing), (0, 0)), constant_values=255)


def occlusion_scale(maps: Sequence[NDArray[np.floating]], colormap: str = "auto") -> Scale:
    """Return one scale of all maps with a round end."""
    end = round_end(max(float(np.nanmax(np.abs(values), initial=0)) for values in maps))
    return Scale(-end, end, colormap)


def occlusion_on(
    values: NDArray[np.float32], result: Occlusion, ys: NDArray[np.floating], xs: NDArray[np.floating]
) -> NDArray[np.float32]:
    """Return an occlusion map (h, w) at positions on the input, linear between the centres of its cells."""
    rows, columns = result.grid.cells()
    measured = values[np.ix_(rows.astype(int), columns.astype(int))]
    return interpolate(measured, rows, columns, ys, xs)


def occlusion_overlays(
    photo: Photo, geometry: Geometry, result: Occlusion, colormap: str = "auto", cells: bool = False
) -> Photo:
    """Return the map of each class over the photo at its own size, side by side on one scale, (H, W, 3).

    Linear between the cells' centres, unless ``cells`` or a part is not measured.
    """
    maps: list[NDArray[np.float32]] = list(result.maps.numpy())
    scale = occlusion_scale(maps, colormap)
    if not cells and not any(np.isnan(values).any() for values in maps):
        ys, xs = (np.arange(side, dtype=float) for side in maps[0].shape)
        maps = [occlusion_on(values, result, ys, xs) for values in maps]
    return draw_overlays(photo, geometry, maps, [scale] * len(maps))
