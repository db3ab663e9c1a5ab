"""Receptive fields: which pixels of the input an output pixel sees.

Operators are watched as they run (a dispatch mode), not traced beforehand, so that any network will do: functional
calls, branches, control flow. On the meta device a run computes shapes alone and costs nothing.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from math import ceil, floor
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from cnnviz.graph.region import Box


@dataclass(frozen=True)
class ReceptiveField:
    """A receptive field along one axis: output i sees input pixels i * jump + start to i * jump + stop, inclusive."""

    jump: float
    start: float
    stop: float

    @property
    def size(self) -> int:
        """Pixels of the input that one output pixel sees."""
        return round(self.stop - self.start) + 1

    def under(self, kernel: int, stride: int, padding: int, dilation: int) -> "ReceptiveField":
        """Return the field of an operator's output whose input has this field."""
        before, after = -padding, (kernel - 1) * dilation - padding
        return ReceptiveField(self.jump * stride, self.start + before * self.jump, self.stop + after * self.jump)

    def over(self, kernel: int, stride: int, padding: int, dilation: int) -> "ReceptiveField":
        """Return the field after the transposed operator: output o sees inputs i with o = i * stride + k - padding."""
        jump, reach = self.jump / stride, (kernel - 1) * dilation
        return ReceptiveField(jump, self.start + (padding - reach) * jump, self.stop + padding * jump)

    def join(self, other: "ReceptiveField") -> "ReceptiveField":
        """Return the field of a sum or concatenation of two."""
        return ReceptiveField(self.jump, min(self.start, other.start), max(self.stop, other.stop))


ALL, UNKNOWN = "all", "?"
Fields = (
    tuple[ReceptiveField, ReceptiveField] | str
)  # down and across; ALL: the whole input; UNKNOWN: not followed further
PIXEL = ReceptiveField(1, 0, 0)


@dataclass(frozen=True)
class LayerInfo:
    """A layer by name: its kind, its output's shape without the batch, its receptive field (h, w) in pixels.

    ``field`` is "all" where an output sees the whole input whatever its size, "?" behind operators that are not
    followed (tokens, channels last); ``axes`` the fields down and across where they are known.
    """

    name: str
    kind: str
    shape: tuple[int, ...]
    field: tuple[int, int] | str
    axes: tuple[ReceptiveField, ReceptiveField] | None

    @property
    def stride(self) -> tuple[float, float] | None:
        """Pixels of the input from one unit to the next, down and across."""
        return (self.axes[0].jump, self.axes[1].jump) if self.axes else None

    def box(self, place: tuple[int, int], size: tuple[int, int]) -> Box | None:
        """Return what a unit at ``place`` (y, x) sees of an input of ``size`` (h, w): None where that is not known.

        The box may reach beyond the input, into the padding.
        """
        if self.axes is None:
            return (0, 0, *size) if self.field == ALL else None
        ends = [
            (floor(i * f.jump + f.start), ceil(i * f.jump + f.stop) + 1) for i, f in zip(place, self.axes, strict=True)
        ]
        return ends[0][0], ends[1][0], ends[0][1], ends[1][1]


def layer_table(module: nn.Module, size: tuple[int, int]) -> list[LayerInfo]:
    """Return the layers of a network in the order in which they answer, for an input of ``size`` (h, w).

    ``module`` may be on the meta device. A module used twice is listed at its last use.
    """
    x = next(module.parameters()).new_zeros(1, 3, *size)
    found: dict[str, LayerInfo] = {}
    names = {child: name for name, child in module.named_modules() if name}
    with record_shapes(x) as fields, _hooks(names, found, fields), torch.no_grad():
        module.eval()(x)
    return list(found.values())


@contextmanager
def _hooks(names: dict[nn.Module, str], found: dict[str, LayerInfo], fields: "_Fields") -> Iterator[None]:
    def record(child: nn.Module, _: Any, out: Any) -> None:
        if isinstance(out, Tensor):
            name = names[child]
            found.pop(name, None)
            seen = fields.of(out)
            size = seen if isinstance(seen, str) else (seen[0].size, seen[1].size)
            axes = None if isinstance(seen, str) else seen
            found[name] = LayerInfo(name, type(child).__name__, tuple(out.shape[1:]), size, axes)

    handles = [child.register_forward_hook(record) for child in names]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


@contextmanager
def record_shapes(x: Tensor) -> Iterator["_Fields"]:
    """Follow the receptive fields of everything computed from an input (1, 3, h, w)."""
    fields = _Fields()
    fields.put(x, (PIXEL, PIXEL))
    with fields:
        yield fields


