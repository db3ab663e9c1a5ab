"""What the layers of a network give, by name: captured inside ``with``, always undone."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from torch import Tensor

from cnnviz.errors import InvalidRequest
from cnnviz.models.network import Network


@contextmanager
def capture(network: Network, layer: str, channel: int | None = None) -> Iterator[list[Tensor]]:
    """Yield a list that gets what a layer gives, or one map of it, before anything changes it in place.

    One tensor, a copy, for every time that the layer runs. Raises UsageMistake for a layer that is not there.
    """
    seen: list[Tensor] = []

    def see(_module: Any, _inputs: Any, out: Any) -> None:
        if isinstance(out, Tensor):
            seen.append((out if channel is None else out[:, channel]).clone())

    handle = network.layer(layer).register_forward_hook(see)
    try:
        yield seen
    finally:
        handle.remove()


def feature_maps(seen: list[Tensor], layer: str) -> Tensor:
    """Return the maps (channels, h, w) that a layer gave for one input, at its last run."""
    if not seen or seen[-1].dim() != 4:
        raise InvalidRequest(f"layer {layer} gives no feature maps (channels, rows, columns)")
    return seen[-1][0]


def refuse_channels_last(maps: Tensor, inputs: Tensor, layer: str) -> None:
    """Raise UsageMistake for maps (channels, h, w) of a square input that are square in their first two axes alone.

    So are Swin's, whose channels come last.
    """
    first, second, third = maps.shape
    if inputs.shape[-2] == inputs.shape[-1] and first == second != third:
        raise InvalidRequest(f"layer {layer} gives its channels last (rows, columns, channels), which is not drawn")
