"""The figure of a convolution's filters: colours, signed tiles, pairs of channels, or a matrix."""

from collections.abc import Sequence

import numpy as np

from cnnviz.features.kernels import ROWS, Kernels
from cnnviz.figures import grid
from cnnviz.figures.colormap import colorize
from cnnviz.io.color import Photo

OWN_SCALE = "share of the filter's largest weight"


def draw(network: str, found: Kernels, channels: Sequence[int]) -> Photo:
    """Return the filters of some output channels; ``network`` is its name in the caption."""
    out, _, height, width = found.weights.shape
    forms = {"tiles": _tiles, "pairs": _pairs, "matrix": _matrix}
    title = f"{found.layer}   {_of(len(channels), out)} filters of {height}x{width}"
    return forms[found.form](network, found, list(channels), title)


def _of(shown: int, count: int) -> str:
    return str(count) if shown == count else f"{shown} of {count}"


def _tiles(network: str, found: Kernels, shown: list[int], title: str) -> Photo:
    """Return one tile for each filter: over RGB in colours, over one channel signed."""
    scaled, columns = found.scaled(shown).numpy(), grid.columns(len(shown))
    if found.rgb:
        pictures = np.rint(127.5 + 127.5 * scaled).astype(np.uint8).transpose(0, 2, 3, 1)
        words, bar = "over red, green and blue; each filter on its own scale, mid-grey is zero", None
    else:
        pictures, bar = colorize(scaled[:, 0], -1, 1), grid.Bar(-1, 1, OWN_SCALE)
        words = f"each reads one of {found.groups} channels" if found.groups > 1 else "each reads the one channel"
    tiles = [
        grid.Tile(grid.enlarge_tile(picture, columns), str(number))
        for number, picture in zip(shown, pictures, strict=True)
    ]
    return grid.draw_grid(tiles, columns, title, f"{network}; {words}", bar=bar)


def _pairs(network: str, found: Kernels, shown: list[int], title: str) -> Photo:
    """Return a row for each filter and a column for each of the first input channels that it reads."""
    inputs = found.weights.shape[1]
    columns = found.shown_inputs
    pictures = colorize(found.scaled(shown)[:, :columns].numpy(), -1, 1)
    tiles = [
        grid.Tile(grid.enlarge_tile(picture, max(columns, ROWS)), str(index) if number == 0 else "")
        for number, row in enumerate(pictures)
        for index, picture in enumerate(row)
    ]
    within = f" of its group, of {found.groups} groups" if found.groups > 1 else ""
    words = f"{network}; a row is a filter, a column an input channel{within}"
    return grid.draw_grid(tiles, columns, f"{title}, {_of(columns, inputs)} input channels", words,
                      rows=[str(number) for number in shown], bar=grid.Bar(-1, 1, OWN_SCALE))  # fmt: skip


def _matrix(network: str, found: Kernels, shown: list[int], title: str) -> Photo:
    """Return filters of 1x1 as one matrix, on one scale."""
    values = found.weights[shown, :, 0, 0].numpy()
    scale = max(float(abs(values).max()), 1e-12)
    picture = grid.draw_matrix(values, scale, "output channel", "input channel", shown)
    words = f"{network}; each reads {values.shape[1]} channels; one scale for all"
    return grid.draw_grid([grid.Tile(picture)], 1, title, words, bar=grid.Bar(-scale, scale, "weight"))
