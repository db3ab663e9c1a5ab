"""Segmentation of a photo by a network that was trained for it: a class at each of the photo's pixels.

Long, Shelhamer & Darrell, "Fully Convolutional Networks for Semantic Segmentation", 2015 (arXiv:1411.4038), section 4.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray

from cnnviz.dense.palette import COLOURS
from cnnviz.errors import InvalidRequest, MethodError
from cnnviz.io.color import Photo
from cnnviz.models.network import require_finite
from cnnviz.models.preprocess import to_inputs
from cnnviz.models.result import NetworkResult
from cnnviz.models.segmenter import Segmenter

STRIP = 128  # rows of the photo that are computed at a time, to save memory


@dataclass(frozen=True)
class ClassArea:
    """A class and its share of the photo's pixels, 0 to 1."""

    index: int
    name: str
    area: float


@dataclass(frozen=True)
class Segmentation(NetworkResult):
    """A class at each pixel of a photo.

    ``classes`` uint8 (H, W), indices of the network's classes, 0 the background; ``foreground`` float32 (H, W), the
    probability of the classes ``targets`` together; ``areas`` of the classes that were found, the largest first;
    ``photo`` uint8 (H, W, 3); ``estimate``: the classes are a classifier's, cut out by ``cutout``.
    """

    classes: NDArray[np.uint8]
    foreground: NDArray[np.float32]
    targets: tuple[int, ...]
    areas: tuple[ClassArea, ...]
    photo: Photo = field(repr=False, compare=False)
    estimate: bool = False

    @property
    def cutout(self) -> NDArray[np.uint8]:
        """The photo with the foreground's probability as opacity, (H, W, 4)."""
        alpha = np.rint(255 * self.foreground).astype(np.uint8)
        return np.concatenate([self.photo, alpha[..., None]], 2)


def segment(network: Segmenter, photo: Photo, *, targets: Sequence[int] | None = None) -> Segmentation:
    """Give each pixel of a photo a class.

    Parameters
    ----------
    network : Segmenter
        A network for segmentation, of ``cnnviz.load_network``.
    photo : ndarray of uint8, shape (H, W, 3)
        RGB.
    targets : sequence of int, optional
        Classes of the foreground; by default all but class 0, the background.

    Returns
    -------
    Segmentation
        The classes, at the photo's own pixels.

    Raises
    ------
    InvalidRequest
        For a network that does not segment, or a class that it lacks.
    MethodError
        If its output is not logits of classes at each pixel.

    Notes
    -----
    The photo's shorter side is resized to the network's own size, as torchvision does, unless the network has inputs of
    one size alone. The logits, not the classes, are brought back to the photo's pixels, by linear interpolation.

    Examples
    --------
    >>> network = cnnviz.load_network("selfie")
    >>> found = cnnviz.segment(network, cnnviz.read_photo("sample_images/astronaut.jpg"))
    >>> [(one.name, round(one.area, 2)) for one in found.areas]
    [('person', 0.55), ('background', 0.45)]
    """
    if not isinstance(network, Segmenter):
        raise InvalidRequest(f"{network.name} does not segment; cnnviz models lists the networks that do")
    height, width = photo.shape[:2]
    geometry = network.geometry((height, width))
    with torch.inference_mode():
        logits = network(to_inputs([geometry.see(photo)]))[0].cpu()
    require_finite(network.name, logits)
    count = len(logits)
    if not 1 < count <= COLOURS:
        raise MethodError(f"{network.name} has {count} classes: 2 to {COLOURS} can be drawn")
    chosen = tuple(range(1, count)) if targets is None else tuple(targets)
    if beyond := [one for one in chosen if not 0 <= one < count]:
        raise InvalidRequest(f"no class {beyond[0]}: {network.name} has {count}, counted from 0")
    classes, foreground = np.empty((height, width), np.uint8), np.empty((height, width), np.float32)
    for top in range(0, height, STRIP):
        rows = slice(top, min(top + STRIP, height))
        part = torch.from_numpy(geometry.to_photo(logits.numpy(), rows))
        classes[rows] = part.argmax(0).numpy()
        foreground[rows] = part.softmax(0)[list(chosen)].sum(0).clamp(0, 1).numpy()
    return Segmentation(classes, foreground, chosen, _areas(network, classes), photo, network=network)


def _areas(network: Segmenter, classes: NDArray[np.uint8]) -> tuple[ClassArea, ...]:
    """Return the classes that are there, the largest first."""
    counts = np.bincount(classes.ravel())
    order = sorted(np.flatnonzero(counts).tolist(), key=lambda index: -counts[index])
    return tuple(ClassArea(index, network.class_name(index), float(counts[index] / classes.size)) for index in order)
