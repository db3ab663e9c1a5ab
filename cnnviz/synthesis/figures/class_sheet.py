"""A sheet of class visualizations, with their names and probabilities."""

from collections.abc import Sequence

from matplotlib.figure import Figure

from cnnviz.figures.labels import network_label, percent, printable_name
from cnnviz.figures.page import INNER, Page
from cnnviz.figures.style import NOTE, Look, own_settings
from cnnviz.figures.text import shorten, width
from cnnviz.figures.tiles import Tile, columns, draw_tiles
from cnnviz.synthesis.held_out import HeldOutRank
from cnnviz.synthesis.inceptionism import ClassVisualization

LARGEST = 2.97  # side of an image in inches: three in a row fill the figure


@own_settings()
def draw_classes(
    results: Sequence[ClassVisualization], names: Sequence[str], network: str, look: Look = Look(),
    held_out: Sequence[HeldOutRank] = (),
) -> Figure:  # fmt: skip
    """Return the images in a grid, above each its class of ``names`` and its probability by ``network``.

    With ``held_out``, a rank for each image, the probabilities are those of that network.
    """
    page, per_row = Page(look), columns(len(results))
    judge = "the probability, judged by the network itself"
    if held_out:
        judge = f"the probability by {network_label(held_out[0].network)}, a held-out network"
    page.heading(
        "Images that maximise the logit of a class",
        f"{network_label(network)}, optimised. Above each image: its class and {judge}.",
    )
    side = min(LARGEST, (INNER - 0.14 * (per_row - 1)) / per_row)
    shares = [rank.probability for rank in held_out] or [result.probability for result in results]
    tiles = []
    for result, name, share in zip(results, names, shares, strict=True):
        value = percent(share)
        room = side - width(value, NOTE) - 0.08
        tiles.append(Tile(result.image, shorten(printable_name(name, result.target), room, NOTE, bold=True), value))
    draw_tiles(page, tiles, per_row, largest=LARGEST)
    note = _note(results, held_out)
    if note:
        page.note(note)
    return page.finish()


def _note(results: Sequence[ClassVisualization], held_out: Sequence[HeldOutRank]) -> str:
    """Return how many images a held-out network ranks first, and how far a stopped run came."""
    parts = []
    if held_out:
        first = sum(rank.rank == 1 for rank in held_out)
        parts.append(
            f"{network_label(held_out[0].network)} predicts the right class for {first} of {len(held_out)} images."
        )
    done, steps = sum(result.done for result in results), sum(result.of for result in results)
    if done < steps:
        parts.append(f"Partial result: {done} of {steps} steps.")
    return " ".join(parts)
