"""The layers that are shown where the user names none: chosen by depth, by one rule for every network."""

from collections.abc import Sequence
from itertools import pairwise
from math import log2

from cnnviz.models.network import Network

COUNT = 5  # layers of the lecture's figure, Zeiler & Fergus 2013, figure 2
SMALLEST = 48  # rows and columns of a feature map that shows where it is active
PASSING = ("Identity", "Dropout")  # kinds of layers that are another's output


def layers_by_depth(network: Network, count: int = COUNT, *, bounded: bool = False) -> list[str]:
    """Return up to ``count`` layers, from the first to the last, that are spread over a network's depth.

    Their feature maps are behind an activation function, unless ``bounded`` one without an upper bound, at which the
    strongest unit is undefined; in networks without such maps (ReLU6, ConvNeXt) they are the outputs of blocks. There
    is one for each halving of the maps' size, the outermost module, of equal ones the last; of more, as many as are
    wanted, evenly. Of fewer, layers are added in the middle of the longest gap, counted in convolutions. Raises
    MethodError for a network without feature maps.
    """
    layers = _layers_with_maps(network, ("bounded", "unbounded") if bounded else ("unbounded",))
    stages = dict[int, str]()
    for name, stage in layers.items():
        inside = {other for inner, other in layers.items() if inner.startswith(f"{name}.")} - {stage}
        if len(inside) <= 1 and name.count(".") <= stages.get(stage, name).count("."):
            stages[stage] = name  # with several sizes inside it is the network itself, or most of it
    chosen = sorted(stages.values(), key=list(layers).index)
    if len(chosen) > count:
        return [chosen[round(index * (len(chosen) - 1) / max(count - 1, 1))] for index in range(count)]
    while len(chosen) < count and (more := _in_longest_gap(network, list(layers), chosen)):
        chosen = sorted([*chosen, more], key=list(layers).index)
    return chosen


def middle_layer(network: Network) -> str:
    """Return the deepest of the layers by depth whose maps have 48 rows and columns; without any, the first."""
    layers, infos = layers_by_depth(network, bounded=True), network.layer_infos
    return next((name for name in reversed(layers) if min(infos[name].shape[1:]) >= SMALLEST), layers[0])


def deep_layer(network: Network) -> str:
    """Return the last but one of ``layers_by_depth``: its units respond to parts of objects, not yet to classes."""
    return layers_by_depth(network)[-2:][0]


def _layers_with_maps(network: Network, activations: Sequence[str]) -> dict[str, int]:
    """Return the layers to choose from, in order, with how often the size of their maps has been halved."""
    infos, modules = network.layer_infos, network.layers()
    names = [name for name in network.map_layers(network.size) if not network.is_output(name)]
    names = [name for name in names if not infos[name].kind.startswith(PASSING)]
    active = [name for name in names if infos[name].activation in activations]
    blocks = [name for name in names if infos[name].activation != "bounded" and any(modules[name].children())]
    names = active or blocks or names
    halved = {
        name: [round(log2(side / own)) for side, own in zip(network.size, infos[name].shape[1:], strict=True)]
        for name in names
    }
    return {name: down for name, (down, across) in halved.items() if down == across}  # others are tokens


def _in_longest_gap(network: Network, layers: Sequence[str], chosen: Sequence[str]) -> str | None:
    """Return the layer in the middle of the longest gap between chosen ones; None where no layer is between."""
    depths = {name: network.depth(name) for name in layers}
    gaps = [(depths[below], depths[above]) for below, above in pairwise(chosen)]
    for low, high in sorted(gaps, key=lambda gap: gap[0] - gap[1]):
        if between := [name for name in layers if low < depths[name] < high]:
            return min(reversed(between), key=lambda name: abs(2 * depths[name] - low - high))
    return None
