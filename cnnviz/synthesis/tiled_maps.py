"""Maps of a large image in tiles: which pixels a tile shows the network, and which cells of each layer it owns."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import product

import torch
from torch import Tensor

from cnnviz.models.features import FeatureExtractor
from cnnviz.models.memory import release_memory
from cnnviz.synthesis.tile_plan import plan_tiles

Place = tuple[slice, slice]  # rows and columns
EVERYTHING = (slice(None), slice(None))


@dataclass(frozen=True)
class MapTile:
    """A part of an image: its ``pixels``, the cells of each layer that it owns, in its own map and in the whole one."""

    pixels: Place = EVERYTHING
    own: Mapping[str, Place] = field(default_factory=dict)
    whole: Mapping[str, Place] = field(default_factory=dict)

    def cells(self, name: str, whole: Tensor) -> Tensor:
        """Return the cells that the tile owns of a whole map (1, C, rows, columns) of a layer."""
        return whole[(..., *self.whole.get(name, EVERYTHING))]


class TiledMaps:
    """The tiles of an image of ``size`` (h, w), about ``tile`` pixels a side; None: one tile for the whole image.

    Raises InvalidRequest for layers without exact tiles. With ``approximate`` cells with an unknown or unbounded
    receptive field are assumed to see ``tile_plan.HALO`` pixels around them.
    """

    def __init__(
        self, extractor: FeatureExtractor, size: tuple[int, int], tile: int | None, approximate: bool = False
    ) -> None:
        self.extractor = extractor
        self.tiles = self._plan(size, tile, approximate) if tile and extractor.layers else [MapTile()]
        self.single = len(self.tiles) == 1

    def _plan(self, size: tuple[int, int], tile: int, approximate: bool) -> list[MapTile]:
        found, layers = [], self.extractor.layers
        for row, column in product(*plan_tiles(self.extractor.network, layers, size, tile, approximate)):
            cells = {name: (row.cells[name], column.cells[name]) for name in layers}
            own = {name: (y.inside, x.inside) for name, (y, x) in cells.items()}
            whole = {name: (slice(y.first, y.last), slice(x.first, x.last)) for name, (y, x) in cells.items()}
            found.append(MapTile((slice(row.start, row.stop), slice(column.start, column.stop)), own, whole))
        return found

    def run(self, image: Tensor, tile: MapTile, *, grad: bool) -> tuple[Tensor, dict[str, Tensor]]:
        """Return a tile's pixels, and of each layer's map (1, C, rows, columns) the cells that it owns."""
        if not self.single:
            release_memory()  # tiles differ in shape: this one cannot reuse the last one's blocks
        with torch.set_grad_enabled(grad):
            x = image[(..., *tile.pixels)].detach().requires_grad_(grad)
            maps = self.extractor(x) if self.extractor.layers else {}
            return x, {name: out[(..., *tile.own.get(name, EVERYTHING))] for name, out in maps.items()}

    def whole_maps(self, image: Tensor) -> dict[str, Tensor]:
        """Return each layer's map of a whole image."""
        maps: dict[str, Tensor] = {}
        for tile in self.tiles:
            for name, part in self.run(image, tile, grad=False)[1].items():
                if name not in maps:
                    maps[name] = part.new_zeros(*part.shape[:2], *self.map_size(name, part))
                tile.cells(name, maps[name]).copy_(part)
        return maps

    def map_size(self, name: str, part: Tensor) -> tuple[int, int]:
        """Return rows and columns of a layer's whole map; ``part``: a tile's cells of it."""
        if self.single:
            return part.shape[-2], part.shape[-1]
        rows, columns = (max(tile.whole[name][axis].stop for tile in self.tiles) for axis in (0, 1))
        return rows, columns
