"""A classifier that knows its own input: RGB in [0, 1] goes in, logits come out."""

import ctypes
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from functools import cached_property

import torch
from torch import Tensor, nn

from cnnviz.errors import InvalidRequest, MethodError
from cnnviz.graph import receptive_field
from cnnviz.graph.fold_batchnorm import fold_batchnorm
from cnnviz.models.catalog import did_you_mean, imagenet_classes
from cnnviz.models.weights import error_reason

NAMES_TOLD = 6
CPU = torch.device("cpu")


@contextmanager
def memory_errors() -> Iterator[None]:
    """Turn torch's many ways of saying that memory ran out into MemoryError."""
    try:
        yield
    except RuntimeError as error:  # torch.OutOfMemoryError is one; the processor's allocator has no class of its own
        text = str(error).lower()
        allocator = "memory" in text and ("alloc" in text or "not enough" in text)
        # oneDNN says so when it could not get the memory that a convolution works in.
        if isinstance(error, torch.OutOfMemoryError) or allocator or "could not create a primitive" in text:
            raise MemoryError(str(error).splitlines()[0]) from error
        raise


def release_memory() -> None:
    """Give memory that was freed back to the system: glibc keeps it in pieces, others have no such call."""
    with suppress(AttributeError, OSError, TypeError):
        ctypes.CDLL(None).malloc_trim(0)


@dataclass(frozen=True)
class Preprocessing:
    """How a photograph becomes the network's input.

    ``size`` (h, w) in pixels; ``resize`` the shorter side before the centre crop; ``interpolation`` "bilinear" or
    "bicubic", Pillow's on 8 bits; ``mean`` and ``std`` per channel, in RGB [0, 1].
    """

    size: tuple[int, int]
    resize: int
    interpolation: str
    mean: tuple[float, ...]
    std: tuple[float, ...]


