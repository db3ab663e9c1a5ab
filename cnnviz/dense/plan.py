"""Where a classifier reduces its feature maps to one vector, and which operators before have a stride."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import prod

import torch
from torch import Tensor
from torch.utils._pytree import tree_leaves

from cnnviz.errors import MethodError
from cnnviz.graph.region import SlidingWindow, sliding_window
from cnnviz.graph.tape import Argument, Arguments, DispatchMode, Keywords, Result
from cnnviz.models.network import Network

KEY = ("dense", "plan")  # in Network.derived
RESHAPING = {"view", "_unsafe_view", "reshape", "flatten"}
# Operators that may follow a global pooling: they are linear, so that the mean of the map is the logit.
LINEAR = RESHAPING | {
    "squeeze", "unsqueeze", "t", "transpose", "permute", "expand", "clone", "alias", "detach", "as_strided", "_to_copy",
    "addmm", "mm", "linear", "convolution", "add", "sub", "_native_batch_norm_legit_no_training", "native_batch_norm",
    "cudnn_batch_norm",
}  # fmt: skip
POOLS = {"avg_pool2d", "max_pool2d", "max_pool2d_with_indices"}
SHRINKING = {"slice", "upsample_nearest2d", "upsample_bilinear2d"}  # may have a stride, but no windows
RATIO = 1.5  # of the rows before and after such an operator, above which it has a stride
PULL = 0.25  # of the distance from even spacing to a cell's receptive field at which its centre was measured


@dataclass(frozen=True)
class Operator:
    """Operator ``count``, from 0, of those called ``name`` in a forward pass: the same one for inputs of any size."""

    name: str
    count: int


@dataclass(frozen=True)
class Call:
    """An operator as it ran: shapes of its first tensor and of its output, its window, whether it runs at shifts.

    Of its input: the stride ``jump`` and the ``centre`` of the first cell's receptive field, in the network's pixels.
    """

    operator: Operator
    before: tuple[int, ...]
    after: tuple[int, ...]
    window: SlidingWindow | None
    movable: bool
    jump: int
    centre: float

    @property
    def step(self) -> int:
        """Rows of its input from one of its own rows to the next."""
        if self.window is not None:
            return self.window.stride[0]
        shrinks = len(self.before) == len(self.after) == 4 and self.before[-2] > RATIO * self.after[-2] > RATIO
        return round(self.before[-2] / self.after[-2]) if shrinks and self.operator.name in SHRINKING else 1

    @property
    def shift(self) -> float:
        """Rows from the middle of its input's first row to that of its own."""
        own = self.window
        return 0.0 if own is None else own.dilation[0] * (own.kernel[0] - 1) / 2 - own.padding[0]


@dataclass(frozen=True)
class DensePlan:
    """How a classifier is applied at each place.

    ``head``: the operator that makes one vector of the feature maps, global pooling, or with a ``window`` (h, w) in
    cells what precedes a fully connected head; ``vector``: its shape. ``stride`` of the feature maps, and ``first``,
    the centre of the first cell, in pixels of the input. ``strided``: the operators with a stride, and the stride of
    their inputs; ``other``: names of those that cannot be run at shifts.
    """

    head: Operator
    window: tuple[int, int] | None
    vector: tuple[int, ...]
    stride: int
    first: float
    strided: dict[Operator, int]
    other: tuple[str, ...]


class OperatorCounter(DispatchMode):  # type: ignore[no-untyped-call]
    """Counts operators by name inside ``with``, and lets a subclass run them."""

    def __init__(self) -> None:
        super().__init__()
        self._counts = Counter[str]()

    def __torch_dispatch__(
        self, func: Argument, types: Sequence[type], args: Arguments = (), kwargs: Keywords | None = None
    ) -> Result:
        name = func.overloadpacket.__name__.rstrip("_")
        operator = Operator(name, self._counts[name])
        self._counts[name] += 1
        return self.run(operator, func, args, kwargs or {})

    def run(self, operator: Operator, func: Argument, args: Arguments, kwargs: Keywords) -> Result:
        """Return what an operator gives."""
        raise NotImplementedError


