"""Photos as network inputs, and the geometry between them: maps and gradients back on the photo."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from cnnviz.io.color import Photo

if TYPE_CHECKING:
    from torch import Tensor

    from cnnviz.models.network import Network

STRIP = 128  # rows of a photo for which a gradient is computed at a time


@dataclass(frozen=True)
class Geometry:
    """The position of the network's input on a photo.

    ``photo`` (H, W); ``resized`` (h, w), the size of the photo after the resize; ``offset`` (y, x) of the input's top
    left corner on the resized photo (negative with padding); ``size`` (h, w) of the input; all in pixels. ``kind`` of
    interpolation, "bilinear" or "bicubic"; ``border``: the colour of the padding, RGB of 0 to 255.
    """

    photo: tuple[int, int]
    resized: tuple[int, int]
    offset: tuple[int, int]
    size: tuple[int, int]
    kind: str = "bilinear"
    border: tuple[int, ...] = (0, 0, 0)

    def see(self, photo: Photo) -> Photo:
        """Return the network's input for a photo (H, W, 3): resized on 8 bits, cropped or padded; uint8 (h, w, 3)."""
        if self.photo == self.resized == self.size:
            return photo
        kind = Image.Resampling.BICUBIC if self.kind == "bicubic" else Image.Resampling.BILINEAR
        small = Image.fromarray(photo).resize(self.resized[::-1], kind)
        canvas = Image.new("RGB", self.size[::-1], self.border)
        canvas.paste(small, (-self.offset[1], -self.offset[0]))
        return np.asarray(canvas)

    def back(self, gradient: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the gradient in the photo (H, W, 3) for one in the result of ``see`` (3, h, w), not rounded."""
        if self.photo == self.resized == self.size:
            return np.ascontiguousarray(gradient.transpose(1, 2, 0))
        vertical, horizontal = (
            resampling_matrix(self.photo[axis], self.resized[axis], self.kind, self.offset[axis], self.size[axis])
            for axis in (0, 1)
        )
        # by strips: a strip of the photo depends on few rows of the input
        widened = np.stack([plane @ horizontal for plane in gradient], -1).reshape(self.size[0], -1)
        result = np.empty((*self.photo, 3), np.float32)
        for top in range(0, self.photo[0], STRIP):
            part = vertical[:, top : top + STRIP]
            rows = np.flatnonzero(part.any(1))
            nonzero = slice(rows[0], rows[-1] + 1) if len(rows) else slice(0)
            np.matmul(part[nonzero].T, widened[nonzero], out=result[top : top + STRIP].reshape(part.shape[1], -1))
        return result

    def to_photo(self, maps: NDArray[np.number], rows: slice | None = None) -> NDArray[np.float32]:
        """Resample maps (..., h, w) on the input to ``rows`` of the photo, (..., H, W); NaN outside the crop."""
        ys, xs = self._sources(0)[rows or slice(None)], self._sources(1)
        widened = self._sampled(np.asarray(maps, np.float32), xs, axis=-1)
        return self._sampled(widened, ys, axis=-2)

    def _sampled(self, maps: NDArray[np.float32], places: NDArray[np.float64], axis: int) -> NDArray[np.float32]:
        """Sample maps at positions along an axis; NaN more than half a pixel outside the input."""
        inside = _inside(places, self.size[axis]).reshape(_along(axis, maps.ndim))
        sampled: NDArray[np.float32] = np.where(inside, interpolate(maps, places, axis), np.float32(np.nan))
        return sampled

    def to_input(self, maps: NDArray[np.floating]) -> NDArray[np.float32]:
        """Resample maps (..., H, W) on the photo to the input, (..., h, w), antialiased; NaN without values."""
        values = np.asarray(maps, np.float32)
        result = np.full((*values.shape[:-2], *self.size), np.nan, np.float32)
        (top, left), (height, width) = self.offset, self.size
        for index in np.ndindex(values.shape[:-2]):
            valid = ~np.isnan(values[index])
            sums, weights = (
                np.asarray(
                    Image.fromarray(part.astype(np.float32)).resize(self.resized[::-1], Image.Resampling.BILINEAR)
                )
                for part in (np.where(valid, values[index], 0), valid)
            )
            small = np.full(self.resized, np.nan, np.float32)
            np.divide(sums, weights, out=small, where=weights > 1e-6)
            crop = small[max(top, 0) : max(top + height, 0), max(left, 0) : max(left + width, 0)]
            y, x = max(-top, 0), max(-left, 0)
            result[index][y : y + crop.shape[0], x : x + crop.shape[1]] = crop
        return result

    def box(self) -> tuple[int, int, int, int]:
        """Return the part of the photo in the network's input: left, top, right, bottom in whole pixels."""
        inside = [np.flatnonzero(_inside(self._sources(axis), self.size[axis])) for axis in (0, 1)]
        (top, bottom), (left, right) = [(int(a[0]), int(a[-1]) + 1) if len(a) else (0, 0) for a in inside]
        return left, top, right, bottom

    def on_photo(self) -> NDArray[np.bool_]:
        """Return which pixels (h, w) of the input show the photo, not the padding around it."""
        rows, columns = (
            _inside(np.arange(side, dtype=np.float64) + offset, full)
            for side, offset, full in zip(self.size, self.offset, self.resized, strict=True)
        )
        return np.logical_and.outer(rows, columns)

    def _sources(self, axis: int) -> NDArray[np.float64]:
        """Return the position on the input of each pixel of the photo along an axis (pixel centres at integers)."""
        centres = np.arange(self.photo[axis]) + 0.5
        places = centres * (self.resized[axis] / self.photo[axis]) - self.offset[axis] - 0.5
        # Rounded, so that a position at a pixel's centre gives its neighbour no weight.
        return places.round(9).astype(np.float64)


def resampling_matrix(old: int, new: int, kind: str, start: int, size: int) -> NDArray[np.float32]:
    """Return the matrix (size, old) of Pillow's antialiased resize along an axis from ``old`` to ``new`` pixels.

    Its rows are the result's pixels from ``start`` on; bicubic is Keys 1981, equation 4, with a = -1/2.
    """
    low, high = max(start, 0), min(start + size, new)  # a narrow photo may be resized to a hundred times the crop
    if old == new:  # Pillow copies
        weights = np.eye(high - low, new, low)
    else:
        scale = old / new
        stretch = max(scale, 1.0)
        reach = (2.0 if kind == "bicubic" else 1.0) * stretch
        centres = (np.arange(low, high)[:, None] + 0.5) * scale
        places = np.arange(old)[None]
        first, last = np.floor(centres - reach + 0.5), np.floor(centres + reach + 0.5)
        x = np.abs(places - centres + 0.5) / stretch
        if kind == "bicubic":
            near, far = (1.5 * x - 2.5) * x * x + 1, ((-0.5 * x + 2.5) * x - 4) * x + 2
            weights = np.where(x < 1, near, np.where(x < 2, far, 0))
        else:
            weights = (1 - x).clip(0)
        weights = np.where((places >= first) & (places < last), weights, 0)
        weights /= weights.sum(1, keepdims=True)
    matrix = np.zeros((size, old), np.float32)
    matrix[low - start : high - start] = weights
    return matrix


def _inside(places: NDArray[np.float64], size: int) -> NDArray[np.bool_]:
    return (places >= -0.5) & (places <= size - 0.5)


def _along(axis: int, axes: int) -> list[int]:
    """Return the shape of values (n,) that go along one of so many axes."""
    shape = [1] * axes
    shape[axis] = -1
    return shape


def interpolate(maps: NDArray[np.float32], places: NDArray[np.float64], axis: int) -> NDArray[np.float32]:
    """Sample maps at positions along an axis, linearly, centres at integers; beyond the ends the values stay."""
    size = maps.shape[axis]
    clamped = places.clip(0, size - 1)
    low = np.floor(clamped).astype(np.intp)
    part = (clamped - low).astype(np.float32).reshape(_along(axis, maps.ndim))
    below, above = maps.take(low, axis), maps.take(np.minimum(low + 1, size - 1), axis)
    # np.where, not a sum: a NaN neighbour of weight 0 must not spread.
    mixed: NDArray[np.float32] = np.where(part == 0, below, below + (above - below) * part)
    return mixed


def require_pixels(size: tuple[int, ...]) -> None:
    """Raise MethodError for a photo of a size (H, W) without pixels."""
    from cnnviz.errors import MethodError

    if min(size) < 1:
        raise MethodError("has no pixels")


def to_inputs(images: Sequence[Photo]) -> "Tensor":
    """Return images of one size, uint8 (h, w, 3), as a network's inputs: (N, 3, h, w), float32 RGB in [0, 1]."""
    import torch

    return torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2).float().div_(255).contiguous()


