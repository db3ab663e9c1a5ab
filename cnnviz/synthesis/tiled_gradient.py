"""The gradient of a large image tile by tile: that of the whole image, in the memory of one tile.

A tile's objective counts the cells it owns, and its gradient outside them is added to its neighbours'. So nothing is
blended, and there are no seams. See ``tile_plan`` for where the tiles lie.
"""

from functools import lru_cache
from itertools import product

import torch
from torch import Tensor

from cnnviz.errors import InvalidRequest
from cnnviz.models.features import LOGITS, FeatureExtractor
from cnnviz.models.memory import release_memory
from cnnviz.synthesis.ascent import Gradient
from cnnviz.synthesis.objectives import MapWindow, Objective
from cnnviz.synthesis.tile_plan import TILE, TileSpan, plan_tiles


def tiled_gradient(
    extractor: FeatureExtractor, objective: Objective, tile: int = TILE, approximate: bool = False
) -> Gradient:
    """Return the gradient of an objective tile by tile, each about ``tile`` pixels high and wide.

    It raises InvalidRequest where no exact tiles exist: classes, layers whose cells see the whole image, objectives
    that are not sums over cells. With ``approximate`` cells with an unknown or unbounded receptive field are assumed to
    see ``tile_plan.HALO`` pixels around them.
    """
    if LOGITS in objective.layers:
        raise InvalidRequest("a class needs the whole image at once: it has no tiles")
    if not objective.cellwise:
        raise InvalidRequest("this objective is not a sum over a layer's cells: it has no tiles")

    @lru_cache(maxsize=8)
    def tiles_of(size: tuple[int, int]) -> list[tuple[TileSpan, TileSpan]]:
        return list(product(*plan_tiles(extractor.network, objective.layers, size, tile, approximate)))

    def gradient(image: Tensor) -> tuple[Tensor, Tensor]:
        total, values = torch.zeros_like(image), torch.zeros(len(image), dtype=image.dtype, device=image.device)
        for rows, columns in tiles_of((image.shape[-2], image.shape[-1])):
            inside = (..., slice(rows.start, rows.stop), slice(columns.start, columns.stop))
            share, grad = _tile_gradient(extractor, objective, image[inside], rows, columns)
            total[inside] += grad
            values += share
            del grad
            release_memory()  # tiles differ in shape: the next one cannot reuse this one's blocks
        return values, total

    return gradient


def _tile_gradient(
    extractor: FeatureExtractor, objective: Objective, image: Tensor, rows: TileSpan, columns: TileSpan
) -> tuple[Tensor, Tensor]:
    """Return a tile's share of the values (N,), and its gradient."""
    with torch.enable_grad():
        x = image.detach().requires_grad_()
        owned, windows = {}, {}
        for name, out in extractor(x).items():
            if name in rows.cells:
                y_cells, x_cells = rows.cells[name], columns.cells[name]
                owned[name] = out[..., y_cells.inside, x_cells.inside]
                windows[name] = MapWindow(y_cells.first, x_cells.first, y_cells.count, x_cells.count)
        values = objective(owned, windows)
        (grad,) = torch.autograd.grad(values.sum(), x)
    return values.detach(), grad
