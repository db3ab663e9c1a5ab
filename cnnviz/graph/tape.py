"""A recording of a network: the operators that turned one input into its answer, with what they gave.

Operators are seen as torch runs them, below modules and functions, so that ``nn.ReLU``, ``F.relu`` and ``x.relu_()``
are one thing, and what depends on the weights alone is a constant.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode


class UntraceableError(Exception):
    """A network does something that a recording cannot stand for; the message says what."""


@dataclass(frozen=True)
class Value:
    """The place of a tensor in a recording: the input is 0, every operator adds what it gives."""

    index: int


@dataclass(frozen=True)
class Step:
    """One operator, never in place: ``args`` and ``kwargs`` hold a ``Value`` where a tensor depends on the input."""

    name: str
    function: Any
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    outputs: tuple[Value | None, ...]
    module: str

    @cached_property
    def inputs(self) -> list[Value]:
        """The values this operator takes, in order, repeated where it takes one twice."""
        return list(_values((self.args, list(self.kwargs.values()))))

    @cached_property
    def output(self) -> Value:
        """The first tensor this operator gives; what else it gives has the same places."""
        return next(value for value in self.outputs if value)


@dataclass
class Tape:
    """Steps in the order they ran, the clean tensor of every value, and the value each module gave at last."""

    clean: list[Tensor]
    steps: list[Step] = field(default_factory=list)
    modules: dict[str, Value] = field(default_factory=dict)
    output: Value = Value(0)


def record(
    function: Callable[[Tensor], Tensor],
    x: Tensor,
    module: nn.Module | None = None,
    keep: str | None = None,
    *,
    whole: bool = False,
) -> Tape:
    """Run ``function`` on an input and return the recording.

    Where ``module`` is given, its parts are known by name, and what the part ``keep`` gave is kept. With ``whole``
    every value is kept, also those that are changed in place, and no operator is one that has no derivative. Raises
    UntraceableError where a tensor is changed in place that another one shares memory with, where an operator's
    result is no tensor, or where the answer does not come from the input.
    """
    with torch.inference_mode(False), torch.no_grad():
        x = x.clone()  # an inference tensor would not show what composite operators are made of
    tape = Tape([x])
    names = {child: name for name, child in module.named_modules() if name} if module else {}
    fused = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(fused and not whole)  # the fused operator has no derivative
    recorder = _Recorder(tape, keep, whole=whole)
    handles = [child.register_forward_pre_hook(recorder.enter(name)) for child, name in names.items()]
    handles += [child.register_forward_hook(recorder.leave(name)) for child, name in names.items()]
    try:
        with torch.inference_mode(False), torch.no_grad(), recorder:
            answer = function(x)
    finally:
        torch.backends.mha.set_fastpath_enabled(fused)
        for handle in handles:
            handle.remove()
    if id(answer) not in recorder.known:
        raise UntraceableError("the answer does not follow from the input")
    tape.output = recorder.known[id(answer)]
    return tape


class _Recorder(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Writes a tape. Every tensor seen is kept, so that an address means one tensor."""

    def __init__(self, tape: Tape, keep: str | None = None, *, whole: bool = False) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.tape, self.keep, self.whole = tape, keep, whole
        self.known: dict[int, Value] = {id(tape.clean[0]): Value(0)}
        self._kept: list[Tensor] = [tape.clean[0]]
        self._inside: list[str] = []

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        """Return False: torch's own True imports all of torch.compile, some 1.7 s of processor time."""
        return False

    def enter(self, name: str) -> Callable[..., None]:
        """Return a hook that notes that a module begins."""
        return lambda *_: self._inside.append(name)

    def leave(self, name: str) -> Callable[..., None]:
        """Return a hook that notes what a module gave."""

        def note(_: Any, __: Any, out: Any) -> None:
            self._inside.pop()
            if isinstance(out, Tensor) and id(out) in self.known:
                self.tape.modules[name] = self.known[id(out)]

        return note

    def __torch_dispatch__(
        self, func: Any, types: Sequence[type], args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        seen: tuple[Any, dict[str, Any]] = self._seen((args, kwargs))
        if not list(_values(seen)):
            return func(*args, **kwargs)
        name = func.overloadpacket.__name__
        pure = func
        if func._schema.is_mutable:
            joins = len(set(_values(seen))) > 1 or any(isinstance(arg, Tensor) for arg in seen[0])
            self._before_change(name, args[0], joins)
            name = name.rstrip("_")
            pure = getattr(getattr(torch.ops.aten, name), func._overloadname)
        out = func(*args, **kwargs)
        outputs = tuple(map(self._put, out if isinstance(out, (tuple, list)) else (out,)))
        if not any(outputs):
            raise UntraceableError(f"{name} makes a number of what depends on the input")
        inside = self._inside[-1] if self._inside else ""
        self.tape.steps.append(Step(name, pure, seen[0], seen[1], outputs, inside))
        return out

    def _put(self, out: Any) -> Value | None:
        if not isinstance(out, Tensor):
            return None
        self._kept.append(out)
        self.tape.clean.append(out)
        self.known[id(out)] = value = Value(len(self.tape.clean) - 1)
        return value

    def _before_change(self, name: str, changed: Any, joins: bool) -> None:
        """Keep what a tensor holds before an operator changes it in place: its shape alone where that is enough."""
        value = self.known.get(id(changed)) if isinstance(changed, Tensor) else None
        if value is None or not name.endswith("_"):
            raise UntraceableError(f"{name} writes into a tensor made beforehand")
        memory = changed.untyped_storage().data_ptr()
        current = set(self.known.values())
        for index, other in enumerate(self.tape.clean):
            shares = other.untyped_storage().data_ptr() == memory and Value(index) in current
            if shares and index != value.index:
                raise UntraceableError(f"{name} changes a part of another tensor")
        kept = Value(0), self.tape.modules.get(self.keep or "")
        needed = self.whole or joins or value in kept or any(value in step.inputs for step in self.tape.steps)
        self.tape.clean[value.index] = changed.clone() if needed else changed.to("meta")

    def _seen(self, given: Any) -> Any:
        """Return arguments with a Value in place of each tensor that depends on the input."""
        if isinstance(given, Tensor):
            return self.known.get(id(given), given)
        if isinstance(given, (list, tuple)):
            return type(given)(map(self._seen, given))
        if isinstance(given, dict):
            return {key: self._seen(one) for key, one in given.items()}
        return given


def _values(given: Any) -> Any:
    if isinstance(given, Value):
        yield given
    elif isinstance(given, (list, tuple)):
        for one in given:
            yield from _values(one)
    elif isinstance(given, dict):
        yield from _values(list(given.values()))


def replace(given: Any, tensors: dict[Value, Tensor]) -> Any:
    """Return arguments with tensors in place of values."""
    if isinstance(given, Value):
        return tensors[given]
    if isinstance(given, (list, tuple)):
        return type(given)(replace(one, tensors) for one in given)
    if isinstance(given, dict):
        return {key: replace(one, tensors) for key, one in given.items()}
    return given
