"""Receptive fields: the pixels of the input that a unit's activation depends on.

Operators are followed as they run (a dispatch mode), not traced beforehand, so that any network is supported:
functional calls, branches, control flow. On the meta device a run computes shapes only.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from math import ceil, floor

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from cnnviz.graph.region import Box
from cnnviz.graph.tape import Argument, Arguments, Keywords, Result


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
Axes = tuple[ReceptiveField, ReceptiveField]  # vertical and horizontal
Fields = Axes | str
PIXEL = ReceptiveField(1, 0, 0)


@dataclass(frozen=True)
class LayerInfo:
    """A layer by name: its kind, its output's shape without the batch, its receptive field (h, w) in pixels.

    ``field`` is "all" if an output depends on the whole input whatever its size, "?" behind operators that are not
    followed (tokens, channels last); ``axes`` are the vertical and horizontal fields, if known.
    """

    name: str
    kind: str
    shape: tuple[int, ...]
    field: tuple[int, int] | str
    axes: tuple[ReceptiveField, ReceptiveField] | None

    @property
    def stride(self) -> tuple[float, float] | None:
        """Input pixels from one unit to the next, vertically and horizontally."""
        return (self.axes[0].jump, self.axes[1].jump) if self.axes else None

    def box(self, position: tuple[int, int], size: tuple[int, int]) -> Box | None:
        """Return the field of the unit at ``position`` (y, x) on an input of ``size`` (h, w); None if unknown.

        The box may extend beyond the input, into the padding.
        """
        if self.axes is None:
            return (0, 0, *size) if self.field == ALL else None
        ends = [
            (floor(i * f.jump + f.start), ceil(i * f.jump + f.stop) + 1)
            for i, f in zip(position, self.axes, strict=True)
        ]
        return ends[0][0], ends[1][0], ends[0][1], ends[1][1]


def layer_table(module: nn.Module, size: tuple[int, int]) -> list[LayerInfo]:
    """Return the layers of a network in the order in which they finish, for an input of ``size`` (h, w).

    ``module`` may be on the meta device. A module used twice is listed at its last use.
    """
    x = next(module.parameters()).new_zeros(1, 3, *size)
    layers: dict[str, LayerInfo] = {}
    names = {child: name for name, child in module.named_modules() if name}
    with record_fields(x) as fields, _hooks(names, layers, fields), torch.no_grad():
        module.eval()(x)
    return list(layers.values())


@contextmanager
def _hooks(names: dict[nn.Module, str], layers: dict[str, LayerInfo], fields: "_Fields") -> Iterator[None]:
    def record(child: nn.Module, _: object, out: object) -> None:
        if isinstance(out, Tensor):
            name = names[child]
            layers.pop(name, None)
            field = fields.of(out)
            size = field if isinstance(field, str) else (field[0].size, field[1].size)
            axes = None if isinstance(field, str) else field
            layers[name] = LayerInfo(name, type(child).__name__, tuple(out.shape[1:]), size, axes)

    handles = [child.register_forward_hook(record) for child in names]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


@contextmanager
def record_fields(x: Tensor) -> Iterator["_Fields"]:
    """Record the receptive fields of all tensors computed from an input (1, 3, h, w) inside ``with``."""
    fields = _Fields()
    fields.put(x, (PIXEL, PIXEL))
    with fields:
        yield fields


class _Fields(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Receptive fields by tensor. The tensors are kept, so that no id is used twice."""

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        """Return False: True would load torch's compiler, 150 MB and one or two seconds."""
        return False

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._fields: dict[int, tuple[Tensor, Fields]] = {}

    def of(self, tensor: Tensor) -> Fields:
        """Return the receptive fields of a tensor."""
        return self._fields[id(tensor)][1] if id(tensor) in self._fields else UNKNOWN

    def put(self, tensor: Tensor, fields: Fields) -> None:
        """Record a tensor's receptive fields."""
        self._fields[id(tensor)] = (tensor, fields)

    def __torch_dispatch__(
        self, func: Argument, types: Sequence[type], args: Arguments = (), kwargs: Keywords | None = None
    ) -> Result:
        out = func(*args, **(kwargs or {}))
        sources = [t for t in _tensors(args) if id(t) in self._fields]
        if sources:
            results = [t for t in _tensors((out,)) if t.dim() > 0]
            for result in results:
                self.put(result, self._field(func, args, sources, result))
        return out

    def _field(self, func: Argument, args: Arguments, sources: list[Tensor], out: Tensor) -> Fields:
        sources_fields = [self.of(t) for t in sources]
        local = [fields for fields in sources_fields if not isinstance(fields, str)]
        if len(local) < len(sources_fields):
            return ALL if ALL in sources_fields else UNKNOWN
        joined = local[0]
        for fields in local[1:]:
            if any(a.jump != b.jump for a, b in zip(joined, fields, strict=True)):
                return UNKNOWN
            joined = joined[0].join(fields[0]), joined[1].join(fields[1])
        name = func.overloadpacket.__name__.rstrip("_")
        if name in _RULES:
            return _two(_RULES[name](args, joined, sources[0], out))
        same = out.dim() >= 4 and all(t.shape[-2:] == out.shape[-2:] for t in sources)
        if same and name not in _MIXING:
            return joined
        return ALL if name in _MIXING or out.dim() < 3 else UNKNOWN


