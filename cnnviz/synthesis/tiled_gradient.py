"""The gradient of a large picture tile by tile: exactly that of the whole, in the memory of one tile.

A tile is a part of the picture that shows some cells of the layers all that they see. Its corners lie on multiples of
the network's stride, counted from the picture's upper left and lower right ends, so that each operator meets the same
phase, and the same padding where the picture ends, as in the whole. A tile's objective counts the cells it owns, and
what it gives beyond them is added to its neighbours' gradients. So nothing is blended, and there are no seams.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import pairwise, product
from math import ceil, floor, lcm, log2

import torch
from torch import Tensor, nn

from cnnviz.errors import InvalidRequest
from cnnviz.graph import receptive_field
from cnnviz.graph.fold_batchnorm import clone_structure
from cnnviz.models.features import LOGITS, FeatureExtractor
from cnnviz.models.network import Network, release_memory
from cnnviz.synthesis.objectives import MapWindow, Objective

TILE = 512  # pixels, with what is seen around the cells owned; larger: less is computed twice, more memory
PHASES = 64  # pixels: a multiple of most networks' strides
HALO = 192  # pixels that a cell is taken to see to each side where tiles are approximate
Gradient = Callable[[Tensor], tuple[Tensor, Tensor]]
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class TileCells:
    """Cells of a layer along one axis that a tile owns: ``first`` to ``last``, without it, of ``count`` in all.

    ``origin`` is the cell that the tile itself begins with.
    """

    first: int
    last: int
    count: int
    origin: int

    @property
    def inside(self) -> slice:
        """Where they lie in what the layer gives for the tile."""
        return slice(self.first - self.origin, self.last - self.origin)


@dataclass(frozen=True)
class TileSpan:
    """A tile along one axis: pixels ``start`` to ``stop``, and the cells it owns of each layer."""

    start: int
    stop: int
    cells: dict[str, TileCells]


@dataclass(frozen=True)
class LayerAxis:
    """A layer's field along one axis, and its cells there."""

    name: str
    field: receptive_field.ReceptiveField
    count: int


def tiled_gradient(
    trunk: FeatureExtractor,
    objective: Objective,
    tile: int = TILE,
    progress: Progress | None = None,
    approx: bool = False,
) -> Gradient:
    """Return the gradient of an objective tile by tile, each at most about ``tile`` pixels high and wide.

    What a tile owns is at least half as wide, so that tiles are larger where a layer sees much around its cells.
    ``progress`` is told how many tiles are done, of how many. The gradient raises UsageMistake for what has no exact
    tiles: classes, layers whose cells see the whole picture, objectives that are no sum over cells. With ``approx``
    cells that see the whole picture, or nobody knows what, are taken to see HALO pixels around them.
    """
    refuse_parts(objective)

    @lru_cache(maxsize=8)
    def tiles_of(size: tuple[int, int]) -> list[tuple[TileSpan, TileSpan]]:
        return list(product(*plan_tiles(trunk.network, objective.layers, size, tile, approx)))

    def gradient(picture: Tensor) -> tuple[Tensor, Tensor]:
        high, wide = picture.shape[-2:]
        tiles = tiles_of((high, wide))
        total, values = torch.zeros_like(picture), torch.zeros(len(picture), dtype=picture.dtype, device=picture.device)
        for done, (down, across) in enumerate(tiles, 1):
            inside = (..., slice(down.start, down.stop), slice(across.start, across.stop))
            part, slope = _part(trunk, objective, picture[inside], down, across)
            total[inside] += slope
            values += part
            del slope
            release_memory()  # tiles differ in shape: what one leaves the next cannot use
            if progress:
                progress(done, len(tiles))
        return values, total

    return gradient


