"""A network cut behind the layers that somebody asks for, made fast for gradients in its input.

What a picture climbs needs the derivative in the picture alone, and nothing behind the last layer asked for.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from cnnviz.errors import InvalidRequest, MethodError
from cnnviz.graph.fold_batchnorm import clone_structure, fold_batchnorm
from cnnviz.models.frozen_ops import fuse, unfuse
from cnnviz.models.network import Network, memory_errors, release_memory
from cnnviz.models.weights import error_reason

LOGITS = "logits"


class _Answered(Exception):  # noqa: N818 - nothing failed
    """All layers have answered: what follows in the network is not run."""


@dataclass(frozen=True)
class BatchNormStatistics:
    """What photographs leave where a batch normalisation stands: ``mean`` and ``deviation`` of each channel, (C,)."""

    mean: Tensor
    deviation: Tensor


class FeatureExtractor:
    """The part of a network that leads to some layers: RGB in [0, 1] to what each of them gives.

    ``layers`` are names of ``network.layers()``, or LOGITS for the class scores. Batch normalisations are folded,
    filters are stored channels last; the network itself stays as it is. A layer that runs several times gives what
    it gave at its last run. Raises UsageMistake for a layer that is not there, or gives no tensor.
    """

    def __init__(self, network: Network, layers: Sequence[str]) -> None:
        self.network = network
        self.layers = tuple(dict.fromkeys(layers))
        named = [name for name in self.layers if name != LOGITS]
        for name in named:
            network.layer(name)
        folded = fold_batchnorm(network.module, keep=named)
        module = clone_structure(folded) if folded is network.module else folded
        self._module = _own_weights(module).eval()
        if network.device.type == "cpu":
            fuse(self._module, named)
        self._seen: dict[str, list[Tensor]] = {}
        self._runs: dict[str, int] = {}
        for name in named:
            self._module.get_submodule(name).register_forward_hook(self._hook(name))
        if named:
            self._count(named)
        release_memory()

    def __call__(self, x: Tensor) -> dict[str, Tensor]:
        """Return what each layer gives for RGB (N, 3, h, w) in [0, 1], float: (N, channels, rows, columns) or others.

        Differentiable in ``x``, whatever the network changes in place afterwards. Raises MethodError where the
        network cannot take this size, MemoryError where memory runs out.
        """
        with self._errors(x):
            logits = self._run(x)
        seen, self._seen = self._seen, {}
        return {name: logits if name == LOGITS else seen[name][-1] for name in self.layers}

    def norms(self) -> list[tuple[nn.Module, BatchNormStatistics]]:
        """Return the modules that stand where the network has batch normalisations, and what arrives there.

        Of photographs: the running statistics; where the normalisation is folded into what comes before, what it
        makes of them.
        """
        unfuse(self._module)  # so that it does arrive there
        found = []
        for name, norm in self.network.module.named_modules():
            if not isinstance(norm, nn.BatchNorm2d) or norm.running_mean is None or norm.running_var is None:
                continue
            module = self._module.get_submodule(name)
            if isinstance(module, nn.BatchNorm2d):
                expected = BatchNormStatistics(norm.running_mean, (norm.running_var + norm.eps).sqrt())
            else:
                ones = torch.ones_like(norm.running_mean)
                bias, scale = (ones * 0, ones) if norm.weight is None else (norm.bias, norm.weight)
                expected = BatchNormStatistics(bias.detach(), scale.detach().abs())
            found.append((module, expected))
        return found

    def _run(self, x: Tensor) -> Any:
        self._seen = {}
        mean, std = self.network.mean, self.network.std
        x = x.to(self.network.device, self.network.dtype, memory_format=torch.channels_last)
        try:
            logits = self._module(torch.addcmul(-mean / std, x, 1 / std))
        except _Answered:
            return None
        return getattr(logits, "logits", logits)

    def _count(self, named: Sequence[str]) -> None:
        """Learn how often each layer runs, from a picture of the network's own size."""
        blank = torch.zeros(1, 3, *self.network.size)
        with torch.no_grad(), self._errors(blank):
            self._run(blank)
        for name in named:
            if name not in self._seen:
                raise InvalidRequest(f"layer {name} of {self.network.name} gives no tensor: it has no maps to climb")
        self._runs = {name: len(outs) for name, outs in self._seen.items()}

    def _hook(self, name: str) -> Any:
        def see(_module: nn.Module, _inputs: Any, out: Any) -> None:
            if not isinstance(out, Tensor):
                return
            outs = self._seen.setdefault(name, [])
            outs.append(out)
            if LOGITS not in self.layers and self._complete():
                raise _Answered
            outs[-1] = out.clone()  # what comes after may change it in place

        return see

    def _complete(self) -> bool:
        seen = self._seen
        return bool(self._runs) and all(len(seen.get(name, ())) == runs for name, runs in self._runs.items())

    @contextmanager
    def _errors(self, x: Tensor) -> Iterator[None]:
        try:
            with memory_errors():
                yield
        except (RuntimeError, ValueError, AssertionError) as error:
            height, width = x.shape[-2:]
            name = self.network.name
            raise MethodError(f"{name} cannot take {width}x{height} pixels: {error_reason(error)}") from error


def _own_weights(module: nn.Module) -> nn.Module:
    """Give a network frozen weights of its own, filters channels last; what need not change shares its memory."""
    for child in module.modules():
        for name, weight in list(child.named_parameters(recurse=False)):
            value = weight.detach()
            value = value.contiguous(memory_format=torch.channels_last) if value.dim() == 4 else value
            setattr(child, name, nn.Parameter(value, requires_grad=False))
    return module
