"""Class heat maps: the logit of a class at each place of a photo, by the classifier as a fully convolutional network.

Long, Shelhamer & Darrell, "Fully Convolutional Networks for Semantic Segmentation", 2015 (arXiv:1411.4038), section
3.1, figure 2.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from math import sqrt

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cnnviz.control import Control
from cnnviz.dense.fully_convolutional import dense_logits
from cnnviz.dense.plan import dense_plan
from cnnviz.errors import InvalidRequest, MethodError
from cnnviz.io.color import Photo
from cnnviz.io.convert import to_image
from cnnviz.models.network import Network, require_finite
from cnnviz.models.preprocess import Geometry, fit, interpolate, require_pixels, to_inputs
from cnnviz.models.result import InputResult

LOWEST = 0.5  # of a logit in the geometric mean of several scales: no scale alone decides that nothing is there
LARGEST = 16_000_000  # pixels of an input
NARROW = 2_000_000  # of an input of ``bounded_side``


@dataclass(frozen=True)
class HeatGrid:
    """The logits at the places of one scale.

    ``values`` (targets, rows, columns); ``size`` (h, w) of the resized photo, ``stride`` from place to place and
    ``first`` (y, x), the centre of the first place, in its pixels.
    """

    values: NDArray[np.float32]
    size: tuple[int, int]
    stride: int
    first: tuple[float, float]

    def sample(self, size: tuple[int, int]) -> NDArray[np.float32]:
        """Return the maps (targets, h, w) over a whole photo of ``size`` (h, w), bilinear between the places."""
        maps = self.values
        for axis in (0, 1):
            places = (np.arange(size[axis]) + 0.5) * (self.size[axis] / size[axis])
            maps = interpolate(maps, (places - self.first[axis]) / self.stride, axis + 1)
        return maps


@dataclass(frozen=True)
class HeatPeak:
    """The highest value of a map: ``x``, ``y`` in pixels of the photo, and the ``value``."""

    x: int
    y: int
    value: float


@dataclass(frozen=True)
class Heat(InputResult):
    """Where the evidence for a class is: its logit at each place of a photo.

    ``logits`` (classes,) of the ordinary input; ``targets`` class indices; ``grids`` the logits at the places of each
    scale; ``maps`` (targets, h, w) on the resized photo of the largest scale: the logits of one scale, or the geometric
    mean of several. ``geometry``: from there to the photo's pixels; ``ordinary``: that of the ordinary input.
    """

    logits: Tensor
    targets: tuple[int, ...]
    grids: tuple[HeatGrid, ...]
    maps: Tensor
    geometry: Geometry = field(repr=False)
    ordinary: Geometry = field(repr=False)

    @property
    def probabilities(self) -> tuple[float, ...]:
        """The softmax probability of each target, for the ordinary input."""
        return tuple(self.logits.double().softmax(0)[list(self.targets)].tolist())

    def arrays(self) -> dict[str, NDArray[np.generic]]:
        """Return the maps on the photo and on the ordinary input, and the logits at the places of each size."""
        photo_maps = self.geometry.to_photo(self.maps.numpy())
        return {f"places_{min(grid.size)}": grid.values for grid in self.grids} | {
            "logits": self.logits.numpy(),
            "stride": np.array(self.grids[0].stride),
            "targets": np.array(self.targets),
            "maps": self.ordinary.to_input(photo_maps),
            "photo_maps": photo_maps,
        }

    @property
    def peaks(self) -> tuple[HeatPeak, ...]:
        """The highest value of each map."""
        return tuple(map(self._peak, self.maps.numpy()))

    def shown_on(self, photo: Photo | None) -> "tuple[Photo, Heat]":
        """Return the photo, or without it the resized one, and the result with its place on that. InvalidRequest."""
        assert self.inputs is not None
        seen = to_image(self.inputs)
        if photo is None:
            size = self.geometry.size
            return seen, replace(self, geometry=Geometry(size, size, (0, 0), size))
        if photo.shape[:2] != self.geometry.photo or not np.array_equal(self.geometry.see(photo), seen):
            raise InvalidRequest("the result is not of this photo")
        return photo, self

    def _peak(self, values: NDArray[np.float32]) -> HeatPeak:
        place = np.unravel_index(int(values.argmax()), values.shape)
        y, x = (
            int((index + 0.5) * photo / side)
            for index, photo, side in zip(place, self.geometry.photo, values.shape, strict=True)
        )
        return HeatPeak(x, y, float(values[place]))


def heat(
    network: Network,
    photo: Photo,
    *,
    targets: Sequence[int] | None = None,
    sizes: Sequence[int] = (448,),
    stride: int | None = None,
    fit_mode: str = "crop",
    control: Control = Control(),
) -> Heat:
    """Compute the logit of a class at each place of a photo.

    Parameters
    ----------
    network : Network
        One with global pooling and linear layers after it, or with fully connected layers over feature maps.
    photo : ndarray of uint8, shape (H, W, 3)
        RGB.
    targets : sequence of int, optional
        Class indices; by default the top class of the ordinary input.
    sizes : sequence of int, default (448,)
        Shorter side of the resized photo, in pixels; the longer one keeps the shape, and both are rounded to the
        network's stride. Of several sizes, the geometric mean of max(logit, 0.5).
    stride : int, optional
        Pixels of the resized photo from one place to the next; by default, and at most, the network's own (32).
    fit_mode : str, default "crop"
        How the photo becomes the ordinary input that the class and its probability come from; see ``fit``.
    control : Control, default Control()
        Gets (done, sizes).

    Returns
    -------
    Heat
        ``maps`` (targets, h, w) on the resized photo; ``geometry.to_photo(maps)`` brings them to the photo's pixels.

    Raises
    ------
    InvalidRequest
        For settings that do not fit.
    MethodError
        For a network that has no class at each place, and for photos that are too narrow.

    Notes
    -----
    With global pooling the mean of the logits over the places is the logit of the resized photo. A class whose logit is
    high at some place can have a low one on the mean: the class itself comes from the ordinary input.

    References
    ----------
    .. [1] Long, Shelhamer & Darrell, "Fully Convolutional Networks for Semantic Segmentation", 2015 (arXiv:1411.4038).

    Examples
    --------
    >>> photo = cnnviz.read_photo("sample_images/coffee.jpg")
    >>> found = cnnviz.heat(cnnviz.load_network(), photo)
    >>> found.geometry.to_photo(found.maps.numpy()).shape, found.peaks[0]
    """
    if not sizes or min(sizes) < 1:
        raise InvalidRequest(f"sizes {tuple(sizes)}: take at least one, of at least one pixel")
    inputs, ordinary = fit(photo, network, fit_mode)
    with torch.inference_mode():
        logits = network(inputs)[0].cpu()
    require_finite(network.name, logits)
    chosen = tuple(targets) if targets is not None else (int(logits.argmax()),)
    if any(not 0 <= index < len(logits) for index in chosen):
        raise InvalidRequest(f"classes {chosen}: {network.name} has {len(logits)}, counted from 0")
    grids = list[HeatGrid]()
    geometries = [whole_geometry(network, photo, size) for size in sizes]
    resized = [to_inputs([geometry.see(photo)]) for geometry in geometries]
    for one in resized:
        grids.append(heat_grid(network, one, chosen, stride))
        control.report(len(grids), len(sizes))
    largest = max(range(len(sizes)), key=lambda number: geometries[number].size)
    maps = torch.from_numpy(combine_grids(grids, geometries[largest].size))
    return Heat(logits, chosen, tuple(grids), maps, geometries[largest], ordinary, network=network,
                inputs=resized[largest])  # fmt: skip


def whole_geometry(network: Network, photo: Photo, size: int) -> Geometry:
    """Return the geometry of a whole photo (H, W, 3) resized to a shorter side, in multiples of the network's stride.

    Raises MethodError for a network that has no class at each place, and for a photo that becomes too large.
    """
    stride, own = dense_plan(network).stride, network.preprocessing
    height, width = photo.shape[:2]
    scale = size / (min(height, width) * stride)
    resized = max(1, round(height * scale)) * stride, max(1, round(width * scale)) * stride
    if resized[0] * resized[1] > LARGEST:
        raise MethodError(f"becomes {resized[1]}x{resized[0]} pixels ({width}x{height} with a shorter side of {size}): "
                          f"more than {LARGEST // 10**6} megapixels; take a smaller size")  # fmt: skip
    return Geometry((height, width), resized, (0, 0), resized, own.interpolation)


def bounded_side(photo: Photo, side: int) -> int:
    """Return a shorter side for a whole photo (H, W, 3) in ``heat``, less where it would have more than NARROW pixels.

    Raises MethodError for a photo without pixels.
    """
    require_pixels(photo.shape[:2])
    return min(side, int(sqrt(NARROW * min(photo.shape[:2]) / max(photo.shape[:2]))))


def heat_grid(network: Network, inputs: Tensor, targets: Sequence[int], stride: int | None = None) -> HeatGrid:
    """Return the logits of classes at the places of an input (1, 3, h, w); raises as ``heat``."""
    found = dense_logits(network, inputs, stride, fused=True)
    values = found.values[..., list(targets)].permute(2, 0, 1).float().cpu().numpy()
    return HeatGrid(values, (inputs.shape[-2], inputs.shape[-1]), found.stride, found.first)


def combine_grids(grids: Sequence[HeatGrid], size: tuple[int, int]) -> NDArray[np.float32]:
    """Return the maps (targets, h, w) of one scale, or the geometric mean of several, on a photo of ``size``."""
    if len(grids) == 1:
        return grids[0].sample(size)
    logs = sum((np.log(grid.sample(size).clip(min=LOWEST)) for grid in grids), np.float32(0))
    combined: NDArray[np.float32] = np.exp(logs / np.float32(len(grids)))
    return combined
