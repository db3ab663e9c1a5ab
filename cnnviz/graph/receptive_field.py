"""Receptive fields: the input pixels that a unit depends on, followed as operators run, in networks of any kind."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, floor
from typing import Literal

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves

from cnnviz.graph.backward_rules import ACTIVATIONS
from cnnviz.graph.region import Box, sliding_window
from cnnviz.graph.tape import Argument, Arguments, DispatchMode, Keywords, Result


@dataclass(frozen=True)
class ReceptiveField:
    """A receptive field along one axis: output i depends on inputs i * jump + start to i * jump + stop, inclusive."""

    jump: float
    start: float
    stop: float

    @property
    def size(self) -> int:
        """Number of input pixels in the field."""
        return round(self.stop - self.start) + 1

    def under(self, kernel: int, stride: int, padding: int, dilation: int) -> "ReceptiveField":
        """Return the field after a window operator whose input has this field."""
        before, after = -padding, (kernel - 1) * dilation - padding
        return ReceptiveField(self.jump * stride, self.start + before * self.jump, self.stop + after * self.jump)

    def over(self, kernel: int, stride: int, padding: int, dilation: int) -> "ReceptiveField":
        """Return the field after the transposed operator: output o sees inputs i with o = i * stride + k - padding."""
        jump, reach = self.jump / stride, (kernel - 1) * dilation
        return ReceptiveField(jump, self.start + (padding - reach) * jump, self.stop + padding * jump)

    def join(self, other: "ReceptiveField") -> "ReceptiveField":
        """Return the field of a sum or concatenation of two."""
        return ReceptiveField(self.jump, min(self.start, other.start), max(self.stop, other.stop))


ALL, UNKNOWN = "all", "?"  # the whole input; not followed further
Activation = Literal["", "bounded", "unbounded"]
Axes = tuple[ReceptiveField, ReceptiveField]  # vertical and horizontal
Fields = Axes | str
PIXEL = ReceptiveField(1, 0, 0)
# Operators that mix all positions, whatever the shape of their output; pools whose windows are of one size do not.
_MIXING = {
    "_softmax", "bmm", "mm", "addmm", "mean", "sum", "native_group_norm", "native_layer_norm", "_adaptive_avg_pool2d",
    "adaptive_max_pool2d",
}  # fmt: skip
_BOUNDED = {"sigmoid", "hardsigmoid", "tanh", "hardtanh", "clamp", "relu6"}
_UNBOUNDED = (ACTIVATIONS | {"relu", "clamp_min"}) - _BOUNDED


@dataclass(frozen=True)
class LayerInfo:
    """A layer by name: its kind, its output's shape without the batch, its receptive field (h, w) in pixels.

    ``field`` is "all" if an output depends on the whole input whatever its size, "?" behind operators that are not
    followed (tokens, channels last); ``axes`` are the vertical and horizontal fields, if known. ``activation``: the
    kind of activation function whose output it is, or a concatenation of such: "bounded" as ReLU6, or "unbounded".
    """

    name: str
    kind: str
    shape: tuple[int, ...]
    field: tuple[int, int] | str
    axes: tuple[ReceptiveField, ReceptiveField] | None
    activation: Activation = ""

    @property
    def stride(self) -> tuple[float, float] | None:
        """Input pixels from one unit to the next, vertically and horizontally."""
        return (self.axes[0].jump, self.axes[1].jump) if self.axes else None

    def box(self, position: tuple[int, int], size: tuple[int, int]) -> Box | None:
        """Return the field, padding included, of the unit at (y, x) for an input of ``size``; None if unknown."""
        if self.axes is None:
            return (0, 0, *size) if self.field == ALL else None
        units = list(zip(position, self.axes, strict=True))
        top, left = (floor(i * f.jump + f.start) for i, f in units)
        bottom, right = (ceil(i * f.jump + f.stop) + 1 for i, f in units)
        return top, left, bottom, right


def layer_table(module: nn.Module, size: tuple[int, int]) -> list[LayerInfo]:
    """Return a network's layers in the order in which they last finish, for an input of ``size`` (h, w)."""
    x = next(module.parameters(), torch.zeros(())).new_zeros(1, 3, *size)
    layers: dict[str, LayerInfo] = {}
    names = {child: name for name, child in module.named_modules() if name}
    fields = FieldRecorder(x)

    def add(child: nn.Module, _: object, out: object) -> None:
        if isinstance(out, Tensor):
            name, field = names[child], fields.of(out)
            layers.pop(name, None)
            axes = None if isinstance(field, str) else field
            sizes = field if isinstance(field, str) else (field[0].size, field[1].size)
            activation = fields.activations.get(id(out), "")
            layers[name] = LayerInfo(name, type(child).__name__, tuple(out.shape[1:]), sizes, axes, activation)

    handles = [child.register_forward_hook(add) for child in names]
    try:
        with fields, torch.no_grad():
            module.eval()(x)
    finally:
        for handle in handles:
            handle.remove()
    return list(layers.values())