@dataclass(frozen=True)
class Network:
    """A classifier with its input recipe, its class names and its layers by name."""

    module: nn.Module
    recipe: Preprocessing
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

        ``module`` maps (N, 3, h, w), normalised with ``mean`` and ``std`` (RGB, [0, 1]), to logits (N, classes).
        It is set to evaluation and its parameters to need no gradient.
        """
        first = next(module.parameters(), torch.zeros(()))
        recipe = Preprocessing(
            (int(size[0]), int(size[1])), min(size), "bilinear", tuple(map(float, mean)), tuple(map(float, std))
        )
        module.eval().requires_grad_(False)
        return cls(module, recipe, tuple(classes or ()), name, {}, first.device, first.dtype)

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the network's input, in pixels."""
        return self.recipe.size

    def __call__(self, inputs: Tensor) -> Tensor:
        """Return logits (N, classes), float32 on the network's device, for RGB (N, 3, h, w) in [0, 1].

        Raises MethodError where the network cannot take this size or answers with values that are not finite.
        """
        try:
            with memory_errors():
                x = inputs.to(self.device, self.dtype)
                logits = self.module((x - self.mean) / self.std)
        except (RuntimeError, ValueError, AssertionError) as error:
            height, width = inputs.shape[-2:]
            if (height, width) == self.size:
                raise
            raise MethodError(
                f"{self.name} cannot take an input of {width}x{height} pixels (its own is "
                f"{self.size[1]}x{self.size[0]}): {error_reason(error)}"
            ) from error
        logits = getattr(logits, "logits", logits)
        if not isinstance(logits, Tensor) or logits.dim() != 2:
            found = f"shape {tuple(logits.shape)}" if isinstance(logits, Tensor) else type(logits).__name__
            raise MethodError(f"{self.name} is no classifier: it answers with {found}, not with logits (N, classes)")
        return logits if logits.dtype == torch.float64 else logits.float()

    @cached_property
    def mean(self) -> Tensor:
        """The mean that the network's input is freed of, (1, 3, 1, 1), RGB in [0, 1]."""
        return self._each_channel(self.recipe.mean)

    @cached_property
    def std(self) -> Tensor:
        """The standard deviation that the network's input is divided by, (1, 3, 1, 1)."""
        return self._each_channel(self.recipe.std)

    def _each_channel(self, values: Sequence[float]) -> Tensor:
        with torch.inference_mode(False):  # it is kept, and what was made in inference mode is shut to autograd
            return torch.tensor(values, device=self.device, dtype=self.dtype).view(1, -1, 1, 1)

    def class_name(self, index: int) -> str:
        """Return a class's name, or "class 12" where the network has none."""
        return self.classes[index] if index < len(self.classes) else f"class {index}"

    def class_index(self, word: str) -> int:
        """Return the index of a class given as a name or an index.

        Raises UsageMistake for a name that nobody or more than one has, and an index beyond the last name.
        """
        if word.isascii() and word.isdigit():
            if self.classes and int(word) >= len(self.classes):
                raise InvalidRequest(f"no class {word}: {self.name} has {len(self.classes)}, counted from 0")
            return int(word)
        wanted = word.strip().lower()
        hits = [index for index, name in enumerate(self.classes) if name.lower() == wanted]
        if len(hits) > 1:
            raise InvalidRequest(f"{word!r} names {len(hits)} classes: {', '.join(map(str, hits))}; give the index")
        if not hits:
            within = [name for name in self.classes if wanted in name.lower()]
            more = f" and {len(within) - NAMES_TOLD} more" if len(within) > NAMES_TOLD else ""
            near = did_you_mean(word, [name.lower() for name in self.classes], self._hint())
            hint = f"; names with it: {', '.join(within[:NAMES_TOLD])}{more}" if within else near
            raise InvalidRequest(f"no class is named {word!r}{hint}")
        return hits[0]

    def _hint(self) -> str:
        if not self.classes:
            return f"; {self.name} has no class names: give an index"
        return "; see cnnviz classes WORD" if self.classes == imagenet_classes() else ""

    def top(self, logits: Tensor, count: int = 5) -> list[dict[str, object]]:
        """Return the most probable classes of logits (classes,) as index, name and probability, best first."""
        if not torch.isfinite(logits).all():
            raise MethodError(f"{self.name} gave logits that are not finite numbers: are these its weights?")
        best = logits.double().softmax(0).topk(min(count, len(logits)))
        pairs = zip(best.indices.tolist(), best.values.tolist(), strict=True)
        return [{"index": i, "name": self.class_name(i), "probability": round(p, 6)} for i, p in pairs]

    def layers(self) -> dict[str, nn.Module]:
        """Return every module by its name, in the order of definition, the whole network left out."""
        return {name: module for name, module in self.module.named_modules() if name}

    def layer(self, name: str) -> nn.Module:
        """Return a module by its name. Raises UsageMistake where there is none."""
        known = self.layers()
        if name not in known:
            near = did_you_mean(name, list(known), f"; see cnnviz layers {self.name}")
            raise InvalidRequest(f"{self.name} has no layer {name!r}{near}")
        return known[name]

    def map_layers(self, size: tuple[int, int]) -> list[str]:
        """Return the layers that give feature maps for an input of ``size`` (h, w), in the order in which they answer.

        Raises MethodError where there is none.
        """
        found = receptive_field.layer_table(self.module, size)
        shapes = {layer.name: layer.shape for layer in found if len(layer.shape) == 3 and min(layer.shape[1:]) > 1}
        # channels last, as Swin's, are square in their first two axes where the input is
        names = [name for name, (a, b, c) in shapes.items() if not (size[0] == size[1] and a == b != c)]
        if not names:
            raise MethodError(f"{self.name} has no layer with feature maps for an input of {size[1]}x{size[0]} pixels")
        return names

    @cached_property
    def folded(self) -> "Network":
        """The same network with its batch normalisations folded into the convolutions: for logits, not for layers.

        A convolution's own output is another one then.
        """
        return replace(self, module=fold_batchnorm(self.module))

    def to(self, device: torch.device, dtype: torch.dtype) -> "Network":
        """Return the network on a device, in a floating-point type, its filters stored channels last.

        Convolutions are faster so (benchmarks/), and the same up to rounding. The module itself is moved.
        """
        module = self.module.to(device, dtype).to(memory_format=torch.channels_last)
        return replace(self, module=module, device=device, dtype=dtype)
