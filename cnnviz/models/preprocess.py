"""The network's input from a photograph, and the Geometry that carries maps back onto it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from cnnviz.io.color import Photo

if TYPE_CHECKING:
    from torch import Tensor

    from cnnviz.models.network import Network

STRIP = 128  # rows of a photograph that a slope is carried to at a time


@dataclass(frozen=True)
class Geometry:
    """Where each pixel of the network's input lies on the photograph.

    ``photo`` (H, W); ``resized`` (h, w) the photograph after the resize; ``offset`` (y, x) of the input's top left
    corner on that (negative where the input was padded); ``size`` (h, w) of the input. All in pixels. ``kind`` of the
    resize, "bilinear" or "bicubic", and the ``border`` colour of what was padded, RGB of 0 to 255.
    """

    photo: tuple[int, int]
    resized: tuple[int, int]
    offset: tuple[int, int]
    size: tuple[int, int]
    kind: str = "bilinear"
    border: tuple[int, ...] = (0, 0, 0)

    def see(self, photo: Photo) -> Photo:
        """Return what the network is shown of a photograph (H, W, 3): resized on 8 bits, cropped; uint8 (h, w, 3)."""
        if self.photo == self.resized == self.size:
            return photo
        kind = Image.Resampling.BICUBIC if self.kind == "bicubic" else Image.Resampling.BILINEAR
        small = Image.fromarray(photo).resize(self.resized[::-1], kind)
        canvas = Image.new("RGB", self.size[::-1], self.border)
        canvas.paste(small, (-self.offset[1], -self.offset[0]))
        return np.asarray(canvas)

    def back(self, slope: NDArray[np.float32]) -> NDArray[np.float32]:
        """Carry a slope (3, h, w) in what ``see`` gives back to the photograph, (H, W, 3): the resize's transpose.

        As if nothing were rounded. A strip of the photograph hangs on few rows of the input, so it is made in strips.
        """
        if self.photo == self.resized == self.size:
            return np.ascontiguousarray(slope.transpose(1, 2, 0))
        down, across = (
            resampling(self.photo[axis], self.resized[axis], self.kind, self.offset[axis], self.size[axis])
            for axis in (0, 1)
        )
        wide = np.stack([plane @ across for plane in slope], -1).reshape(self.size[0], -1)
        found = np.empty((*self.photo, 3), np.float32)
        for top in range(0, self.photo[0], STRIP):
            part = down[:, top : top + STRIP]
            rows = np.flatnonzero(part.any(1))
            near = slice(rows[0], rows[-1] + 1) if len(rows) else slice(0)
            np.matmul(part[near].T, wide[near], out=found[top : top + STRIP].reshape(part.shape[1], -1))
        return found

    def to_photo(self, maps: NDArray[Any], rows: slice | None = None) -> NDArray[np.float32]:
        """Carry maps (..., h, w) on the input to the photograph's own pixels, (..., H, W), bilinear.

        NaN where the network did not look. ``rows`` takes a strip of the photograph, so that a large one costs
        no more memory than the strip.
        """
        ys, xs = self._sources(0), self._sources(1)
        if rows is not None:
            ys = ys[rows]
        values = np.asarray(maps, np.float32)
        wide = _interpolate(values, xs, self.size[1], axis=-1)
        return _interpolate(wide, ys, self.size[0], axis=-2)

    def to_input(self, maps: NDArray[Any]) -> NDArray[np.float32]:
        """Carry maps (..., H, W) on the photograph to the network's input, (..., h, w): its own resize and crop.

        Bilinear with antialiasing, on floats. NaN takes no part in what is averaged; it is left where there is
        nothing else, and where the input was padded.
        """
        values = np.asarray(maps, np.float32)
        carried = np.full((*values.shape[:-2], *self.size), np.nan, np.float32)
        (top, left), (height, width) = self.offset, self.size
        for index in np.ndindex(values.shape[:-2]):
            small = _shrink(values[index], self.resized)
            seen = small[max(top, 0) : max(top + height, 0), max(left, 0) : max(left + width, 0)]
            y, x = max(-top, 0), max(-left, 0)
            carried[index][y : y + seen.shape[0], x : x + seen.shape[1]] = seen
        return carried

    def box(self) -> tuple[int, int, int, int]:
        """Return the part of the photograph that the network saw: left, top, right, bottom in whole pixels."""
        inside = [np.flatnonzero(_inside(self._sources(axis), self.size[axis])) for axis in (0, 1)]
        (top, bottom), (left, right) = [(int(a[0]), int(a[-1]) + 1) if len(a) else (0, 0) for a in inside]
        return left, top, right, bottom

    def _sources(self, axis: int) -> NDArray[np.float64]:
        """For each pixel of the photograph along an axis, its place on the input (pixel centres at integers)."""
        centres = np.arange(self.photo[axis]) + 0.5
        places = centres * (self.resized[axis] / self.photo[axis]) - self.offset[axis] - 0.5
        # Rounded, so that what falls on a pixel's centre does not touch its neighbour.
        return places.round(9).astype(np.float64)


def resampling(old: int, new: int, kind: str, start: int, size: int) -> NDArray[np.float32]:
    """Return the matrix (size, old) of Pillow's antialiased resize along an axis, from ``start`` on; 0 beyond its ends.

    Each row holds the weights of a pixel of the result; bicubic is Keys 1981, "Cubic Convolution Interpolation",
    equation 4, with a = -1/2.
    """
    low, high = max(start, 0), min(start + size, new)  # a strip may be resized to a hundred times what is seen of it
    if old == new:  # Pillow copies
        weights = np.eye(high - low, new, low)
    else:
        scale = old / new
        wide = max(scale, 1.0)
        reach = (2.0 if kind == "bicubic" else 1.0) * wide
        centres = (np.arange(low, high)[:, None] + 0.5) * scale
        places = np.arange(old)[None]
        first, last = np.floor(centres - reach + 0.5), np.floor(centres + reach + 0.5)
        x = np.abs(places - centres + 0.5) / wide
        weights = np.where((places >= first) & (places < last), _cubic(x) if kind == "bicubic" else (1 - x).clip(0), 0)
        weights /= weights.sum(1, keepdims=True)
    found = np.zeros((size, old), np.float32)
    found[low - start : high - start] = weights
    return found


def _cubic(x: NDArray[np.float64]) -> NDArray[np.float64]:
    near, far = (1.5 * x - 2.5) * x * x + 1, ((-0.5 * x + 2.5) * x - 4) * x + 2
    found: NDArray[np.float64] = np.where(x < 1, near, np.where(x < 2, far, 0))
    return found


def _inside(places: NDArray[np.float64], size: int) -> NDArray[np.bool_]:
    return (places >= -0.5) & (places <= size - 0.5)


def _interpolate(maps: NDArray[np.float32], places: NDArray[np.float64], size: int, axis: int) -> NDArray[np.float32]:
    """Sample maps at places along an axis, linearly, NaN outside; the border pixel reaches half a pixel out."""
    clamped = places.clip(0, size - 1)
    low = np.floor(clamped).astype(np.intp)
    weight = (clamped - low).astype(np.float32)
    shape = [1] * maps.ndim
    shape[axis] = -1
    part = weight.reshape(shape)
    below, above = maps.take(low, axis), maps.take(np.minimum(low + 1, size - 1), axis)
    # where, not a sum: a NaN neighbour of weight 0 must not spread.
    mixed = np.where(part == 0, below, below + (above - below) * part)
    return np.where(_inside(places, size).reshape(shape), mixed, np.float32(np.nan))


def _shrink(values: NDArray[np.float32], size: tuple[int, int]) -> NDArray[np.float32]:
    """Resize a map (H, W) to ``size`` (h, w); what is NaN weighs nothing."""
    known = ~np.isnan(values)
    sums, weights = (
        np.asarray(Image.fromarray(part.astype(np.float32)).resize(size[::-1], Image.Resampling.BILINEAR))
        for part in (np.where(known, values, 0), known)
    )
    small = np.full(size, np.nan, np.float32)
    np.divide(sums, weights, out=small, where=weights > 1e-6)
    return small


def to_inputs(pictures: Sequence[Photo]) -> "Tensor":
    """Return 8-bit pictures of one size (h, w, 3) as a network takes them: (N, 3, h, w), float32 RGB in [0, 1]."""
    import torch

    return torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2).float().div_(255).contiguous()


def fit(photo: Photo, network: "Network", fit: str = "crop") -> tuple["Tensor", Geometry]:
    """Return the network's input (1, 3, h, w), float32 RGB in [0, 1], and the way back to the photograph.

    ``fit``: "crop" is the network's own recipe, resize of the shorter side and centre crop; "squash" resizes
    to the input's size whatever the shape; "pad" keeps the shape and fills with the network's mean colour; "whole"
    takes every pixel of the photograph as it is, for fully convolutional networks.
    """
    geometry = geometry_for(photo.shape[:2], network, fit)
    return to_inputs([geometry.see(photo)]), geometry


def geometry_for(size: tuple[int, ...], network: "Network", fit: str = "crop") -> Geometry:
    """Return where a network's input lies on a photograph of a size (H, W); ``fit`` as in ``fit``.

    Raises MethodError for one without pixels, or too narrow.
    """
    from cnnviz.errors import MethodError

    recipe, (height, width) = network.recipe, size
    h, w = recipe.size
    if min(height, width) < 1:
        raise MethodError("has no pixels")
    if fit == "whole":
        return Geometry((height, width), (height, width), (0, 0), (height, width))
    resized, offset = _plan(fit, (height, width), recipe.size, recipe.resize)
    if max(resized) > 64 * max(h, w):
        raise MethodError(f"is too narrow ({width}x{height}) for this network's crop; try --fit pad or squash")
    colour = tuple(round(255 * m) for m in recipe.mean)
    return Geometry((height, width), resized, offset, recipe.size, recipe.interpolation, colour)


def _plan(fit: str, photo: tuple[int, int], size: tuple[int, int], resize: int) -> tuple[tuple[int, int], Any]:
    (height, width), (h, w) = photo, size
    if fit == "squash":
        return size, (0, 0)
    if fit == "pad":
        scale = min(h / height, w / width)
        resized = max(1, round(height * scale)), max(1, round(width * scale))
        return resized, ((resized[0] - h) // 2, (resized[1] - w) // 2)
    # torchvision's and timm's rule: the long side is truncated, the crop's corner rounded
    short = min(height, width)
    resized = int(resize * height / short), int(resize * width / short)
    return resized, (round((resized[0] - h) / 2), round((resized[1] - w) / 2))