def _tensors(values: Iterable[object]) -> Iterator[Tensor]:
    for value in values:
        if isinstance(value, Tensor):
            yield value
        elif isinstance(value, (list, tuple)):
            yield from _tensors(value)


# Operators that mix all positions, whatever the shape of their output.
_MIXING = {"_softmax", "bmm", "mm", "addmm", "mean", "sum", "native_group_norm", "native_layer_norm"}
Two = Iterator[ReceptiveField] | str


def _pair(values: Argument, default: int) -> tuple[int, int]:
    if not isinstance(values, (list, tuple)):
        return (values, values) if isinstance(values, int) else (default, default)
    return (values[0], values[-1]) if len(values) else (default, default)


def _convolution(args: Arguments, fields: Axes, _: Tensor, out: Tensor) -> Two:
    kernel, stride, padding, dilation = args[1].shape[-2:], _pair(args[3], 1), _pair(args[4], 0), _pair(args[5], 1)
    steps = zip(fields, kernel, stride, padding, dilation, strict=True)
    if args[6]:
        return (f.over(k, s, p, d) for f, k, s, p, d in steps)
    return (f.under(k, s, p, d) for f, k, s, p, d in steps)


def _pool(args: Arguments, fields: Axes, _: Tensor, out: Tensor) -> Two:
    kernel = _pair(args[1], 1)
    stride = _pair(args[2], 1) if len(args) > 2 and args[2] else kernel
    padding = _pair(args[3], 0) if len(args) > 3 else (0, 0)
    # max_pool2d has the dilation fifth, avg_pool2d a flag there
    dilation = _pair(args[4], 1) if len(args) > 4 and not isinstance(args[4], bool) else (1, 1)
    steps = zip(fields, kernel, stride, padding, dilation, strict=True)
    return (f.under(k, s, p, d) for f, k, s, p, d in steps)


def _adaptive(args: Arguments, fields: Axes, source: Tensor, out: Tensor) -> Two:
    sizes = list(zip(source.shape[-2:], out.shape[-2:], strict=True))
    if any((o == 1 and i > 1) or i % o for i, o in sizes):
        return ALL
    return (f.under(i // o, i // o, 0, 1) for f, (i, o) in zip(fields, sizes, strict=True))


def _pad(args: Arguments, fields: Axes, _: Tensor, out: Tensor) -> Two:
    left, _, top = (*args[1], 0, 0, 0)[:3]
    pads = zip(fields, (top, left), strict=True)
    return (ReceptiveField(f.jump, f.start - p * f.jump, f.stop - p * f.jump) for f, p in pads)


def _view(args: Arguments, fields: Axes, source: Tensor, out: Tensor) -> Two:
    if out.dim() >= 4 and out.shape[-2:] == source.shape[-2:]:
        return iter(fields)
    return ALL if out.dim() < 3 else UNKNOWN


def _two(fields: Two) -> Fields:
    if isinstance(fields, str):
        return fields
    vertical, horizontal = fields
    return vertical, horizontal


_RULES: dict[str, Callable[[Arguments, Axes, Tensor, Tensor], Two]] = {
    "convolution": _convolution,
    "_convolution": _convolution,
    "max_pool2d_with_indices": _pool,
    "max_pool2d": _pool,
    "avg_pool2d": _pool,
    "_adaptive_avg_pool2d": _adaptive,
    "adaptive_max_pool2d": _adaptive,
    "constant_pad_nd": _pad,
    "view": _view,
    "_unsafe_view": _view,
}