def tiled_maps(trunk: FeatureExtractor, picture: Tensor, tile: int = TILE, approx: bool = False) -> dict[str, Tensor]:
    """Return what each layer of a trunk gives for a picture (1, 3, h, w), (1, channels, rows, columns), by tiles.

    Raises UsageMistake as ``tiled`` does.
    """
    found: dict[str, Tensor] = {}
    down, across = plan_tiles(trunk.network, trunk.layers, (picture.shape[-2], picture.shape[-1]), tile, approx)
    for row, column in product(down, across):
        with torch.no_grad():
            given = trunk(picture[..., row.start : row.stop, column.start : column.stop])
        for name, out in given.items():
            y, x = row.cells[name], column.cells[name]
            if name not in found:
                found[name] = out.new_zeros(*out.shape[:2], y.count, x.count)
            found[name][..., y.first : y.last, x.first : x.last] = out[..., y.inside, x.inside]
    return found


def refuse_parts(objective: Objective) -> None:
    """Raise UsageMistake for an objective that is no sum over cells."""
    if LOGITS in objective.layers:
        raise InvalidRequest("a class needs the whole picture at once: it has no tiles")
    if not objective.cellwise:
        raise InvalidRequest("this objective is no sum over a layer's cells: it has no tiles")


def _part(
    trunk: FeatureExtractor, objective: Objective, picture: Tensor, down: TileSpan, across: TileSpan
) -> tuple[Tensor, Tensor]:
    """Return a tile's share in the values (N,), and its gradient."""
    with torch.enable_grad():
        x = picture.detach().requires_grad_()
        given, places = {}, {}
        for name, out in trunk(x).items():
            if name in down.cells:
                rows, columns = down.cells[name], across.cells[name]
                given[name] = out[..., rows.inside, columns.inside]
                places[name] = MapWindow(rows.first, columns.first, rows.count, columns.count)
        values = objective(given, places)
        (slope,) = torch.autograd.grad(values.sum(), x)
    return values.detach(), slope


def plan_tiles(
    network: Network, layers: Sequence[str], size: tuple[int, int], tile: int, approx: bool = False
) -> tuple[list[TileSpan], list[TileSpan]]:
    """Return the tiles down and across for a picture of ``size`` (h, w), ``tile`` pixels long if that can be.

    Raises UsageMistake for a layer without a known receptive field, or one that sees the whole picture.
    """
    found = _found(network, layers, size)
    stride = _stride(found, layers)
    both = []
    for axis in (0, 1):
        known = [_axis(found, name, axis, size[axis] if approx else None) for name in layers]
        step = lcm(stride, *(int(at.field.jump) for at in known if at.field.jump >= 1))
        both.append(spans(known, size[axis], step, tile))
    return both[0], both[1]


def _found(network: Network, layers: Sequence[str], size: tuple[int, int]) -> dict[str, receptive_field.LayerInfo]:
    """Return a network's layers, by name, for a picture of ``size`` (h, w); the shapes hold for those wanted.

    A picture that is longer by a multiple of the stride has the same fields, and so many more cells. So two small ones
    tell; where they do not, the whole is asked on the meta device, for which torch loads its compiler, 150 MB.
    """
    stride, least = PHASES, _least(network.size, size, PHASES)
    small = _layers(network.module, least)
    if PHASES % _stride(small, layers):
        stride = lcm(PHASES, _stride(small, layers))
        least = _least(network.size, size, stride)
        small = _layers(network.module, least)
    larger = _layers(network.module, (least[0] + stride, least[1] + stride))
    for name in layers:
        grown = _grown(small.get(name), larger.get(name), least, stride, size)
        if grown is None:
            return _layers(clone_structure(network.module, "meta"), size)
        small[name] = grown
    return small


def _layers(module: nn.Module, size: tuple[int, int]) -> dict[str, receptive_field.LayerInfo]:
    found = {layer.name: layer for layer in receptive_field.layer_table(module, size)}
    release_memory()
    return found


def _stride(found: dict[str, receptive_field.LayerInfo], layers: Sequence[str]) -> int:
    """Return the common stride of all that runs until the layers have answered."""
    stride, missing = 1, set(layers)
    for name, layer in found.items():
        if layer.axes:
            stride = lcm(stride, *(int(field.jump) for field in layer.axes if field.jump >= 1))
        missing.discard(name)
        if not missing:
            break
    return stride


