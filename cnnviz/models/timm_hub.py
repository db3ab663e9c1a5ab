"""timm's networks by name, such as ``timm:resnet18.a1_in1k``, with weights from the hub's cache or the hub."""

import io
from itertools import product
from pathlib import Path
from types import ModuleType
from typing import Any

from torch import nn

from cnnviz.control import Control
from cnnviz.errors import InvalidRequest, WeightsError
from cnnviz.models.catalog import NetworkEntry
from cnnviz.models.network import Preprocessing
from cnnviz.models.weights import sha256
from cnnviz.text import did_you_mean, error_reason

FILES = ("model.safetensors", "pytorch_model.bin")
SHA256_DIGITS = 64


def build(entry: NetworkEntry, count: int | None, **options: object) -> nn.Module:
    """Return a timm network without its public weights, for ``count`` classes or its own number."""
    options |= {} if count is None else {"num_classes": count}
    module: nn.Module = _timm(entry).create_model(entry.name.removeprefix("timm:"), **options)
    return module


def _timm(entry: NetworkEntry) -> ModuleType:
    """Return the timm module. Raises WeightsError without timm, InvalidRequest for a name that timm does not have."""
    try:
        import timm
    except ImportError as error:
        raise WeightsError(f"{entry.name} needs timm: pip install 'cnnviz[timm]'") from error
    plain = entry.name.removeprefix("timm:")
    model, _, tag = plain.partition(".")
    if not timm.is_model(model):
        near = did_you_mean(plain, timm.list_models(), "; see https://huggingface.co/timm")
        raise InvalidRequest(f"timm has no network named {plain!r}{near}")
    tagged = timm.list_models(f"{model}.*", pretrained=True)
    if tag and plain not in tagged:
        raise InvalidRequest(f"timm has no weights named {plain!r}{did_you_mean(plain, tagged)}")
    module: ModuleType = timm
    return module


def pretrained(entry: NetworkEntry, *, offline: bool, control: Control) -> tuple[nn.Module, Path]:
    """Return a network with its public weights, and their file. Raises WeightsError without an intact file."""
    timm = _timm(entry)
    settings = timm.get_pretrained_cfg(entry.name.removeprefix("timm:"))
    if settings is None or not settings.hf_hub_id:
        fetch = f"fetch them from {settings.url} and name" if settings and settings.url else "name"
        raise WeightsError(f"{entry.name}: its weights are not on timm's hub\n{fetch} the file with --weights FILE")
    if settings.num_classes == 0:
        raise InvalidRequest(f"{entry.name} is no classifier: it was published without a last layer")
    path = _file(entry.name, settings, offline, control)
    try:
        return build(entry, None, pretrained=True, pretrained_cfg_overlay={"file": str(path)}), path
    except (OSError, RuntimeError, ValueError, KeyError) as error:
        raise WeightsError(f"{entry.name}: {path.name} does not fit the network ({error_reason(error)})") from error


def _file(name: str, settings: Any, offline: bool, control: Control) -> Path:
    """Return the file of weights from the hub's cache without a connection, or else download it."""
    from huggingface_hub import hf_hub_download

    repository, _, revision = settings.hf_hub_id.partition("@")
    failure: Exception | None = None
    names = (settings.hf_hub_filename,) if settings.hf_hub_filename else FILES
    for local, file in product((True,) if offline else (True, False), names):
        try:
            path = hf_hub_download(
                repository, file, revision=revision or None, local_files_only=local, tqdm_class=_bar(file, control)
            )
        except Exception as error:  # noqa: BLE001 - the hub raises the errors of its own transport
            failure = error
            continue
        # The hub names a large file after its own sha256.
        digest = Path(path).resolve().name
        if len(digest) == SHA256_DIGITS and digest != sha256(Path(path)):
            raise WeightsError(f"{name}: {path} is damaged\nremove it and run the command again to fetch it anew")
        return Path(path)
    why = "--offline forbids to fetch them"
    if failure and not offline:
        why = f"cannot be fetched: {error_reason(failure)}"
    raise WeightsError(
        f"{name}: weights {FILES[0]} of {repository} are not here, and {why}\nname a file with --weights FILE"
    )


def _bar(name: str, control: Control) -> type:
    """Return a class of progress bars that draw nothing and report to ``control``."""
    from tqdm import tqdm  # type: ignore[import-untyped,unused-ignore]

    class Bar(tqdm):  # type: ignore[misc]
        def __init__(self, *args: object, **options: object) -> None:
            super().__init__(*args, **(options | {"file": io.StringIO(), "disable": False}))

        def display(self, *_: object, **__: object) -> None:
            control.report(int(self.n), int(self.total or 0), name)

    return Bar


def preprocessing_of(module: nn.Module) -> Preprocessing:
    """Return the preprocessing in a timm network's own configuration."""
    own: Any = getattr(module, "pretrained_cfg", {})
    height, width = own["input_size"][-2:]
    resize = int(height / own["crop_pct"])
    return Preprocessing((height, width), resize, own["interpolation"], tuple(own["mean"]), tuple(own["std"]))
