"""What the pictures of ``cnnviz kernels`` show: colours, signed tiles, pairs of channels, or a matrix."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from cnnviz.app.jobs import Line
from cnnviz.app.session import channel_numbers

if TYPE_CHECKING:
    from cnnviz.features.kernels import Kernels
    from cnnviz.io.color import Photo

FILTERS, ROWS, INPUTS = 1024, 8, 24  # how many a picture shows at most: filters, those of pairs, their inputs
OWN_SCALE = "share of the filter's largest weight"


def draw(network: str, found: "Kernels", channels: Sequence[int]) -> "tuple[Line, Photo]":
    """Return what is shown, for the recipe and --json, and the picture; no ``channels`` are the first ones."""
    out, inputs, high, wide = found.weights.shape
    deep = inputs > 1 and not found.rgb
    form, most = (_tiles, FILTERS) if not deep else (_matrix, out) if high == wide == 1 else (_pairs, ROWS)
    shown = channel_numbers(channels, out, found.layer) or list(range(min(out, most)))
    numbers: Line = {
        "layer": found.layer, "shape": list(found.weights.shape), "groups": found.groups, "channels": shown,
        "input_channels": min(inputs, INPUTS) if form is _pairs else inputs,
    }  # fmt: skip
    title = f"{found.layer}   {_of(len(shown), out)} filters of {high}x{wide}"
    return numbers, form(network, found, shown, title)


def _of(shown: int, count: int) -> str:
    return str(count) if shown == count else f"{shown} of {count}"


def _tiles(network: str, found: "Kernels", shown: list[int], title: str) -> "Photo":
    """Return one tile for each filter: over RGB in colours, over one channel signed."""
    import numpy as np

    from cnnviz.figures import grid, overlay

    scaled, across = found.scaled(shown).numpy(), grid.columns(len(shown))
    if found.rgb:
        pictures = np.rint(127.5 + 127.5 * scaled).astype(np.uint8).transpose(0, 2, 3, 1)
        words, bar = "over red, green and blue; each filter on its own scale, mid-grey is zero", None
    else:
        pictures, bar = overlay.colorize(scaled[:, 0], -1, 1), grid.Bar(-1, 1, OWN_SCALE)
        words = f"each reads one of {found.groups} channels" if found.groups > 1 else "each reads the one channel"
    made = [
        grid.Tile(grid.enlarge(picture, across), str(number)) for number, picture in zip(shown, pictures, strict=True)
    ]
    return grid.draw_grid(made, across, title, f"{network}; {words}", bar=bar)


def _pairs(network: str, found: "Kernels", shown: list[int], title: str) -> "Photo":
    """Return a row for each filter and a column for each of the first input channels that it reads."""
    from cnnviz.figures import grid, overlay

    inputs = found.weights.shape[1]
    across = min(inputs, INPUTS)
    pictures = overlay.colorize(found.scaled(shown)[:, :across].numpy(), -1, 1)
    made = [
        grid.Tile(grid.enlarge(picture, max(across, ROWS)), str(index) if number == 0 else "")
        for number, row in enumerate(pictures)
        for index, picture in enumerate(row)
    ]
    within = f" of its group, of {found.groups} groups" if found.groups > 1 else ""
    words = f"{network}; a row is a filter, a column an input channel{within}"
    return grid.draw_grid(made, across, f"{title}, {_of(across, inputs)} input channels", words,
                      rows=[str(number) for number in shown], bar=grid.Bar(-1, 1, OWN_SCALE))  # fmt: skip


def _matrix(network: str, found: "Kernels", shown: list[int], title: str) -> "Photo":
    """Return filters of 1x1 as one matrix, on one scale."""
    from cnnviz.figures import grid

    values = found.weights[shown, :, 0, 0].numpy()
    scale = max(float(abs(values).max()), 1e-12)
    picture = grid.matrix(values, scale, "output channel", "input channel", shown)
    words = f"{network}; each reads {values.shape[1]} channels; one scale for all"
    return grid.draw_grid([grid.Tile(picture)], 1, title, words, bar=grid.Bar(-scale, scale, "weight"))