def fit(photo: Photo, network: "Network", fit: str = "crop") -> tuple["Tensor", Geometry]:
    """Make a photo a network's input.

    Parameters
    ----------
    photo : ndarray of uint8, shape (H, W, 3)
        RGB.
    network : Network
        Gives the input's size, the interpolation and the mean colour.
    fit : str, default "crop"
        "crop": the network's own preprocessing, resize of the shorter side and centre crop. "squash": resize to the
        input's size whatever the shape. "pad": keep the shape and pad with the network's mean colour. "whole": take all
        pixels of the photo as they are, for fully convolutional networks.

    Returns
    -------
    inputs : Tensor of float32, shape (1, 3, h, w)
        The network's input, RGB in [0, 1].
    geometry : Geometry
        Its place on the photo: ``geometry.to_photo`` brings maps (..., h, w) back to the photo's pixels.

    Raises
    ------
    MethodError
        For a photo without pixels, or too narrow for the crop.

    Examples
    --------
    >>> inputs, geometry = cnnviz.fit(cnnviz.read_photo("sample_images/coffee.jpg"), cnnviz.load_network())
    >>> geometry.box()
    (125, 25, 475, 375)
    """
    geometry = geometry_for(photo.shape[:2], network, fit)
    return to_inputs([geometry.see(photo)]), geometry


def geometry_for(size: tuple[int, ...], network: "Network", fit: str = "crop") -> Geometry:
    """Return the geometry of a network's input on a photo of a size (H, W); options and errors as in ``fit``."""
    from cnnviz.errors import MethodError

    own, (height, width) = network.preprocessing, size
    h, w = own.size
    require_pixels(size)
    if fit == "whole":
        return Geometry((height, width), (height, width), (0, 0), (height, width))
    if fit == "squash":
        resized, offset = own.size, (0, 0)
    elif fit == "pad":
        scale = min(h / height, w / width)
        resized = max(1, round(height * scale)), max(1, round(width * scale))
        offset = (resized[0] - h) // 2, (resized[1] - w) // 2
    else:  # torchvision's and timm's rule: the long side is truncated, the crop's corner rounded
        short = min(height, width)
        resized = int(own.resize * height / short), int(own.resize * width / short)
        offset = round((resized[0] - h) / 2), round((resized[1] - w) / 2)
    if max(resized) > 64 * max(h, w):
        raise MethodError(f"is too narrow ({width}x{height}) for this network's crop; try --fit pad or squash")
    colour = tuple(round(255 * m) for m in own.mean)
    return Geometry((height, width), resized, offset, own.size, own.interpolation, colour)