class _Fields(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Receptive fields by tensor. The tensors are kept, so that an address is not used twice."""

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        """Tell torch not to load its compiler, 150 MB and a second or two, only to be sure not to compile this."""
        return False

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._known: dict[int, tuple[Tensor, Fields]] = {}

    def of(self, tensor: Tensor) -> Fields:
        """Return the receptive fields of a tensor."""
        return self._known[id(tensor)][1] if id(tensor) in self._known else UNKNOWN

    def put(self, tensor: Tensor, fields: Fields) -> None:
        """Remember a tensor's receptive fields."""
        self._known[id(tensor)] = (tensor, fields)

    def __torch_dispatch__(
        self, func: Any, types: Sequence[type], args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        out = func(*args, **(kwargs or {}))
        sources = [t for t in _tensors(args) if id(t) in self._known]
        if sources:
            results = [t for t in _tensors((out,)) if t.dim() > 0]
            for result in results:
                self.put(result, self._field(func, args, sources, result))
        return out

    def _field(self, func: Any, args: tuple[Any, ...], sources: list[Tensor], out: Tensor) -> Fields:
        known = [self.of(t) for t in sources]
        local = [fields for fields in known if not isinstance(fields, str)]
        if len(local) < len(known):
            return ALL if ALL in known else UNKNOWN
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


def _tensors(values: Any) -> Iterator[Tensor]:
    for value in values:
        if isinstance(value, Tensor):
            yield value
        elif isinstance(value, (list, tuple)):
            yield from _tensors(value)


# Operators that mix all places, whatever the shape they leave.
_MIXING = {"_softmax", "bmm", "mm", "addmm", "mean", "sum", "native_group_norm", "native_layer_norm"}
Two = Iterator[ReceptiveField] | str


def _pair(values: Any, default: int) -> tuple[int, int]:
    if not isinstance(values, (list, tuple)):
        return (values, values) if isinstance(values, int) else (default, default)
    return (values[0], values[-1]) if len(values) else (default, default)


def _convolution(args: tuple[Any, ...], fields: tuple[ReceptiveField, ReceptiveField], _: Tensor, out: Tensor) -> Two:
    kernel, stride, padding, dilation = args[1].shape[-2:], _pair(args[3], 1), _pair(args[4], 0), _pair(args[5], 1)
    steps = zip(fields, kernel, stride, padding, dilation, strict=True)
    if args[6]:
        return (f.over(k, s, p, d) for f, k, s, p, d in steps)
    return (f.under(k, s, p, d) for f, k, s, p, d in steps)


def _pool(args: tuple[Any, ...], fields: tuple[ReceptiveField, ReceptiveField], _: Tensor, out: Tensor) -> Two:
    kernel = _pair(args[1], 1)
    stride = _pair(args[2], 1) if len(args) > 2 and args[2] else kernel
    padding = _pair(args[3], 0) if len(args) > 3 else (0, 0)
    # max_pool2d has the dilation fifth, avg_pool2d a flag there
    dilation = _pair(args[4], 1) if len(args) > 4 and not isinstance(args[4], bool) else (1, 1)
    steps = zip(fields, kernel, stride, padding, dilation, strict=True)
    return (f.under(k, s, p, d) for f, k, s, p, d in steps)


def _adaptive(args: tuple[Any, ...], fields: tuple[ReceptiveField, ReceptiveField], source: Tensor, out: Tensor) -> Two:
    sizes = list(zip(source.shape[-2:], out.shape[-2:], strict=True))
    if any((o == 1 and i > 1) or i % o for i, o in sizes):
        return ALL
    return (f.under(i // o, i // o, 0, 1) for f, (i, o) in zip(fields, sizes, strict=True))


def _pad(args: tuple[Any, ...], fields: tuple[ReceptiveField, ReceptiveField], _: Tensor, out: Tensor) -> Two:
    left, _, top = (*args[1], 0, 0, 0)[:3]
    pads = zip(fields, (top, left), strict=True)
    return (ReceptiveField(f.jump, f.start - p * f.jump, f.stop - p * f.jump) for f, p in pads)


def _view(args: tuple[Any, ...], fields: tuple[ReceptiveField, ReceptiveField], source: Tensor, out: Tensor) -> Two:
    if out.dim() >= 4 and out.shape[-2:] == source.shape[-2:]:
        return iter(fields)
    return ALL if out.dim() < 3 else UNKNOWN


def _two(fields: Two) -> Fields:
    if isinstance(fields, str):
        return fields
    down, across = fields
    return down, across


_RULES: dict[str, Any] = {
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