def dense_plan(network: Network) -> DensePlan:
    """Return the plan of a network, made once. Raises MethodError for one that cannot be applied at each place."""
    if not isinstance(plan := network.derived.get(KEY), DensePlan):
        with torch.inference_mode(False), torch.no_grad():
            x = torch.full((1, 3, *network.size), 0.5, device=network.device, dtype=network.dtype)
            with _Recorder(x) as recorder:
                network(x)
        network.derived[KEY] = plan = _plan(network, recorder.calls)
    return plan


class _Recorder(OperatorCounter):  # type: ignore[no-untyped-call]
    """Lists the operators on an input, with the places of their cells. It keeps all tensors: no id is used twice."""

    def __init__(self, x: Tensor) -> None:
        super().__init__()
        self.calls: list[Call] = []
        self._cells: dict[int, tuple[Tensor, int, float]] = {id(x): (x, 1, 0.5)}

    def run(self, operator: Operator, func: Argument, args: Arguments, kwargs: Keywords) -> Result:
        """Run an operator, and list it."""
        out = func(*args, **kwargs)
        sources = [value for value in _tensors(args) if id(value) in self._cells]
        result = next(_tensors(out), None)
        if not sources or result is None:
            return out
        first, name = max(sources, key=Tensor.numel), operator.name
        window = sliding_window(name, args, first, result) if first.dim() == 4 else None
        padded = name == "avg_pool2d" and any(tree_leaves(args[3:5]))  # or with a last window that is cut off
        movable = (name == "convolution" and not args[6]) or (name in POOLS and not padded)
        place = self._cells[id(first)][1:]
        call = Call(operator, tuple(first.shape), tuple(result.shape), window, movable, *place)
        self.calls.append(call)
        for value in _tensors(out):
            self._cells[id(value)] = value, call.jump * call.step, call.centre + call.jump * call.shift
        return out


def _plan(network: Network, calls: Sequence[Call]) -> DensePlan:
    refusal = f"{network.name} has no class at each place"
    index = next((i for i in reversed(range(len(calls))) if _makes_vector(calls[i])), None)
    if index is None:
        raise MethodError(f"{refusal}: it neither pools feature maps nor flattens them")
    head, window = calls[index], None
    if head.operator.name in RESHAPING:
        window = head.before[-2], head.before[-1]
        head = _before_flattening(refusal, calls, index)
    elif beyond := sorted({call.operator.name for call in calls[index + 1 :]} - LINEAR):
        raise MethodError(f"{refusal}: after the pooling it is not linear ({', '.join(beyond)})")
    rows, size = head.before[-2], network.size[0]
    if not 1 / RATIO < rows * head.jump / size < RATIO:
        raise MethodError(f"{refusal}: how far its cells are apart is not known")
    even = (size - (rows - 1) * head.jump) / 2
    steps = [call for call in calls[:index] if call.step > 1]
    strided = {call.operator: call.jump for call in steps if call.movable}
    other = dict.fromkeys(call.operator.name for call in steps if not call.movable)
    first = even + PULL * (head.centre - even)
    return DensePlan(head.operator, window, head.after[1:], head.jump, first, strided, tuple(other))


def _makes_vector(call: Call) -> bool:
    """Return whether an operator makes one vector of the feature maps of one input."""
    name, before, after = call.operator.name, call.before, call.after
    if len(before) != 4 or before[0] != 1:
        return False
    if name in RESHAPING:
        return prod(before[-2:]) > 1 and after == (1, prod(before))
    return name in ("mean", "avg_pool2d", "_adaptive_avg_pool2d") and after in (before[:2], (*before[:2], 1, 1))


def _before_flattening(refusal: str, calls: Sequence[Call], index: int) -> Call:
    """Return the pooling just before feature maps are flattened if there is one, which must not change them."""
    for number, call in enumerate(calls[:index]):
        if call.operator.name == "_adaptive_avg_pool2d" and prod(call.after[-2:]) > 1:
            if number < index - 1 or call.before != call.after:
                cells = f"{call.before[-1]}x{call.before[-2]} cells to {call.after[-1]}x{call.after[-2]}"
                raise MethodError(f"{refusal}: before its fully connected layers it pools {cells}")
            return call
    return calls[index]


def _tensors(values: object) -> Iterator[Tensor]:
    return (leaf for leaf in tree_leaves(values) if isinstance(leaf, Tensor))
