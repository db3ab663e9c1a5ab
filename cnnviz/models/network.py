"""A classifier with its preprocessing: RGB in [0, 1] in, logits out."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import torch
from torch import Tensor, nn

from cnnviz.errors import InvalidRequest, MethodError
from cnnviz.graph.fold_batchnorm import fold_batchnorm
from cnnviz.graph.receptive_field import LayerInfo, layer_table
from cnnviz.models.catalog import ClassProbability
from cnnviz.models.class_names import class_index
from cnnviz.models.memory import memory_errors
from cnnviz.text import did_you_mean, error_reason

CPU = torch.device("cpu")


def require_finite(name: str, *values: Tensor, what: str = "logits") -> None:
    """Raise MethodError unless all values of all tensors are finite; ``name`` of the network, ``what`` they are."""
    if not all(torch.isfinite(tensor).all() for tensor in values):
        raise MethodError(f"{name} gave {what} that are not finite numbers: are these its weights?")


@dataclass(frozen=True)
class Preprocessing:
    """How an image becomes the network's input.

    ``size`` (h, w) of the input in pixels; ``resize`` the shorter side in pixels before the centre crop;
    ``interpolation`` "bilinear" or "bicubic", Pillow's on 8 bits; ``mean`` and ``std`` per channel, for RGB in [0, 1].
    """

    size: tuple[int, int]
    resize: int
    interpolation: str
    mean: tuple[float, ...]
    std: tuple[float, ...]


@dataclass(frozen=True)
class Network:
    """A classifier with preprocessing, class names, layers by name; ``weights``: the file's name and sha256."""

    module: nn.Module
    preprocessing: Preprocessing
    classes: tuple[str, ...] = ()
    name: str = "network"
    weights: dict[str, str] = field(default_factory=dict)
    device: torch.device = CPU
    dtype: torch.dtype = torch.float32

    @classmethod
    def from_module(
        cls,
        module: nn.Module,
        size: tuple[int, int],
        mean: Sequence[float],
        std: Sequence[float],
        classes: Sequence[str] | None = None,
        name: str = "network",
    ) -> "Network":
        """Wrap a classifier of your own.

        ``module`` maps (N, 3, h, w), normalised with ``mean`` and ``std`` (for RGB in [0, 1]), to logits (N, classes).
        It is put into evaluation mode, and its parameters are frozen.
        """
        first = next(module.parameters(), torch.zeros(()))
        height, width = map(int, size)
        scale = tuple(map(float, mean)), tuple(map(float, std))
        preprocessing = Preprocessing((height, width), min(size), "bilinear", *scale)
        module.eval().requires_grad_(False)
        return cls(module, preprocessing, tuple(classes or ()), name, {}, first.device, first.dtype)

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the network's input, in pixels."""
        return self.preprocessing.size

    def __call__(self, inputs: Tensor) -> Tensor:
        """Return logits (N, classes), float32, for RGB (N, 3, h, w) in [0, 1]. Raises MethodError if there are none."""
        logits = self.run(inputs)
        logits = getattr(logits, "logits", logits)
        if not isinstance(logits, Tensor) or logits.dim() != 2:
            kind = f"shape {tuple(logits.shape)}" if isinstance(logits, Tensor) else type(logits).__name__
            raise MethodError(f"{self.name} is no classifier: its output is {kind}, not logits (N, classes)")
        return logits if logits.dtype == torch.float64 else logits.float()

    def outputs(self, inputs: Tensor) -> Tensor:
        """Return the last layer's output, logits (N, classes) where there are classes. Raises MethodError."""
        return self(inputs)

    def class_logits(self, outputs: Tensor) -> Tensor:
        """Return the logits (classes,) of the first input's ``outputs``; (0,) of a network without classes."""
        return outputs[0].float().cpu()

    def run(self, inputs: Tensor) -> object:
        """Return what the module gives for RGB (N, 3, h, w) in [0, 1]. Raises MethodError for a size it cannot take."""
        try:
            with memory_errors():
                x = inputs.to(self.device, self.dtype)
                return self.module((x - self.mean) / self.std)
        except (RuntimeError, ValueError, AssertionError) as error:
            height, width = inputs.shape[-2:]
            if (height, width) == self.size:
                raise
            own = f"{self.size[1]}x{self.size[0]}"
            text = f"{self.name} cannot take an input of {width}x{height} pixels (its own is {own})"
            raise MethodError(f"{text}: {error_reason(error)}") from error

    @cached_property
    def mean(self) -> Tensor:
        """The mean that is subtracted from the input, (1, 3, 1, 1), for RGB in [0, 1]."""
        return self._each_channel(self.preprocessing.mean)

    @cached_property
    def std(self) -> Tensor:
        """The standard deviation that the input is divided by, (1, 3, 1, 1)."""
        return self._each_channel(self.preprocessing.std)

    def _each_channel(self, values: Sequence[float]) -> Tensor:
        with torch.inference_mode(False):  # cached, and tensors made in inference mode cannot be used by autograd
            return torch.tensor(values, device=self.device, dtype=self.dtype).view(1, -1, 1, 1)

    def class_name(self, index: int) -> str:
        """Return a class's name, or "class 12" if the network has no names."""
        return self.classes[index] if index < len(self.classes) else f"class {index}"

    def class_index(self, word: str) -> int:
        """Return the index of a class given by name or index. Raises InvalidRequest unless there is exactly one."""
        return class_index(word, self.classes, self.name)

    def top(self, logits: Tensor, count: int = 5) -> list[ClassProbability]:
        """Return the ``count`` most probable classes of logits (classes,), most probable first."""
        require_finite(self.name, logits)
        best = logits.double().softmax(0).topk(min(count, len(logits)))
        pairs = zip(best.indices.tolist(), best.values.tolist(), strict=True)
        return [ClassProbability(index, self.class_name(index), round(share, 6)) for index, share in pairs]

    def layers(self) -> dict[str, nn.Module]:
        """Return every module by name, in the order of definition, without the network itself."""
        return {name: module for name, module in self.module.named_modules() if name}

    def layer(self, name: str) -> nn.Module:
        """Return a module by name. Raises InvalidRequest if there is none of that name."""
        modules = self.layers()
        if name not in modules:
            near = did_you_mean(name, list(modules), f"; see cnnviz layers -m {self.name}")
            raise InvalidRequest(f"{self.name} has no layer {name!r}{near}")
        return modules[name]

    @cached_property
    def layer_infos(self) -> dict[str, LayerInfo]:
        """The layers by name in the order in which they last finish, for an input of the network's own size."""
        return {layer.name: layer for layer in layer_table(self.module, self.size)}

    def layer_infos_at(self, size: tuple[int, int]) -> dict[str, LayerInfo]:
        """Return the same for an input of ``size`` (h, w)."""
        return self.layer_infos if size == self.size else {one.name: one for one in layer_table(self.module, size)}

    @cached_property
    def weighted_layers(self) -> list[str]:
        """The convolutions and fully connected layers among ``layer_infos``, in that order."""
        modules = self.layers()
        return [name for name in self.layer_infos if isinstance(modules[name], nn.Conv2d | nn.Linear)]

    def depth(self, layer: str) -> int:
        """Return how many of the ``weighted_layers`` have finished when a layer has; 0 for one that does not run."""
        names = list(self.layer_infos)
        done = set(names[: names.index(layer) + 1]) if layer in names else set[str]()
        return len(done.intersection(self.weighted_layers))

    def has_positions(self, layer: str) -> bool:
        """Return whether a layer's units have positions (y, x) on a map."""
        return layer not in self.layer_infos or len(self.layer_infos[layer].shape) > 2

    def is_output(self, layer: str) -> bool:
        """Return whether a layer has one channel for each class: the last of the ``weighted_layers``, or after it."""
        if not self.weighted_layers or self.depth(layer) < len(self.weighted_layers):
            return False
        count = self.layer_infos[self.weighted_layers[-1]].shape[0]
        return self.layer_infos[layer].shape[:1] == (count,) and len(self.classes) in (0, count)

    def channel_class(self, layer: str, channel: int) -> str | None:
        """Return the name of the class that a channel stands for; None unless the layer is an output."""
        return self.class_name(channel) if self.is_output(layer) else None

    def map_layers(self, size: tuple[int, int]) -> list[str]:
        """Return the layers that give feature maps for an input of ``size`` (h, w), in order. Raises MethodError."""
        shapes = {name: layer.shape for name, layer in self.layer_infos_at(size).items()}
        maps = {name: shape for name, shape in shapes.items() if len(shape) == 3 and min(shape[1:]) > 1}
        # channels last, as in Swin, are square in the first two axes if the input is square
        names = [name for name, (a, b, c) in maps.items() if not (size[0] == size[1] and a == b != c)]
        if not names:
            raise MethodError(f"{self.name} has no layer with feature maps for an input of {size[1]}x{size[0]} pixels")
        return names

    @cached_property
    def derived(self) -> dict[tuple[str, ...], object]:
        """Objects made from this network, kept as long as the network: see ``models.features.feature_extractor``."""
        return {}

    @cached_property
    def folded(self) -> "Network":
        """The same network with its batch normalisations folded into the convolutions, whose outputs differ."""
        return replace(self, module=fold_batchnorm(self.module))

    def to(self, device: torch.device, dtype: torch.dtype) -> "Network":
        """Move the network to a device and a floating-point type, filters channels last, which is faster."""
        module = self.module.to(device, dtype).to(memory_format=torch.channels_last)
        return replace(self, module=module, device=device, dtype=dtype)
