"""Outputs of layers: captured by hooks, or of a truncated network with fast gradients in its input."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self, TypeVar

import torch
from torch import Tensor, nn

from cnnviz.errors import InvalidRequest, MethodError
from cnnviz.graph.fold_batchnorm import clone_structure, fold_batchnorm
from cnnviz.models.frozen_ops import fuse, unfuse
from cnnviz.models.memory import memory_errors, release_memory
from cnnviz.models.network import Network
from cnnviz.text import error_reason

LOGITS = "logits"
T = TypeVar("T")


class _PassEnded(Exception):  # noqa: N818 - no error: all layers have run
    """Ends a forward pass early."""


class Capture:
    """Forward hooks on modules inside ``with``: tensors by name, one for each time that a module ran, copied at once.

    With ``inputs`` the modules' first inputs in place of their outputs; with ``channel`` one channel only. With
    ``stop_early`` a pass ends as soon as every module has run as often as in the first pass, or as ``runs`` says.
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

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
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


def capture(
    network: Network,
    layers: str | Sequence[str],
    *,
    inputs: bool = False,
    channel: int | None = None,
    stop_early: bool = False,
) -> Capture:
    """Capture the outputs of layers, given by name, inside ``with``: see ``Capture``.

    After ``with capture(network, "layer3") as captured: network(x)``, ``captured.tensors["layer3"]`` is a list of
    tensors (N, ...). Raises InvalidRequest for a layer that does not exist.
    """
    names = [layers] if isinstance(layers, str) else layers
    modules = {name: network.layer(name) for name in names}
    return Capture(modules, inputs=inputs, channel=channel, stop_early=stop_early)


def feature_maps(outputs: Sequence[Tensor], layer: str) -> Tensor:
    """Return the maps (channels, h, w) of the first input in a layer's last output. Raises InvalidRequest for none."""
    if not outputs or outputs[-1].dim() != 4:
        raise InvalidRequest(f"layer {layer} gives no feature maps (channels, rows, columns)")
    return outputs[-1][0]


def refuse_channels_last(maps: Tensor, inputs: Tensor, layer: str) -> None:
    """Raise InvalidRequest for maps (h, w, channels), as in Swin: of a square input, square in the first two axes."""
    first, second, third = maps.shape
    if inputs.shape[-2] == inputs.shape[-1] and first == second != third:
        raise InvalidRequest(f"layer {layer} gives its channels last (rows, columns, channels), which is not drawn")


@dataclass(frozen=True)
class BatchNormStatistics:
    """Expected statistics of a batch normalisation: ``mean`` and standard ``deviation`` of each channel, (C,)."""

    mean: Tensor
    deviation: Tensor


