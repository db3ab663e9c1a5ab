"""A sheet of feature visualizations: a grid, or a row for each of several units with several images.

With photos, as in Olah et al. 2017, "Feature Visualization": each channel's strongest patches beside its images.
"""

from matplotlib.figure import Figure

from cnnviz.features.figures.projections_bare import pixels
from cnnviz.features.top_images import TopImages
from cnnviz.figures.labels import channel_label, network_label, number, placed_layer
from cnnviz.figures.page import INNER, Page
from cnnviz.figures.style import GAP, MARGIN, NOTE, Look, own_settings
from cnnviz.figures.text import width
from cnnviz.figures.tiles import Tile, columns, draw_tiles
from cnnviz.models.network import Network
from cnnviz.synthesis.visualize import Visualization

VALUES = {"channel": "mean activation", "neuron": "activation", "direction": "objective"}
LEGIBLE, FEW = 6, 24  # tiles in a row, at most, of a grid of no more than FEW
LARGEST = 2.25  # side of a tile in inches
SEAM = 0.06  # between an image and its patches
PATCH = (
    "Patches: one of each photo, the strongest first. A patch is what the channel’s strongest unit there depends on: "
    "the box that holds 95 % of the energy of the unit’s deconvnet projection."
)


@own_settings()
def draw_channels(
    result: Visualization, network: Network, look: Look = Look(), examples: TopImages | None = None
) -> Figure:
    """Return the images, each with its channel and its activation.

    With ``examples`` of the channels, their patches stand in the rows of one or two channels or of several images
    each, otherwise below the images.
    """
    page = Page(look)
    page.heading(_title(result, examples), _subtitle(result, network, examples))
    units, several = result.tensor.shape[:2]
    if examples and units > 2 and several == 1:
        _draw_above_patches(page, network, result, examples)
    else:
        _draw_rows(page, network, result, examples)
    if examples:
        page.note(PATCH)
    if result.done < result.of:
        page.note(f"Partial result: {result.done} of {result.of} steps.")
    return page.finish()


def _draw_rows(page: Page, network: Network, result: Visualization, examples: TopImages | None) -> None:
    """Draw a grid, or a row for each unit with several images or with patches."""
    units, per_row = result.tensor.shape[:2]
    patches = [_patches(examples, channel) for channel in result.channels] if examples else [[]] * units
    if patches[0]:
        per_row += len(patches[0])
    elif 1 in (units, per_row):
        count = units * per_row
        per_row = columns(count) if count > FEW else columns(count, most=LEGIBLE)
    tiles = _tiles(network, result, min(LARGEST, (INNER - 0.14 * (per_row - 1)) / per_row))
    rows = (tile for row in zip(tiles, patches, strict=True) for part in row for tile in part)
    draw_tiles(page, list(rows), per_row, largest=LARGEST)


def _draw_above_patches(page: Page, network: Network, result: Visualization, examples: TopImages) -> None:
    """Draw a grid of images, below each of them its patches in a row as wide as the image."""
    count = len(result.channels)
    per_row = columns(count) if count > FEW else columns(count, most=LEGIBLE)
    side, top = (INNER + GAP) / per_row - GAP, page.top
    for index, (channel, images) in enumerate(zip(result.channels, _tiles(network, result, side), strict=True)):
        column, patches = index % per_row, _patches(examples, channel)
        top = page.top + GAP if index and not column else top
        page.top, left = top, MARGIN + column * (side + GAP)
        draw_tiles(page, images, 1, left=left, room=side, largest=side)
        page.top += SEAM
        draw_tiles(page, patches, len(patches), left=left, room=side)


def _tiles(network: Network, result: Visualization, side: float) -> list[list[Tile]]:
    """Return the images of each unit, the first with the unit's name, for tiles of that side."""
    what = _value_name(network, result, side)
    return [
        [Tile(image, "" if place else _name(network, result, unit), what + number(value))
         for place, (image, value) in enumerate(zip(images, values, strict=True))]
        for unit, (images, values) in enumerate(zip(result.images, result.values.tolist(), strict=True))
    ]  # fmt: skip


def _patches(examples: TopImages, channel: int) -> list[Tile]:
    return [Tile(pixels(hit.patch), value=number(hit.activation)) for hit in examples.channels[channel]]


def _title(result: Visualization, examples: TopImages | None) -> str:
    count = len(result.values)
    several = "s" * (count > 1)
    if examples:
        what = f"{count} channels" if count > 1 else f"channel {result.channels[0]}"
        return f"What activates {what} of {result.layer}"
    if result.unit == "direction":
        return f"Image that maximises a direction of {result.layer}"
    return f"Image{several} that maximise{'' if several else 's'} {result.unit}{several} of {result.layer}"


def _subtitle(result: Visualization, network: Network, examples: TopImages | None) -> str:
    what = {"channel": "mean activation of the channel", "neuron": "activation of one unit of the channel",
            "direction": "projection of the activation on the direction, times their cosine"}[result.unit]  # fmt: skip
    where = f"{network_label(network.name)}, {placed_layer(network, result.layer)}"
    if not examples:
        return f"{where}. Optimised from noise. Above each image: {what}."
    images = "Images" if len(result.values) > 1 else "Image"
    photos = f"{examples.images} photos" if examples.images > 1 else "one photo"
    return (
        f"{where}. {images} optimised from noise, with the {what}, and the strongest patches of "
        f"{photos}, each with its unit’s activation."
    )


def _name(network: Network, result: Visualization, unit: int) -> str:
    if result.unit == "direction":
        return "direction"
    return channel_label(network, result.layer, result.channels[unit])


def _value_name(network: Network, result: Visualization, side: float) -> str:
    """Return what the values are; nothing where that does not fit above a tile, beside the unit's name."""
    name, units = VALUES[result.unit] + " ", range(len(result.images))
    longest = max(width(_name(network, result, unit), NOTE, bold=True) for unit in units)
    value = max(width(name + number(value), NOTE) for value in result.values.flatten().tolist())
    return name if longest + 0.08 + value <= side else ""
