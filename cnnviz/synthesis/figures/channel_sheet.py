"""A sheet of feature visualizations: a tile for each unit, or a row for each with several images. uint8 (H, W, 3)."""

from collections.abc import Sequence

import numpy as np

from cnnviz.figures import grid
from cnnviz.io.color import Photo
from cnnviz.synthesis.visualize import Visualization


def draw(result: Visualization, network: str) -> Photo:
    """Return the images in a grid with the layer, their channels and objectives, of the network of that name."""
    labels = ["direction"] if result.unit == "direction" else [str(number) for number in result.channels]
    diverse = result.tensor.shape[1] > 1
    images = [image for row in result.images for image in row]
    values = result.values.flatten().tolist()
    tiles = [
        grid.Tile(image, label, f"{value:.3g}")
        for image, label, value in zip(images, ["" for _ in images] if diverse else labels, values, strict=True)
    ]
    title = f"{result.layer}   {_units(result)}"
    text = f"{network}; optimised from noise; above each image its activation"
    if result.done < result.of:
        text = f"partial, {result.done} of {result.of} steps; {text}"
    return grid.draw_grid(tiles, _columns(result), title, text, rows=labels if diverse else ())


def _units(result: Visualization) -> str:
    if result.unit == "direction":
        return "a direction of its channels"
    return f"channel{'s' * (len(result.channels) > 1)}"


def _columns(result: Visualization) -> int:
    units, diversity = result.tensor.shape[:2]
    return diversity if diversity > 1 else grid.columns(units, 1.2)


def tile_images(result: Visualization) -> Photo:
    """Return the images alone, side by side, without captions."""
    columns = _columns(result)
    images = [image for row in result.images for image in row]
    blank: Sequence[Photo] = [np.full_like(images[0], 255)] * (-len(images) % columns)
    padded = [*images, *blank]
    rows = [np.concatenate(padded[first : first + columns], 1) for first in range(0, len(padded), columns)]
    return np.concatenate(rows)
