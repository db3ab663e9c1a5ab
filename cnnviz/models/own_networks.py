"""The networks whose layers are defined here, EfficientNet-Lite, ZFNet and VGG-16's trunk: modules, files, inputs."""

from collections.abc import Mapping
from pathlib import Path

from torch import Tensor, nn

from cnnviz.errors import WeightsError
from cnnviz.models import efficientnet_lite, hed, zfnet
from cnnviz.models.network import Preprocessing
from cnnviz.text import printable

IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
# The shorter side before the centre crop: 0.875 for all three, as their authors train and test them.
LITE = {"efficientnet_lite0": (224, 256), "efficientnet_lite1": (240, 272), "efficientnet_lite2": (260, 292)}
# The public zfnet512 was measured on whole photos squashed to 224 x 224 (--fit squash), values 0 to 255 minus the mean.
ZFNET_ONNX = Preprocessing((224, 224), 224, "bicubic", (123.68 / 255, 116.779 / 255, 103.939 / 255), (1 / 255,) * 3)
PREPROCESSING = {
    name: Preprocessing((side, side), resize, "bicubic", (0.5,) * 3, (0.5,) * 3)
    for name, (side, resize) in LITE.items()
} | {
    "zfnet": Preprocessing((224, 224), 256, "bilinear", IMAGENET_MEAN, IMAGENET_STD),
    "hed_vgg16": Preprocessing((224, 224), 256, "bilinear", hed.MEAN, hed.STD),
}
# Files that are no state dicts: what they are, the network that they are of, and what reads them.
READERS = {".onnx": ("ONNX", "zfnet", zfnet.read_zfnet), ".h5": ("HDF5", "hed_vgg16", hed.read_hed)}


def build(name: str, count: int, state: Mapping[str, Tensor] | None = None) -> nn.Module | None:
    """Return a network without weights, for ``count`` classes, with the widths of ``state``; None if it is another's.

    ``state`` is a state dict. The trunk has no classes.
    """
    if name in efficientnet_lite.SCALES:
        return efficientnet_lite.EfficientNetLite(name, count)
    if name == "zfnet":
        return zfnet.build(state, count)
    return hed.build(state) if name == "hed_vgg16" else None


def read_foreign(name: str, path: Path) -> dict[str, Tensor] | None:
    """Return the state dict of an .onnx or .h5 file of a network; None for other files. Raises WeightsError."""
    if path.suffix not in READERS:
        return None
    form, own, read = READERS[path.suffix]
    if name != own:
        raise WeightsError(f"{printable(str(path))}: {form} weights are read for {own} only")
    return read(path)


def translate(name: str, state: dict[str, Tensor], module: nn.Module) -> dict[str, Tensor]:
    """Return a state dict with the names of ``module``: EfficientNet-Lite's public files have others."""
    return efficientnet_lite.translate(state, module) if name in efficientnet_lite.SCALES else state