class FieldRecorder(DispatchMode):  # type: ignore[no-untyped-call]
    """Receptive fields of all tensors computed inside ``with`` from an input (1, 3, h, w); it keeps the tensors.

    ``activations`` are by id those that an activation function returned, or a concatenation of such.
    """

    def __init__(self, x: Tensor) -> None:
        super().__init__()
        self._fields: dict[int, tuple[Tensor, Fields]] = {id(x): (x, (PIXEL, PIXEL))}
        self.activations: dict[int, Activation] = {}

    def of(self, tensor: Tensor) -> Fields:
        """Return the receptive fields of a tensor."""
        return self._fields[id(tensor)][1] if id(tensor) in self._fields else UNKNOWN

    def __torch_dispatch__(
        self, func: Argument, types: Sequence[type], args: Arguments = (), kwargs: Keywords | None = None
    ) -> Result:
        out = func(*args, **(kwargs or {}))
        sources = [t for t in _tensors(args) if id(t) in self._fields]
        if sources:
            name = func.overloadpacket.__name__.rstrip("_")
            for result in _tensors(out):
                if result.dim() > 0:
                    self._fields[id(result)] = (result, self._field(name, args, sources, result))
                    self.activations[id(result)] = self._activation(name, sources)
        return out

    def _activation(self, name: str, sources: list[Tensor]) -> Activation:
        kinds = {self.activations.get(id(source), "") for source in sources}
        if name == "cat" and len(kinds) == 1:
            return kinds.pop()
        return "unbounded" if name in _UNBOUNDED else "bounded" if name in _BOUNDED else ""

    def _field(self, name: str, args: Arguments, sources: list[Tensor], out: Tensor) -> Fields:
        sources_fields = [self.of(t) for t in sources]
        local = [fields for fields in sources_fields if not isinstance(fields, str)]
        if len(local) < len(sources_fields):
            return ALL if ALL in sources_fields else UNKNOWN
        joined = local[0]
        for fields in local[1:]:
            if any(a.jump != b.jump for a, b in zip(joined, fields, strict=True)):
                return UNKNOWN
            joined = joined[0].join(fields[0]), joined[1].join(fields[1])
        if window := sliding_window(name, args, sources[0], out):
            transposed = "convolution" in name and args[6]
            axes = zip(joined, window.kernel, window.stride, window.padding, window.dilation, strict=True)
            vertical, horizontal = ((f.over if transposed else f.under)(*axis) for f, *axis in axes)
            return vertical, horizontal
        same = out.dim() >= 4 and all(t.shape[-2:] == out.shape[-2:] for t in sources)
        if same and name not in _MIXING:
            return joined
        return ALL if name in _MIXING or out.dim() < 3 else UNKNOWN


def _tensors(values: object) -> list[Tensor]:
    return [leaf for leaf in tree_leaves(values) if isinstance(leaf, Tensor)]
