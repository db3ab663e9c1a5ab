"""A sheet of feature visualizations: a grid, or a row for each of several units with several images."""

from matplotlib.figure import Figure

from cnnviz.figures.labels import network_label, number
from cnnviz.figures.page import INNER, Page
from cnnviz.figures.style import NOTE, Look, own_settings
from cnnviz.figures.text import width
from cnnviz.figures.tiles import Tile, columns, draw_tiles
from cnnviz.synthesis.visualize import Visualization

VALUES = {"channel": "mean activation", "neuron": "activation", "direction": "objective"}
LEGIBLE, FEW = 6, 24  # tiles in a row, at most, of a grid of no more than FEW
LARGEST = 2.25  # side of a tile in inches


@own_settings()
def draw_channels(result: Visualization, network: str, look: Look = Look()) -> Figure:
    """Return the images in a grid, each with its channel and activation, of the network of that name."""
    page = Page(look)
    page.heading(_title(result), _subtitle(result, network))
    units, per_row = result.tensor.shape[:2]
    if 1 in (units, per_row):
        count = units * per_row
        per_row = columns(count) if count > FEW else min(columns(count), LEGIBLE)
    side = min(LARGEST, (INNER - 0.14 * (per_row - 1)) / per_row)
    tiles, what = list[Tile](), _value_name(result, side)
    for unit, (images, values) in enumerate(zip(result.images, result.values.tolist(), strict=True)):
        for place, (image, value) in enumerate(zip(images, values, strict=True)):
            tiles.append(Tile(image, _name(result, unit) if place == 0 else "", what + number(value)))
    draw_tiles(page, tiles, per_row, largest=LARGEST)
    if result.done < result.of:
        page.note(f"Partial result: {result.done} of {result.of} steps.")
    return page.finish()


def _title(result: Visualization) -> str:
    several = "s" * (len(result.images) > 1)
    if result.unit == "direction":
        return f"Image that maximises a direction of {result.layer}"
    return f"Image{several} that maximise{'' if several else 's'} {result.unit}{several} of {result.layer}"


def _subtitle(result: Visualization, network: str) -> str:
    what = {"channel": "mean activation of the channel’s map", "neuron": "activation of one unit of the channel",
            "direction": "projection of the activation on the direction, times their cosine"}[result.unit]  # fmt: skip
    return f"{network_label(network)}. Optimised from noise. Above each image: {what}."


def _name(result: Visualization, unit: int) -> str:
    return "direction" if result.unit == "direction" else f"channel {result.channels[unit]}"


def _value_name(result: Visualization, side: float) -> str:
    """Return what the values are; nothing where that does not fit above a tile, beside the unit's name."""
    name, units = VALUES[result.unit] + " ", range(len(result.images))
    longest = max(width(_name(result, unit), NOTE, bold=True) for unit in units)
    value = max(width(name + number(value), NOTE) for value in result.values.flatten().tolist())
    return name if longest + 0.08 + value <= side else ""
