"""What ``cnnviz activations`` tells and draws of a layer's feature maps."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from cnnviz.app.jobs import Line
from cnnviz.app.session import channel_numbers

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from cnnviz.features.activations import Activations
    from cnnviz.io.color import Photo
    from cnnviz.models.preprocess import Geometry

SIDE = 220  # pixels that a tile of many is wide; one of few is twice as wide


def chosen_channels(found: "Activations", channels: Sequence[int], top: int) -> list[int]:
    """Return the channels to show: those named, in that order, or the strongest."""
    return channel_numbers(channels, len(found.maps), found.layer) or found.order[:top].tolist()


def tell(found: "Activations", shown: list[int]) -> Line:
    """Return what is shown, for the recipe and --json."""
    return {
        "layer": found.layer,
        "shape": list(found.maps.shape),
        "channels": shown,
        "strengths": [round(float(value), 6) for value in found.strengths[shown]],
        "maxima": [round(float(value), 6) for value in found.maps[shown].amax((1, 2))],
    }


def draw(network: str, found: "Activations", shown: list[int], over: "tuple[Photo, Geometry] | None" = None) -> "Photo":
    """Return the chosen maps as a grid on one scale, bare or over a photograph."""
    from cnnviz.figures import grid

    maps = found.maps[shown].numpy()
    scale = max(float(abs(maps).max()), 1e-12)
    signed = bool((found.maps < 0).any())
    across = grid.columns(len(shown), 1.2)
    wide = min(grid.WIDE // across, SIDE if across > 3 else 2 * SIDE)
    pictures = _over(maps, scale, signed, wide, *over) if over else _bare(maps, scale, signed, wide)
    made = [
        grid.Tile(picture, str(number), f"max {values.max():.3g}")
        for picture, number, values in zip(pictures, shown, maps, strict=True)
    ]
    strongest = shown == found.order[: len(shown)].tolist()
    count, (channels, rows, columns) = len(shown), found.maps.shape
    title = f"{found.layer}   {'the ' * strongest}{count}{' strongest' * strongest} of {channels} feature maps"
    words = f"{network}; {rows}x{columns}" + ", strongest by the sum of what is positive" * strongest
    bar = grid.Bar(-scale if signed else 0, scale, "activation", "signed" if signed else "viridis")
    return grid.draw_grid(made, across, title, words, bar=bar)


def _bare(maps: "NDArray[np.float32]", scale: float, signed: bool, wide: int) -> "list[Photo]":
    from cnnviz.figures import grid, overlay

    low, colours = (-scale, "signed") if signed else (0.0, "viridis")
    return [overlay.colorize(grid.enlarge_nearest(values, wide), low, scale, colours) for values in maps]


def _over(
    maps: "NDArray[np.float32]", scale: float, signed: bool, wide: int, photo: "Photo", geometry: "Geometry"
) -> "list[Photo]":
    """Return maps (maps, h, w) over the photograph at a tile's size; between a map's values lie straight lines."""
    from dataclasses import replace

    import numpy as np
    import torch
    from PIL import Image

    from cnnviz.figures import overlay

    high = max(1, round(wide * photo.shape[0] / photo.shape[1]))
    small = np.asarray(Image.fromarray(photo).resize((wide, high), Image.Resampling.LANCZOS))
    geometry = replace(geometry, photo=(high, wide))
    on_input = torch.nn.functional.interpolate(torch.from_numpy(maps)[None], geometry.size, mode="bilinear")[0]
    carried = geometry.to_photo(on_input.numpy())
    if signed:
        return [overlay.draw_overlay(small, values, scale) for values in carried]
    return [overlay.draw_overlay(small, 2 * values - scale, scale, "viridis") for values in carried]
