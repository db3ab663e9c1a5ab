"""Inputs and outputs of layers, captured by forward hooks that are removed again."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

from torch import Tensor, nn

from cnnviz.errors import InvalidRequest
from cnnviz.models.network import Network

T = TypeVar("T")


class _PassEnded(Exception):  # noqa: N818 - no error: all layers have run
    """Ends a forward pass early."""


class Capture:
    """Forward hooks on modules: the tensors of the last pass, by name, one for each time that a module ran.

    Each is a copy, taken before anything changes it in place. With ``inputs`` the modules' first inputs are captured in
    place of their outputs; with ``channel`` one channel only. With ``stop_early`` a pass ends as soon as every module
    has run as often as in the first pass, or as often as ``runs`` says if the caller sets it.
    """

    def __init__(
        self,
        modules: dict[str, nn.Module],
        *,
        inputs: bool = False,
        channel: int | None = None,
        stop_early: bool = False,
    ) -> None:
        self.tensors: dict[str, list[Tensor]] = {}
        self.runs: dict[str, int] = {}
        self._channel, self._stop_early = channel, stop_early
        self._handles = [
            module.register_forward_pre_hook(lambda _, args, name=name: self._take(name, args[0]))
            if inputs
            else module.register_forward_hook(lambda _, __, out, name=name: self._take(name, out))
            for name, module in modules.items()
        ]

    def run(self, function: Callable[[Tensor], T], x: Tensor) -> T | None:
        """Return ``function(x)``, a forward pass; None if the pass ended early."""
        self.tensors = {}
        try:
            result = function(x)
        except _PassEnded:
            return None
        self.runs = {name: len(tensors) for name, tensors in self.tensors.items()}
        return result

    def remove(self) -> None:
        """Remove the hooks."""
        for handle in self._handles:
            handle.remove()

    def _take(self, name: str, value: object) -> None:
        tensors = self.tensors.setdefault(name, [])
        if not isinstance(value, Tensor):
            return
        tensors.append(value if self._channel is None else value[:, self._channel])
        if self._stop_early and self.runs and all(len(self.tensors.get(n, ())) == k for n, k in self.runs.items()):
            raise _PassEnded
        tensors[-1] = tensors[-1].clone()


@contextmanager
def capture(
    network: Network,
    layers: str | Sequence[str],
    *,
    inputs: bool = False,
    channel: int | None = None,
    stop_early: bool = False,
) -> Iterator[Capture]:
    """Capture the outputs of layers, given by name, of every pass inside ``with``; see ``Capture``.

    ``with capture(network, "layer3") as captured: network(x)``, then ``captured.tensors["layer3"]`` is a list of
    tensors (N, ...), as long as the layer ran times since the start of ``with`` or of ``captured.run``. Raises
    InvalidRequest for a layer that does not exist.
    """
    names = [layers] if isinstance(layers, str) else layers
    captured = Capture(
        {name: network.layer(name) for name in names}, inputs=inputs, channel=channel, stop_early=stop_early
    )
    try:
        yield captured
    finally:
        captured.remove()


def feature_maps(outputs: Sequence[Tensor], layer: str) -> Tensor:
    """Return the feature maps (channels, h, w) of the first input, from the last of a layer's outputs.

    Raises InvalidRequest if there is none, or it is not (N, channels, h, w).
    """
    if not outputs or outputs[-1].dim() != 4:
        raise InvalidRequest(f"layer {layer} gives no feature maps (channels, rows, columns)")
    return outputs[-1][0]


def refuse_channels_last(maps: Tensor, inputs: Tensor, layer: str) -> None:
    """Raise InvalidRequest for maps (h, w, channels), as in Swin: of a square input, square in the first two axes."""
    first, second, third = maps.shape
    if inputs.shape[-2] == inputs.shape[-1] and first == second != third:
        raise InvalidRequest(f"layer {layer} gives its channels last (rows, columns, channels), which is not drawn")