def _least(least: tuple[int, int], size: tuple[int, int], stride: int) -> tuple[int, int]:
    """Return the smallest size of at least ``least``, or ``size`` itself, that is multiples of a stride below it."""
    high, wide = (side - max(0, (side - low) // stride) * stride for side, low in zip(size, least, strict=True))
    return high, wide


def _grown(
    small: receptive_field.LayerInfo | None,
    larger: receptive_field.LayerInfo | None,
    least: tuple[int, int],
    by: int,
    size: tuple[int, int],
) -> receptive_field.LayerInfo | None:
    """Return a layer for a picture of ``size`` from those for one of ``least`` and one larger ``by`` a stride.

    None where these two are not what a layer of known fields gives.
    """
    if not (small and larger and small.axes and small.axes == larger.axes and len(small.shape) == 3):
        return None
    jumps = [field.jump for field in small.axes]
    if any((b - a) * jump != by for a, b, jump in zip(small.shape[1:], larger.shape[1:], jumps, strict=True)):
        return None
    sides = zip(small.shape[1:], size, least, jumps, strict=True)
    return replace(
        small, shape=(small.shape[0], *(count + round((side - low) / jump) for count, side, low, jump in sides))
    )


def _axis(found: dict[str, receptive_field.LayerInfo], name: str, axis: int, length: int | None) -> LayerAxis:
    """Return a layer's field; one that is not known is assumed over ``length`` pixels, refused where that is None."""
    layer = found.get(name)
    if length and layer and layer.axes is None and len(layer.shape) == 3 and layer.shape[1 + axis] > 1:
        jump = 2 ** round(log2(length / layer.shape[1 + axis]))
        return LayerAxis(name, receptive_field.ReceptiveField(jump, -HALO, HALO), layer.shape[1 + axis])
    if layer is None or layer.axes is None or len(layer.shape) != 3:
        why = (
            "sees the whole picture"
            if layer and layer.field == receptive_field.ALL
            else "has no cells in rows and columns"
        )
        raise InvalidRequest(f"layer {name} {why}: it has no exact tiles (approximate ones: --approx)")
    return LayerAxis(name, layer.axes[axis], layer.shape[1 + axis])


def spans(layers: Sequence[LayerAxis], length: int, stride: int, tile: int) -> list[TileSpan]:
    """Return the tiles along an axis of ``length`` pixels, for layers within a network of a ``stride``."""
    before = -min(axis.field.start for axis in layers)
    beyond = max(axis.field.stop for axis in layers)
    halo = ceil(max(before, 0) / stride) * stride + ceil(max(beyond, 0) / stride) * stride
    if length <= max(tile, stride):
        lines = [0, length]
    else:
        count = ceil(length / max(stride, max(tile - halo, tile // 2) // stride * stride))
        lines = [*(round(length * i / count / stride) * stride for i in range(count)), length]
    return [_span(layers, line, length, stride) for line in pairwise(sorted(set(lines)))]


def _span(layers: Sequence[LayerAxis], line: tuple[int, int], length: int, stride: int) -> TileSpan:
    """Return the tile that owns the cells between two lines, in pixels."""
    cells = {}
    for axis in layers:
        first, last = (min(axis.count, round(at / axis.field.jump)) for at in line)
        cells[axis.name] = (first, axis.count if line[1] == length else last)
    start = min(
        first * axis.field.jump + axis.field.start for axis, (first, _) in zip(layers, cells.values(), strict=True)
    )
    stop = max(
        (last - 1) * axis.field.jump + axis.field.stop + 1
        for axis, (_, last) in zip(layers, cells.values(), strict=True)
    )
    begin = max(0, floor(start / stride) * stride)
    end = length - max(0, floor((length - stop) / stride) * stride)
    owned = {axis.name: TileCells(*cells[axis.name], axis.count, round(begin / axis.field.jump)) for axis in layers}
    return TileSpan(begin, end, owned)