class FeatureExtractor:
    """The part of a network up to some layers, named or LOGITS: RGB in [0, 1] to the last output of each of them.

    Batch normalisations are folded; the network itself is not changed. Raises InvalidRequest for a layer that does not
    exist, or whose output is no tensor.
    """

    def __init__(self, network: Network, layers: Sequence[str]) -> None:
        self.network = network
        self.layers = tuple(dict.fromkeys(layers))
        named = [name for name in self.layers if name != LOGITS]
        for name in named:
            network.layer(name)
        folded = fold_batchnorm(network.module, keep=named)
        module = clone_structure(folded) if folded is network.module else folded
        self.module = _freeze_weights(module).eval()
        if network.device.type == "cpu":
            fuse(self.module, named)
        modules = {name: self.module.get_submodule(name) for name in named}
        self._captured = Capture(modules, stop_early=LOGITS not in self.layers)
        if named:
            self._count_runs(named)
        release_memory()

    def __call__(self, x: Tensor) -> dict[str, Tensor]:
        """Return the output of each layer, (N, channels, rows, columns) or others, for RGB (N, 3, h, w) in [0, 1].

        Differentiable in ``x``. Raises MethodError for a size that the network cannot take, MemoryError without memory.
        """
        with self._errors(x):
            logits = self._run(x)
        outputs, self._captured.tensors = self._captured.tensors, {}
        return {name: logits if name == LOGITS else outputs[name][-1] for name in self.layers}

    @cached_property
    def bytes_per_pixel(self) -> float:
        """Bytes that a pass keeps for its gradient in each pixel of an image; measured at the network's own size."""
        kept: dict[int, int] = {}

        def keep(tensor: Tensor) -> Tensor:
            if tensor.untyped_storage().data_ptr() not in weights:
                kept[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
            return tensor.detach()

        weights = {weight.untyped_storage().data_ptr() for weight in self.module.state_dict().values()}
        height, width = self.network.size
        with torch.enable_grad(), torch.autograd.graph.saved_tensors_hooks(keep, lambda kept: kept):
            self(torch.full((1, 3, height, width), 0.5, device=self.network.device, requires_grad=True))
        return sum(kept.values()) / (height * width)

    def norms(self) -> list[tuple[nn.Module, BatchNormStatistics]]:
        """Return the modules in place of the batch normalisations, with the expected statistics of their inputs.

        For a normalisation folded into a convolution these are its weight and bias. From then on no layers are fused.
        """
        unfuse(self.module)
        pairs = []
        for name, norm in self.network.module.named_modules():
            if not isinstance(norm, nn.BatchNorm2d) or norm.running_mean is None or norm.running_var is None:
                continue
            module = self.module.get_submodule(name)
            if isinstance(module, nn.BatchNorm2d):
                expected = BatchNormStatistics(norm.running_mean, (norm.running_var + norm.eps).sqrt())
            else:
                ones = torch.ones_like(norm.running_mean)
                bias, scale = (ones * 0, ones) if norm.weight is None else (norm.bias, norm.weight)
                expected = BatchNormStatistics(bias.detach(), scale.detach().abs())
            pairs.append((module, expected))
        return pairs

    def _run(self, x: Tensor) -> Any:
        mean, std = self.network.mean, self.network.std
        x = x.to(self.network.device, self.network.dtype, memory_format=torch.channels_last)
        logits = self._captured.run(self.module, torch.addcmul(-mean / std, x, 1 / std))
        return getattr(logits, "logits", logits)

    def _count_runs(self, named: Sequence[str]) -> None:
        """Make one complete pass, so that later ones can stop early."""
        blank = torch.zeros(1, 3, *self.network.size)
        with torch.no_grad(), self._errors(blank):
            self._run(blank)
        for name in named:
            if not self._captured.tensors.get(name):
                raise InvalidRequest(f"layer {name} of {self.network.name} gives no tensor")
        self._captured.tensors = {}

    @contextmanager
    def _errors(self, x: Tensor) -> Iterator[None]:
        try:
            with memory_errors():
                yield
        except (RuntimeError, ValueError, AssertionError) as error:
            size = f"{x.shape[-1]}x{x.shape[-2]}"
            raise MethodError(f"{self.network.name} cannot take {size} pixels: {error_reason(error)}") from error


def feature_extractor(network: Network, layers: Sequence[str]) -> FeatureExtractor:
    """Return the feature extractor of a network for some layers; made once and kept on the network."""
    key = tuple(layers)
    if not isinstance(extractor := network.derived.get(key), FeatureExtractor):
        network.derived[key] = extractor = FeatureExtractor(network, layers)
    return extractor


def _freeze_weights(module: nn.Module) -> nn.Module:
    """Give a network frozen parameters of its own, filters channels last; tensors that do not change share memory."""
    for child in module.modules():
        for name, weight in list(child.named_parameters(recurse=False)):
            value = weight.detach()
            value = value.contiguous(memory_format=torch.channels_last) if value.dim() == 4 else value
            setattr(child, name, nn.Parameter(value, requires_grad=False))
    return module
