"""Tiles of a large image for an exact tiled gradient: which pixels each tile needs and which cells it counts.

A tile holds the whole receptive field of the cells it owns. Its edges lie on multiples of the network's stride,
counted from the image's upper left and lower right corners, so that every operator has the same phase, and the same
padding at the image's borders, as on the whole image.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from math import ceil, floor, lcm, log2

from torch import nn

from cnnviz.errors import InvalidRequest
from cnnviz.graph.fold_batchnorm import clone_structure
from cnnviz.graph.receptive_field import ALL, LayerInfo, ReceptiveField, layer_table
from cnnviz.models.memory import release_memory
from cnnviz.models.network import Network

TILE = 512  # pixels of a tile's side, halo included; larger: less is computed twice, more memory
PHASES = 64  # pixels: a multiple of most networks' strides
HALO = 192  # pixels that a cell is assumed to see to each side in approximate tiles

Layers = Mapping[str, LayerInfo]


@dataclass(frozen=True)
class TileCells:
    """Cells of a layer along one axis that a tile owns: ``first`` to ``last`` (exclusive) of ``count``.

    ``origin`` is the index of the first cell that the network computes for the tile.
    """

    first: int
    last: int
    count: int
    origin: int

    @property
    def inside(self) -> slice:
        """Their position in the activation of the tile."""
        return slice(self.first - self.origin, self.last - self.origin)


@dataclass(frozen=True)
class TileSpan:
    """A tile along one axis: pixels ``start`` to ``stop``, and the cells it owns of each layer."""

    start: int
    stop: int
    cells: dict[str, TileCells]


@dataclass(frozen=True)
class LayerAxis:
    """A layer's receptive field along one axis, and the number of its cells there."""

    name: str
    field: ReceptiveField
    count: int


def plan_tiles(
    network: Network, layers: Sequence[str], size: tuple[int, int], tile: int = TILE, approximate: bool = False
) -> tuple[list[TileSpan], list[TileSpan]]:
    """Return the tiles along y and along x for an image of ``size`` (h, w), ``tile`` pixels long where possible.

    What a tile owns is at least half as long, so tiles are longer for layers with a large receptive field. Raises
    InvalidRequest for a layer without a known receptive field or one that covers the whole image; with ``approximate``
    such cells are assumed to see HALO pixels around them.
    """
    table = _layers_at_size(network, layers, size)
    stride = _common_stride(table, layers)
    spans = []
    for axis in (0, 1):
        axes = [_layer_axis(table, name, axis, size[axis] if approximate else None) for name in layers]
        step = lcm(stride, *(int(layer.field.jump) for layer in axes if layer.field.jump >= 1))
        spans.append(axis_spans(axes, size[axis], step, tile))
    return spans[0], spans[1]


