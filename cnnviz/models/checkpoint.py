"""State dicts from files of weights, which are not trusted: nothing in them is executed."""

import re
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from cnnviz.errors import WeightsError
from cnnviz.text import error_reason, printable

LISTED_KEYS = 3  # keys of each kind that a message lists
WRAPPERS = ("state_dict", "model_state_dict", "model", "state_dict_ema", "net")
PREFIX = re.compile(r"^(module\.|_orig_mod\.)+")  # DataParallel's and torch.compile's


class WithoutInit(TorchFunctionMode):
    """Inside ``with WithoutInit()`` modules are built without memory for their weights, which ``load_state`` sets.

    Only ``torch.empty`` is put on the meta device: some networks (RegNet) compute their sizes with tensors.
    """

    def __torch_function__(
        self,
        func: Callable[..., object],
        types: Sequence[type],
        args: tuple[object, ...] = (),
        kwargs: dict[str, object] | None = None,
    ) -> object:
        """Run a torch function; ``torch.empty`` on the meta device."""
        return func(*args, **((kwargs or {}) | ({"device": "meta"} if func is torch.empty else {})))


def read_checkpoint(path: Path) -> dict[str, Tensor]:
    """Return the tensors of a .safetensors or .pth file by name; pickled code is refused. Raises WeightsError."""
    from safetensors.torch import load_file

    state: object
    name, safe = printable(str(path)), path.suffix.lower() == ".safetensors"
    try:
        state = load_file(path) if safe else torch.load(path, map_location="cpu", weights_only=True)
    except MemoryError:
        raise
    except (OSError, RuntimeError) as error:
        raise WeightsError(f"{name}: cannot be read as weights ({error_reason(error)})") from error
    except Exception as error:  # a damaged pickle can raise any exception
        torch_or_not = "holds more than tensors, or is no torch file; it was not opened further"
        why = f"is damaged, or no safetensors file ({error_reason(error)})" if safe else torch_or_not
        raise WeightsError(f"{name}: {why}") from error
    for wrapper in WRAPPERS:
        if isinstance(state, Mapping) and isinstance(state.get(wrapper), Mapping):
            state = state[wrapper]
    if not isinstance(state, Mapping):
        raise WeightsError(f"{name}: holds a {type(state).__name__}, not a state dict")
    tensors = {PREFIX.sub("", str(key)): value for key, value in state.items() if isinstance(value, Tensor)}
    if not tensors:
        raise WeightsError(f"{name}: holds no tensors by name")
    return tensors


def check_file(path: Path, most: int) -> None:
    """Raise ValueError unless a path is that of a file of at most ``most`` bytes."""
    if not path.is_file():
        raise ValueError("no such file")
    if (size := path.stat().st_size) > most:
        raise ValueError(f"{size} bytes, more than {most}")


def count_classes(build: Callable[[int], nn.Module], state: Mapping[str, Tensor]) -> int | None:
    """Return the number of classes of a state dict, from shapes that depend on it; None if it lacks the last layer."""
    few, more = (build(count).state_dict() for count in (2, 3))
    rows = [len(state[key]) for key in few if few[key].shape != more[key].shape and key in state and state[key].dim()]
    return rows[-1] if rows else None


def load_state(module: nn.Module, state: Mapping[str, Tensor], source: str) -> None:
    """Load a state dict into a module built ``WithoutInit``, every key or none. Raises WeightsError."""
    own = module.state_dict()
    counters = {key for key in own if key.endswith("num_batches_tracked")}
    missing = [key for key in own if key not in state and key not in counters]
    unknown = [key for key in state if key not in own]
    common = [key for key in own if key in state]
    shapes = [key for key in common if own[key].shape != state[key].shape]
    types = [key for key in common if own[key].is_floating_point() != state[key].is_floating_point()]
    problems = {"missing": missing, "unknown": unknown, "of another shape": shapes, "of another type": types}
    texts = [f"{len(keys)} {kind} ({_some(keys)})" for kind, keys in problems.items() if keys]
    if texts:
        raise WeightsError(f"{source} does not fit the network: of {len(own)} keys, {'; '.join(texts)}")
    tensors = OrderedDict((key, t.float() if t.is_floating_point() else t) for key, t in state.items())
    # Some modules (torchvision's MNASNet) refuse a state dict without a version: with all keys it is the current one.
    tensors._metadata = own._metadata  # type: ignore[attr-defined]
    module.load_state_dict(tensors, strict=False, assign=True)
    unset = [key for key, t in (*module.named_parameters(), *module.named_buffers()) if t.is_meta]
    if unset:
        raise WeightsError(f"{source} leaves {_some(unset)} unset")


def _some(keys: list[str]) -> str:
    return ", ".join(keys[:LISTED_KEYS]) + (", …" if len(keys) > LISTED_KEYS else "")
