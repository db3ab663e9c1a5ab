"""A network truncated after the requested layers, with fast gradients in its input.

Optimising an image needs the gradient in the image only, and nothing behind the last requested layer.
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
from cnnviz.models.hooks import Capture
from cnnviz.models.memory import memory_errors, release_memory
from cnnviz.models.network import Network
from cnnviz.models.weights import error_reason

LOGITS = "logits"


@dataclass(frozen=True)
class BatchNormStatistics:
    """Expected statistics of a batch normalisation: ``mean`` and standard ``deviation`` of each channel, (C,)."""

    mean: Tensor
    deviation: Tensor


class FeatureExtractor:
    """The part of a network up to some layers: RGB in [0, 1] to the output of each of them.

    ``layers`` are names of ``network.layers()``, or LOGITS for the class scores. Batch normalisations are folded and
    filters stored channels last; the network itself is not changed. Of a layer that runs several times the last output
    is taken. Raises InvalidRequest for a layer that does not exist, or whose output is no tensor.
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

        Differentiable in ``x``, whatever the network changes in place afterwards. Raises MethodError if the network
        cannot take this size, MemoryError if memory runs out.
        """
        with self._errors(x):
            logits = self._run(x)
        outputs, self._captured.tensors = self._captured.tensors, {}
        return {name: logits if name == LOGITS else outputs[name][-1] for name in self.layers}

    def norms(self) -> list[tuple[nn.Module, BatchNormStatistics]]:
        """Return the modules in place of the batch normalisations, with the expected statistics of their inputs.

        Those are the running statistics; if the normalisation is folded into the convolution before it, its weight and
        bias. From then on the layers are not fused any more, so that their inputs can be observed.
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
            height, width = x.shape[-2:]
            name = self.network.name
            raise MethodError(f"{name} cannot take {width}x{height} pixels: {error_reason(error)}") from error


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
