"""The figure of a convolution's filters: colours, signed tiles, pairs of channels, or a matrix."""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from cnnviz.features.kernels import Kernels
from cnnviz.figures.labels import network_label, placed_layer, signed
from cnnviz.figures.maps import Words, bar_below, bar_beside
from cnnviz.figures.page import INNER, Page, Rect, squares
from cnnviz.figures.scale import ROUND_STEPS, Scale, percentile_scale, round_end, signed_tile
from cnnviz.figures.style import LINE, MARGIN, Look, own_settings
from cnnviz.figures.tiles import Tile, columns, draw_tiles
from cnnviz.io.color import Photo
from cnnviz.models.network import Network

NUMBERED = 48  # filters, at most, that have their numbers above them
GROUND = 0.93  # grey of the weight 0 in red and blue tiles
HIGHEST, LOWEST = 4.4, 0.5  # of a matrix in inches
BESIDE = 0.95  # room of its colour bar
SHARE = 0.995  # of a matrix's weights within its scale
OWN = Scale(-1, 1)
ZERO = np.full((1, 1, 1), GROUND, np.float32)


@own_settings()
def draw_kernels(network: Network, found: Kernels, channels: Sequence[int], look: Look = Look()) -> Figure:
    """Return the filters of some output channels, in the form that ``found`` has."""
    page = Page(look)
    page.heading(_title(found, channels), _subtitle(network, found))
    forms = {"tiles": _draw_tiles, "pairs": _draw_pairs, "matrix": _draw_matrix}
    forms[found.form](page, found, list(channels))
    return page.finish()


def _draw_tiles(page: Page, found: Kernels, shown: list[int]) -> None:
    """Draw a tile for each filter: over RGB in colours, over one channel in red and blue."""
    scaled = found.scaled(shown).numpy()
    images = [signed_tile(values, 1.0) for values in scaled] if found.rgb else _signed(scaled[:, 0])
    across = columns(len(shown))
    by_row = len(shown) > NUMBERED and shown == list(range(shown[0], shown[-1] + 1))
    tiles = [Tile(image, "" if by_row else str(channel)) for image, channel in zip(images, shown, strict=True)]
    rows = [str(channel) for channel in shown[::across]] if by_row else []
    draw_tiles(page, tiles, across, rows=rows, smooth=False, largest=1.6)
    number = "Number: output channel of the row’s first filter." if by_row else "Number: output channel."
    if found.rgb:
        page.note(f"{number} Mid-grey: weight 0. Brighter in a colour: a positive weight for that colour; darker: "
                  "negative.")  # fmt: skip
    else:
        _own_bar(page)
        page.note(number)


def _draw_pairs(page: Page, found: Kernels, shown: list[int]) -> None:
    """Draw a row for each filter and a column for each of the first input channels that it is applied to."""
    inputs = found.shown_inputs
    scaled = found.scaled(shown)[:, :inputs].numpy()
    tiles = [
        Tile(image, str(index) if row == 0 else "")
        for row, filters in enumerate(scaled)
        for index, image in enumerate(_signed(filters))
    ]
    rows = [f"filter {channel}" for channel in shown]
    draw_tiles(page, tiles, inputs, rows=rows, smooth=False, largest=min(1.2, max(0.3, 4.4 / len(shown))))
    _own_bar(page)
    first = f"the first {inputs} of {found.weights.shape[1]}" if inputs < found.weights.shape[1] else "all"
    within = f" of the filter's group (of {found.groups})" if found.groups > 1 else ""
    page.note(f"A row is a filter, a column one of its input channels: {first}{within}.")


def _draw_matrix(page: Page, found: Kernels, shown: list[int]) -> None:
    """Draw filters of 1 × 1 as one matrix with numbered axes, its longer side across."""
    values = found.weights[shown, :, 0, 0].numpy()
    down, across = ("output channel", shown), ("input channel", list(range(values.shape[1])))
    if len(values) > values.shape[1]:
        values, down, across = values.T, across, down
    end = round_end(percentile_scale(values, SHARE))
    scale = Scale(-end, end)
    left, room = MARGIN + 0.45, INNER - 0.45 - BESIDE
    cell = min(room / values.shape[1], HIGHEST / values.shape[0], 0.5)
    top = page.write(MARGIN, page.top, down[0], room=room) + LINE / 2
    box = Rect(left, top, values.shape[1] * cell, max(values.shape[0] * cell, LOWEST)).snapped()
    page.picture(box, scale.over(ZERO, values), smooth=False)
    for place, name in _ticks(down[1], box.height, LINE):
        page.write(left - 0.07, box.y + place - LINE / 2, name, colour=page.theme.ink, align="right", room=0.5)
    for place, name in _ticks(across[1], box.width, 0.5):
        page.write(box.x + place, box.bottom + 0.03, name, colour=page.theme.ink, align="center", room=0.5)
    page.top = page.write(box.x, box.bottom + 0.03 + LINE, across[0])
    ends = [(end, signed(end, ".3g")) for end in (scale.high, 0.0, scale.low)]
    bar_beside(page, _at_least(box), scale, Words(ends, "weight"), ground=GROUND)
    page.top = max(page.top, _at_least(box).bottom + LINE / 2)
    largest = float(np.abs(values).max())
    beyond = " Weights beyond the scale have the colour of its end." if largest > end else ""
    square = squares(page, [box], values.shape, "weight")
    page.note(f"{square} The largest magnitude is {largest:.3g}.{beyond}")


def _at_least(box: Rect) -> Rect:
    """Return a box high enough for the ticks of a colour bar."""
    return Rect(box.x, box.y, box.width, max(box.height, 3 * LINE))


def _ticks(numbers: Sequence[int], length: float, apart: float) -> list[tuple[float, str]]:
    """Return the middle of every cell that is numbered, in inches from the first cell's edge, and its number.

    Steps are 1, 2 or 5 times a power of ten, at least ``apart`` inches wide.
    """
    step = max(1, round(round_end(apart * len(numbers) / length, ROUND_STEPS)))
    return [((place + 0.5) * length / len(numbers), str(numbers[place])) for place in range(0, len(numbers), step)]


def _signed(filters: NDArray[np.float32]) -> list[Photo]:
    """Return filters (n, h, w), -1 to 1, in red and blue."""
    return [OWN.over(ZERO, values) for values in filters]


def _own_bar(page: Page) -> None:
    words = Words([(-1, "−1"), (0, "0"), (1, "+1")], "weight, as a share of the filter’s largest magnitude")
    page.top = bar_below(page, Rect(MARGIN, 0, 3.2, 0), page.top + 0.18, OWN, words, GROUND)


def _title(found: Kernels, shown: Sequence[int]) -> str:
    count = len(found.weights)
    if len(shown) == 1:
        return f"Filter {shown[0]} of {found.layer}"
    return (
        f"The {count} filters of {found.layer}"
        if len(shown) == count
        else f"{len(shown)} of the {count} filters of {found.layer}"
    )


def _subtitle(network: Network, found: Kernels) -> str:
    _, inputs, height, width = found.weights.shape
    if found.rgb:
        applied = "over red, green and blue, each on its own scale"
    elif inputs == 1:
        applied = f"each over one of {found.groups} channels" if found.groups > 1 else "each over the one input channel"
    else:
        applied = f"each over {inputs} input channels" + (", one scale for all" if found.form == "matrix" else "")
    layer = placed_layer(network, found.layer)
    return f"{network_label(network.name)}, {layer}: filters of {height} × {width} weights, {applied}."
