"""Recordings of networks: the operators from one input to the output, with their results.

Operators are those of torch's dispatcher, below modules and functions; tensors without the input are constants.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, TypeAlias

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map_only

Argument: TypeAlias = Any  # of an operator: a tensor, a Value, a number, a torch object, or a list of these
Arguments: TypeAlias = tuple[Argument, ...]
Keywords: TypeAlias = dict[str, Argument]
Result: TypeAlias = Any  # of an operator: a tensor, or a tuple of tensors and None


class UntraceableError(Exception):
    """A network does something that cannot be recorded; the message says what."""


@dataclass(frozen=True)
class Value:
    """A tensor's number in a recording: the input is 0, every operator adds its outputs."""

    index: int


@dataclass(frozen=True, eq=False)
class Step:
    """One operator, never in place: ``args`` and ``kwargs`` hold a ``Value`` where a tensor depends on the input."""

    name: str
    function: Callable[..., Result]
    args: Arguments
    kwargs: Keywords
    outputs: tuple[Value | None, ...]
    module: str

    @cached_property
    def inputs(self) -> list[Value]:
        """The input values, in order; a value that is used twice is there twice."""
        return _values((self.args, self.kwargs))

    @cached_property
    def output(self) -> Value:
        """The first output tensor; further ones have the same positions."""
        return next(value for value in self.outputs if value)

    def run(self, tensors: Mapping[Value, Tensor], function: Callable[..., Result] | None = None) -> Result:
        """Run the operator, or another of the same arguments, on tensors in place of the values."""
        args, kwargs = tree_map_only(Value, tensors.__getitem__, (self.args, self.kwargs))
        return (function or self.function)(*args, **kwargs)


@dataclass
class Tape:
    """Steps in the order they ran, the clean tensor of every value, and the last output of each module."""

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

    With ``module``, its submodules' outputs are recorded by name, and the tensor of the submodule ``keep`` is kept.
    With ``whole`` all tensors are kept, also those that are changed in place, and all operators have derivatives.
    Raises UntraceableError if a tensor that shares memory with another is changed in place, if an operator's result is
    no tensor, or if the output does not depend on the input.
    """
    with torch.inference_mode(False), torch.no_grad():
        x = x.clone()  # with an inference tensor composite operators would not be decomposed
    tape = Tape([x])
    names = {child: name for name, child in module.named_modules() if name} if module else {}
    fused = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(fused and not whole)  # the fused operator has no derivative
    recorder = _Recorder(tape, names, keep, whole=whole)
    handles = [child.register_forward_pre_hook(recorder.enter) for child in names]
    handles += [child.register_forward_hook(recorder.leave) for child in names]
    try:
        with torch.inference_mode(False), torch.no_grad(), recorder:
            output = function(x)
    finally:
        torch.backends.mha.set_fastpath_enabled(fused)
        for handle in handles:
            handle.remove()
    if id(output) not in recorder.values:
        raise UntraceableError("the output does not depend on the input")
    tape.output = recorder.values[id(output)]
    return tape


class DispatchMode(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """A dispatch mode that does not import torch.compile, about 1.7 s of CPU time and 150 MB."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False


class _Recorder(DispatchMode):  # type: ignore[no-untyped-call]
    """Writes a tape. All tensors are kept, so that no id is used twice."""

    def __init__(self, tape: Tape, names: dict[nn.Module, str], keep: str | None, *, whole: bool) -> None:
        super().__init__()
        self.tape, self.names, self.keep, self.whole = tape, names, keep, whole
        self.values: dict[int, Value] = {id(tape.clean[0]): Value(0)}
        self._kept: list[Tensor] = [tape.clean[0]]
        self._inside = [""]

    def enter(self, module: nn.Module, _: object) -> None:
        """Record that a module starts: a hook."""
        self._inside.append(self.names[module])

    def leave(self, module: nn.Module, _: object, out: object) -> None:
        """Record a module's output: a hook."""
        self._inside.pop()
        if isinstance(out, Tensor) and id(out) in self.values:
            self.tape.modules[self.names[module]] = self.values[id(out)]

    def __torch_dispatch__(
        self, func: Argument, types: Sequence[type], args: Arguments = (), kwargs: Keywords | None = None
    ) -> Result:
        kwargs = kwargs or {}
        replaced: tuple[Arguments, Keywords] = tree_map_only(
            Tensor, lambda t: self.values.get(id(t), t), (args, kwargs)
        )
        if not _values(replaced):
            return func(*args, **kwargs)
        name = func.overloadpacket.__name__
        pure = func
        if func._schema.is_mutable:
            joins = len(set(_values(replaced))) > 1 or any(isinstance(arg, Tensor) for arg in replaced[0])
            self._before_change(name, args[0], joins)
            name = name.rstrip("_")
            pure = getattr(getattr(torch.ops.aten, name), func._overloadname)
        out = func(*args, **kwargs)
        outputs = tuple(map(self._put, out if isinstance(out, (tuple, list)) else (out,)))
        if not any(outputs):
            raise UntraceableError(f"{name} returns a number that depends on the input")
        self.tape.steps.append(Step(name, pure, *replaced, outputs, self._inside[-1]))
        return out

    def _put(self, out: object) -> Value | None:
        if not isinstance(out, Tensor):
            return None
        self._kept.append(out)
        self.tape.clean.append(out)
        self.values[id(out)] = value = Value(len(self.tape.clean) - 1)
        return value

    def _before_change(self, name: str, changed: object, joins: bool) -> None:
        """Keep a tensor before an operator changes it in place, or only its shape if that is enough."""
        value = self.values.get(id(changed)) if isinstance(changed, Tensor) else None
        if value is None or not isinstance(changed, Tensor) or not name.endswith("_"):
            raise UntraceableError(f"{name} writes into a tensor that does not depend on the input")
        memory = changed.untyped_storage().data_ptr()
        current = set(self.values.values())
        for index, other in enumerate(self.tape.clean):
            another = index != value.index and Value(index) in current
            if another and other.untyped_storage().data_ptr() == memory:
                raise UntraceableError(f"{name} changes a part of another tensor")
        kept = Value(0), self.tape.modules.get(self.keep or "")
        needed = self.whole or joins or value in kept or any(value in step.inputs for step in self.tape.steps)
        self.tape.clean[value.index] = changed.clone() if needed else changed.to("meta")


def _values(args: Argument) -> list[Value]:
    return [leaf for leaf in tree_leaves(args) if isinstance(leaf, Value)]
