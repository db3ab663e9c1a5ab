"""A segmentation network: RGB in [0, 1] in, logits of classes at each pixel out."""

from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor, nn

from cnnviz.errors import MethodError
from cnnviz.models import fcn8s
from cnnviz.models.catalog import FCN8S
from cnnviz.models.network import Network
from cnnviz.models.preprocess import Geometry, require_pixels
from cnnviz.models.selfie import SelfieSegmentation

CAFFE = (122.67891434 / 255, 116.66876762 / 255, 104.00698793 / 255), (1 / 255,) * 3  # RGB, of ImageNet's images
# Mean and standard deviation of the networks that do not have those of torchvision's.
NORMALIZATIONS = {"selfie": ((0.0,) * 3, (1.0,) * 3)} | dict.fromkeys(FCN8S, CAFFE)
LONGEST = 4  # longer side of an input, in shorter sides of the network's own


@dataclass(frozen=True)
class Segmenter(Network):
    """A network that gives logits of its classes at each pixel; ``squash``: its input has one size, whatever the photo.

    Class 0 is the background.
    """

    squash: bool = False

    def __call__(self, inputs: Tensor) -> Tensor:
        """Return logits (N, classes, h, w), float32, for RGB (N, 3, h, w) in [0, 1]. Raises MethodError."""
        found = self.run(inputs)
        logits = found["out"] if isinstance(found, Mapping) else found
        if not isinstance(logits, Tensor) or logits.dim() != 4 or logits.shape[-2:] != inputs.shape[-2:]:
            raise MethodError(f"{self.name} does not segment: its output is not logits (N, classes, h, w)")
        return logits.float()

    def geometry(self, size: tuple[int, int]) -> Geometry:
        """Return how a photo (H, W) becomes the input: whole, its shorter side resized to the network's own.

        The longer side has at most LONGEST times as many pixels, so that a narrow photo fits into memory.
        """
        own, side = self.preprocessing, min(size)
        require_pixels(size)
        scale = min(own.resize / side, LONGEST * own.resize / max(size))
        height, width = (max(1, int(length * scale + 1e-6)) for length in size)
        resized = own.size if self.squash else (height, width)
        return Geometry(size, resized, (0, 0), resized, own.interpolation)


def build(name: str, count: int, state: Mapping[str, Tensor] | None = None) -> nn.Module:
    """Return a segmentation network by name without weights, for ``count`` classes; selfie has its own two.

    FCN-8s has the widths of ``state``, a state dict.
    """
    if name == "selfie":
        return SelfieSegmentation()
    if name in FCN8S:
        return fcn8s.build(name, count, state)
    from torchvision.models import segmentation

    module: nn.Module = getattr(segmentation, name)(weights=None, weights_backbone=None, num_classes=count)
    return module
