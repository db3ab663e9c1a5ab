"""The preview of ``cnnviz sticker``: what the network sees of sticker, controls and bare photo."""

from collections.abc import Mapping, Sequence

from cnnviz.adversarial.patch import PatchResult, PatchView, preview
from cnnviz.figures.grid import Tile, draw_grid
from cnnviz.io.color import Photo

POSES = 5  # drawn, of the held-out ones


def draw_preview(result: PatchResult, seed: int) -> Photo:
    """Return a grid, uint8 (H, W, 3): a row for each print, first the fixed view, then held-out poses."""
    return draw_views(result, preview(result, seed, POSES))


def draw_views(result: PatchResult, views: Mapping[str, Sequence[PatchView]]) -> Photo:
    """Return the grid of these views."""
    network = result.scene.network
    tiles = [Tile(view.image, view.name, f"{view.probability:.0%}") for row in views.values() for view in row]
    goal = network.class_name(result.scene.goal)
    controls = ", ".join(f"{name} {rates.success_rate:.0%}" for name, rates in result.controls.items())
    title = f"Sticker for {goal}: {result.success_rate:.0%} of {result.poses} poses it was not made for"
    words = f"{controls}; first column the fixed view; simulated, {network.name}"
    return draw_grid(tiles, POSES + 1, title, words, rows=list(views))
