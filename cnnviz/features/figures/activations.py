"""The figure of a layer's feature maps: a grid on one scale, bare or over the photo."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from cnnviz.features.activations import Activations
from cnnviz.figures import grid
from cnnviz.figures.colormap import colorize
from cnnviz.figures.overlay import draw_overlay
from cnnviz.io.color import Photo
from cnnviz.models.preprocess import Geometry

SIDE = 220  # pixels that a tile of many is wide; one of few is twice as wide


def draw(network: str, found: Activations, shown: Sequence[int], over: tuple[Photo, Geometry] | None = None) -> Photo:
    """Return the chosen maps as a grid on one scale, bare or over a photo."""
    maps = found.maps[list(shown)].numpy()
    scale = max(float(abs(maps).max()), 1e-12)
    signed = bool((found.maps < 0).any())
    columns = grid.columns(len(shown), 1.2)
    width = min(grid.ROW_WIDTH // columns, SIDE if columns > 3 else 2 * SIDE)
    pictures = _over(maps, scale, signed, width, *over) if over else _bare(maps, scale, signed, width)
    tiles = [
        grid.Tile(picture, str(number), f"max {values.max():.3g}")
        for picture, number, values in zip(pictures, shown, maps, strict=True)
    ]
    strongest = list(shown) == found.order[: len(shown)].tolist()
    count, (channels, map_height, map_width) = len(shown), found.maps.shape
    title = f"{found.layer}   {'the ' * strongest}{count}{' strongest' * strongest} of {channels} feature maps"
    words = f"{network}; {map_height}x{map_width}" + ", strongest by the sum of positive values" * strongest
    bar = grid.Bar(-scale if signed else 0, scale, "activation", "signed" if signed else "viridis")
    return grid.draw_grid(tiles, columns, title, words, bar=bar)


def _bare(maps: NDArray[np.float32], scale: float, signed: bool, width: int) -> list[Photo]:
    low, colours = (-scale, "signed") if signed else (0.0, "viridis")
    return [colorize(grid.enlarge_nearest(values, width), low, scale, colours) for values in maps]


def _over(
    maps: NDArray[np.float32], scale: float, signed: bool, width: int, photo: Photo, geometry: Geometry
) -> list[Photo]:
    """Return maps (maps, h, w) over the photo at a tile's size, interpolated bilinearly."""
    height = max(1, round(width * photo.shape[0] / photo.shape[1]))
    small = np.asarray(Image.fromarray(photo).resize((width, height), Image.Resampling.LANCZOS))
    geometry = replace(geometry, photo=(height, width))
    on_input = torch.nn.functional.interpolate(torch.from_numpy(maps)[None], geometry.size, mode="bilinear")[0]
    carried = geometry.to_photo(on_input.numpy())
    if signed:
        return [draw_overlay(small, values, scale) for values in carried]
    return [draw_overlay(small, 2 * values - scale, scale, "viridis") for values in carried]
