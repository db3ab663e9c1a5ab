"""A sheet of class visualizations, with their names and probabilities. uint8 RGB (H, W, 3)."""

from collections.abc import Sequence

from cnnviz.figures import grid
from cnnviz.io.color import Photo
from cnnviz.synthesis.held_out import HeldOutRank
from cnnviz.synthesis.inceptionism import ClassVisualization


def draw(
    results: Sequence[ClassVisualization], names: Sequence[str], network: str, held_out: Sequence[HeldOutRank] = ()
) -> Photo:
    """Return the images in a grid, titled by class ``names``, with probabilities by ``network``.

    With ``held_out``, a rank for each image, the probabilities are those of that network.
    """
    probabilities = [rank.probability for rank in held_out] or [round(result.probability, 6) for result in results]
    tiles = [
        grid.Tile(result.image, name, f"{probability:.0%}")
        for result, name, probability in zip(results, names, probabilities, strict=True)
    ]
    source = f"probability by {held_out[0].network}, held out" if held_out else "judged by itself"
    return grid.draw_grid(
        tiles, grid.columns(len(tiles), 1.5), f"Class visualizations of {network}", f"optimised from noise; {source}"
    )
