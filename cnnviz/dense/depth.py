"""Monocular depth: how far each pixel of a photo is, as a network estimates it from that photo alone.

Ranftl, Lasinger, Hafner, Schindler & Koltun, "Towards Robust Monocular Depth Estimation: Mixing Datasets for Zero-Shot
Cross-Dataset Transfer", 2020 (arXiv:1907.01341), section 5: inverse depth with unknown scale and shift. Yang et al.,
"Depth Anything V2", 2024 (arXiv:2406.09414), section 7: metres.
"""

from dataclasses import dataclass, field, replace

import numpy as np
import torch
from numpy.typing import NDArray

from cnnviz.errors import InvalidRequest, MethodError
from cnnviz.io.color import Photo
from cnnviz.models.depth_estimator import DepthEstimator, DepthKind
from cnnviz.models.network import Network, require_finite
from cnnviz.models.preprocess import to_inputs
from cnnviz.models.result import NetworkResult

LEVELS = 65535  # of a 16-bit image, above 0


@dataclass(frozen=True)
class Depth(NetworkResult):
    """An estimate of depth at each pixel of a photo.

    ``values`` float32 (H, W); ``kind`` what they are: "inverse" depth (larger is nearer), "relative" depth (larger is
    farther), both with unknown scale and shift, or "metres"; ``size`` (h, w) of the network's input; ``photo`` uint8
    (H, W, 3).
    """

    values: NDArray[np.float32]
    kind: DepthKind
    size: tuple[int, int]
    photo: Photo = field(repr=False, compare=False)

    @property
    def low(self) -> float:
        """The smallest value."""
        return float(self.values.min())

    @property
    def high(self) -> float:
        """The largest value."""
        return float(self.values.max())

    @property
    def near(self) -> float:
        """The value of the nearest pixel."""
        return self.high if self.kind == "inverse" else self.low

    @property
    def far(self) -> float:
        """The value of the farthest pixel."""
        return self.low if self.kind == "inverse" else self.high

    def levels(self) -> NDArray[np.uint16]:
        """Return the values as levels (H, W), linear from ``low``, 0, to ``high``, 65535; all 0 if they are equal."""
        span = (self.high - self.low) or 1.0
        return np.rint((self.values.astype(np.float64) - self.low) * (LEVELS / span)).astype(np.uint16)

    def arrays(self) -> dict[str, NDArray[np.generic]]:
        """Return the values on the photo's pixels, and what they are."""
        return {"depth": self.values, "kind": np.array(self.kind)}


def depth(network: Network, photo: Photo) -> Depth:
    """Estimate the depth of each pixel of a photo.

    Parameters
    ----------
    network : DepthEstimator
        A network for depth, of ``cnnviz.load_depth_estimator``.
    photo : ndarray of uint8, shape (H, W, 3)
        RGB.

    Returns
    -------
    Depth
        The values at the photo's own pixels, and their kind.

    Raises
    ------
    InvalidRequest
        For a network that estimates no depth.
    MethodError
        If its output is not one finite value for each pixel.

    Notes
    -----
    The whole photo is resized to the network's input, by Pillow on 8 bits as the published preprocessing does it. The
    values are brought back to the photo's pixels by linear interpolation, which adds no values beyond those computed;
    transformers' own post-processing interpolates with a cubic.

    Examples
    --------
    >>> network = cnnviz.load_depth_estimator("depth-anything/Depth-Anything-V2-Small-hf")
    >>> found = cnnviz.depth(network, cnnviz.read_photo("sample_images/coffee.jpg"))
    >>> found.values.shape, found.kind
    ((400, 600), 'inverse')
    """
    if not isinstance(network, DepthEstimator):
        raise InvalidRequest(f"{network.name} estimates no depth; load one with load_depth_estimator")
    geometry = network.geometry((photo.shape[0], photo.shape[1]))
    with torch.inference_mode():
        values = network(to_inputs([geometry.see(photo)]))[0].cpu()
    require_finite(network.name, values, what="depths")
    if min(values.shape) < 1:
        raise MethodError(f"{network.name} gave no values")
    own = (values.shape[0], values.shape[1])  # some networks have a smaller output than input
    whole = replace(geometry, resized=own, size=own).to_photo(values.numpy())
    return Depth(whole, network.kind, geometry.size, photo, network=network)
