"""A network for monocular depth: RGB in [0, 1] in, one value for each pixel of the input out."""

from dataclasses import dataclass
from typing import Literal, get_args

from torch import Tensor

from cnnviz.errors import InvalidRequest, MethodError
from cnnviz.models.network import Network
from cnnviz.models.preprocess import Geometry, require_pixels

DepthKind = Literal["inverse", "relative", "metres"]
LONGEST = 4  # longer side of an input, in shorter sides of the network's own


@dataclass(frozen=True)
class DepthEstimator(Network):
    """A network that gives one value for each pixel; ``kind`` says what it is.

    "inverse": of inverse depth, larger is nearer, with unknown scale and shift. "relative": of depth, larger is
    farther, with unknown scale and shift. "metres": the distance. Sides of inputs are multiples of ``multiple`` pixels;
    ``keep_shape``: they keep the photo's shape as well as these allow, instead of the one size ``preprocessing.size``.
    """

    kind: DepthKind = "inverse"
    multiple: int = 1
    keep_shape: bool = True

    def __call__(self, inputs: Tensor) -> Tensor:
        """Return values (N, h, w), float32, for RGB (N, 3, h, w) in [0, 1]. Raises MethodError."""
        found = self.run(inputs)
        values = getattr(found, "predicted_depth", found)
        if not isinstance(values, Tensor) or values.dim() != 3:
            raise MethodError(f"{self.name} estimates no depth: its output is not one value for each pixel")
        return values.float()

    def geometry(self, size: tuple[int, int]) -> Geometry:
        """Return how a photo (H, W) becomes the input: whole, resized.

        As in MiDaS and Depth Anything the side that is nearer to the network's own is resized to it, and both are
        rounded to the multiple. The longer side has at most LONGEST times the network's own, so that a narrow photo
        fits into memory.
        """
        require_pixels(size)
        own = self.preprocessing.size
        scales = [target / side for target, side in zip(own, size, strict=True)]
        if self.keep_shape:
            nearest = min(scales, key=lambda scale: abs(1 - scale))
            scales = [min(nearest, LONGEST * min(own) / max(size))] * 2
        height, width = (
            max(1, round(scale * side / self.multiple)) * self.multiple
            for scale, side in zip(scales, size, strict=True)
        )
        return Geometry(size, (height, width), (0, 0), (height, width), self.preprocessing.interpolation)


def depth_kind(word: str) -> DepthKind:
    """Return a kind by its name. Raises InvalidRequest."""
    for kind in get_args(DepthKind):
        if word == kind:
            return kind  # type: ignore[no-any-return]
    raise InvalidRequest(f"kind {word!r}: take one of {', '.join(get_args(DepthKind))}")