def axis_spans(layers: Sequence[LayerAxis], length: int, stride: int, tile: int) -> list[TileSpan]:
    """Return the tiles along an axis of ``length`` pixels, for layers of a network with a common ``stride``."""
    before = -min(layer.field.start for layer in layers)
    after = max(layer.field.stop for layer in layers)
    halo = ceil(max(before, 0) / stride) * stride + ceil(max(after, 0) / stride) * stride
    if length <= max(tile, stride):
        edges = [0, length]
    else:
        count = ceil(length / max(stride, max(tile - halo, tile // 2) // stride * stride))
        edges = [*(round(length * i / count / stride) * stride for i in range(count)), length]
    return [_span(layers, pair, length, stride) for pair in pairwise(sorted(set(edges)))]


def _span(layers: Sequence[LayerAxis], edges: tuple[int, int], length: int, stride: int) -> TileSpan:
    """Return the tile that owns the cells between two edges, in pixels."""
    owned = []
    for layer in layers:
        first, last = (min(layer.count, round(edge / layer.field.jump)) for edge in edges)
        owned.append((layer, first, layer.count if edges[1] == length else last))
    start = min(first * layer.field.jump + layer.field.start for layer, first, _ in owned)
    stop = max((last - 1) * layer.field.jump + layer.field.stop + 1 for layer, _, last in owned)
    begin = max(0, floor(start / stride) * stride)
    end = length - max(0, floor((length - stop) / stride) * stride)
    cells = {
        layer.name: TileCells(first, last, layer.count, round(begin / layer.field.jump)) for layer, first, last in owned
    }
    return TileSpan(begin, end, cells)


def _layers_at_size(network: Network, names: Sequence[str], size: tuple[int, int]) -> Layers:
    """Return a network's layers for an image of ``size`` (h, w), with valid shapes for ``names``.

    An image longer by a multiple of the stride has the same receptive fields and proportionally more cells, so two
    small images suffice; where they do not, the network is run on the meta device, for which torch loads its compiler
    (150 MB).
    """
    stride, small_size = PHASES, _smallest_size(network.size, size, PHASES)
    small = _layers(network.module, small_size)
    if PHASES % _common_stride(small, names):
        stride = lcm(PHASES, _common_stride(small, names))
        small_size = _smallest_size(network.size, size, stride)
        small = _layers(network.module, small_size)
    larger = _layers(network.module, (small_size[0] + stride, small_size[1] + stride))
    for name in names:
        layer = extrapolate_layer(small.get(name), larger.get(name), small_size, stride, size)
        if layer is None:
            return _layers(clone_structure(network.module, "meta"), size)
        small[name] = layer
    return small


def _layers(module: nn.Module, size: tuple[int, int]) -> dict[str, LayerInfo]:
    layers = {layer.name: layer for layer in layer_table(module, size)}
    release_memory()
    return layers


def _common_stride(table: Layers, names: Sequence[str]) -> int:
    """Return the common stride of all layers up to the last one of ``names``."""
    stride, missing = 1, set(names)
    for name, layer in table.items():
        if layer.axes:
            stride = lcm(stride, *(int(field.jump) for field in layer.axes if field.jump >= 1))
        missing.discard(name)
        if not missing:
            break
    return stride


def _smallest_size(least: tuple[int, int], size: tuple[int, int], stride: int) -> tuple[int, int]:
    """Return the smallest size of at least ``least`` that is smaller than ``size`` by multiples of a stride."""
    height, width = (side - max(0, (side - low) // stride) * stride for side, low in zip(size, least, strict=True))
    return height, width


def extrapolate_layer(
    small: LayerInfo | None, larger: LayerInfo | None, small_size: tuple[int, int], stride: int, size: tuple[int, int]
) -> LayerInfo | None:
    """Return a layer for an image of ``size`` from those for ``small_size`` and for one larger by ``stride``.

    None if these two do not scale as a layer with known receptive fields does.
    """
    if not (small and larger and small.axes and small.axes == larger.axes and len(small.shape) == 3):
        return None
    shape = [small.shape[0]]
    for axis, field in enumerate(small.axes):
        count = small.shape[1 + axis]
        if (larger.shape[1 + axis] - count) * field.jump != stride:
            return None
        shape.append(count + round((size[axis] - small_size[axis]) / field.jump))
    return replace(small, shape=tuple(shape))


def _layer_axis(table: Layers, name: str, axis: int, length: int | None) -> LayerAxis:
    """Return a layer's field; an unknown one is assumed for an axis of ``length`` pixels, refused if that is None."""
    layer = table.get(name)
    if length and layer and layer.axes is None and len(layer.shape) == 3 and layer.shape[1 + axis] > 1:
        jump = 2 ** round(log2(length / layer.shape[1 + axis]))
        return LayerAxis(name, ReceptiveField(jump, -HALO, HALO), layer.shape[1 + axis])
    if layer is None or layer.axes is None or len(layer.shape) != 3:
        everything = layer and layer.field == ALL
        reason = "sees the whole image" if everything else "has no cells in rows and columns"
        raise InvalidRequest(f"layer {name} {reason}: it has no exact tiles (approximate: --approximate-tiles)")
    return LayerAxis(name, layer.axes[axis], layer.shape[1 + axis])
