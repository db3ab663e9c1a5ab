"""Give up a pass through a network between two of its layers."""

from collections.abc import Iterator
from contextlib import contextmanager

from torch import Tensor, nn
from torch.nn.modules.module import register_module_forward_hook

from cnnviz.control import Control, Stopped, never_stopped


@contextmanager
def stop_between_layers(control: Control) -> Iterator[None]:
    """Raise Stopped once ``control.stopped()``: at the beginning, and after a layer of a pass, forward or backward.

    The values and gradients of a pass that completes are the same.
    """
    if control.stopped():
        raise Stopped
    if control.stopped is never_stopped:
        yield
        return

    def check(*_: object) -> None:
        if control.stopped():
            raise Stopped

    def after_layer(_module: nn.Module, _inputs: object, output: object) -> None:
        check()
        if isinstance(output, Tensor) and output.requires_grad:
            output.register_hook(check)  # type: ignore[no-untyped-call]

    handle = register_module_forward_hook(after_layer)
    try:
        yield
    finally:
        handle.remove()
