"""A photo with a region for a patch, and its way to the network."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from cnnviz.adversarial.patch_texture import Scene
from cnnviz.errors import InvalidRequest, MethodError, PhotoError
from cnnviz.io.color import Photo
from cnnviz.io.photo import read_mask
from cnnviz.models.network import Network
from cnnviz.models.preprocess import Geometry, to_inputs

Corners = Sequence[tuple[float, float]]
EDGE = 4  # pixels repeated around an image: what is sampled beyond it would be black
TEXELS = 64  # along the patch's longer side


@dataclass(frozen=True)
class Placement:
    """Where a flat image lies on a photo.

    ``mask`` (H, W), uint8, 255 where the image covers the photo; ``size`` (height, width) of the image there, in pixels
    of the photo; ``onto`` (3, 3), the homography from x, y in pixels of the photo to 0 to 1 over the image.
    """

    mask: NDArray[np.uint8]
    size: tuple[float, float]
    onto: NDArray[np.float64]

    @property
    def box(self) -> tuple[int, int, int, int]:
        """The bounding box on the photo: left, top, right, bottom."""
        return covered_box(self.mask)

    def composite(self, photo: Photo, image: Photo) -> Photo:
        """Return a photo (H, W, 3) with an image (h, w, 3) of any size placed on it."""
        left, top, right, bottom = self.box
        height, width = (max(1, round(side)) for side in self.size)
        small = Image.fromarray(image).resize((width, height), Image.Resampling.LANCZOS)
        to_image = np.diag([width, height, 1.0]) @ self.onto @ np.array([[1, 0, left], [0, 1, top], [0, 0, 1.0]])
        to_padded = np.array([[1, 0, EDGE], [0, 1, EDGE], [0, 0, 1.0]]) @ (to_image / to_image[2, 2])
        padded = Image.fromarray(np.pad(np.asarray(small), ((EDGE, EDGE), (EDGE, EDGE), (0, 0)), "edge"))
        box, coefficients = (right - left, bottom - top), to_padded.ravel()[:8].tolist()
        warped = padded.transform(box, Image.Transform.PERSPECTIVE, coefficients, Image.Resampling.BICUBIC)
        result = photo.copy()
        part, covered = result[top:bottom, left:right], self.mask[top:bottom, left:right] > 127
        part[covered] = np.asarray(warped)[covered]
        return result

    def outline(self, size: tuple[int, int]) -> NDArray[np.bool_]:
        """Return which pixels of an image of ``size`` (h, w) are visible in the photo, (h, w), for cutting it out."""
        rows, columns = np.mgrid[: size[0], : size[1]] + 0.5
        points = np.stack((columns / size[1], rows / size[0], np.ones(size)), -1) @ np.linalg.inv(self.onto).T
        x, y = (np.floor(points[..., axis] / points[..., 2]).astype(int) for axis in (0, 1))
        height, width = self.mask.shape
        visible: NDArray[np.bool_] = self.mask[y.clip(0, height - 1), x.clip(0, width - 1)] > 127
        return visible


def polygon_placement(corners: Corners, photo: tuple[int, int]) -> Placement:
    """Return the placement inside a polygon, ``corners`` x, y in pixels of a photo of size ``photo`` (H, W).

    Four corners are a rectangle in perspective, clockwise from its upper left one. In any other polygon the image fills
    the bounding box. Raises PhotoError for a corner outside the photo, and for a polygon that encloses nothing.
    """
    height, width = photo
    for x, y in corners:
        if not (0 <= x <= width and 0 <= y <= height):
            raise PhotoError(f"the region's corner {x:g},{y:g} lies outside the photo of {width}x{height} pixels")
    mask = _inside(corners, photo)
    if len(corners) != 4 or not _convex(corners):
        return mask_placement(mask)
    covered_box(mask)
    a, b, c, d = map(np.array, corners)
    size = (np.linalg.norm(d - a) + np.linalg.norm(c - b)) / 2, (np.linalg.norm(b - a) + np.linalg.norm(c - d)) / 2
    return Placement(mask, (float(size[0]), float(size[1])), _homography(corners))


def mask_placement(mask: NDArray[np.uint8]) -> Placement:
    """Return the placement where a mask (H, W) is white; the image fills the bounding box."""
    white = np.where(mask > 127, 255, 0).astype(np.uint8)
    left, top, right, bottom = covered_box(white)
    width, height = right - left, bottom - top
    onto = np.array([[1 / width, 0, -left / width], [0, 1 / height, -top / height], [0, 0, 1.0]])
    return Placement(white, (float(height), float(width)), onto)


def covered_box(mask: NDArray[np.uint8]) -> tuple[int, int, int, int]:
    """Return left, top, right, bottom of what a mask (H, W) covers. Raises PhotoError below two pixels either way."""
    rows, columns = (np.flatnonzero(mask.any(axis)) for axis in (1, 0))
    if not len(rows) or min(np.ptp(rows), np.ptp(columns)) < 1:
        raise PhotoError("the region covers nothing of the photo")
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1


def _inside(corners: Corners, photo: tuple[int, int]) -> NDArray[np.uint8]:
    """Return 255 for the pixels of a photo (H, W) whose centres lie inside a polygon."""
    y, x = (np.arange(side) + 0.5 for side in photo)
    inside = np.zeros(photo, np.bool_)
    for (x0, y0), (x1, y1) in zip(corners, (*corners[1:], corners[0]), strict=True):
        rows = np.flatnonzero((y0 <= y) != (y1 <= y))
        if len(rows):  # each side inverts whatever lies right of it
            inside[rows] ^= x > (x0 + (y[rows] - y0) * (x1 - x0) / (y1 - y0))[:, None]
    return np.where(inside, 255, 0).astype(np.uint8)


def _convex(corners: Corners) -> bool:
    """Return whether a polygon turns clockwise at every corner, y pointing down."""
    points = np.array(corners, np.float64)
    sides = np.roll(points, -1, 0) - points
    following = np.roll(sides, -1, 0)
    return bool((sides[:, 0] * following[:, 1] - sides[:, 1] * following[:, 0] > 0).all())


def _homography(corners: Corners) -> NDArray[np.float64]:
    """Return the homography from four corners to those of the unit square, clockwise from the upper left."""
    rows, values = [], []
    for (x, y), (u, v) in zip(corners, ((0, 0), (1, 0), (1, 1), (0, 1)), strict=True):
        rows += [[x, y, 1, 0, 0, 0, -u * x, -u * y], [0, 0, 0, x, y, 1, -v * x, -v * y]]
        values += [u, v]
    return np.append(np.linalg.solve(np.array(rows, np.float64), np.array(values, np.float64)), 1).reshape(3, 3)


@dataclass(frozen=True)
class PatchScene:
    """A photo (H, W, 3), uint8, the placement of its patch, a network, and the class ``goal`` to be fooled into."""

    photo: Photo
    placement: Placement
    geometry: Geometry
    network: Network
    goal: int

    def clean_logits(self) -> Tensor:
        """Return the logits (classes,) of the bare photo. Raises where there is nothing to attack."""
        logits = self.logits(self.photo)
        if self.goal >= len(logits):
            raise InvalidRequest(f"no class {self.goal}: {self.network.name} has {len(logits)}, counted from 0")
        if self.goal == int(logits.argmax()):
            raise MethodError(f"is classified as {self.network.class_name(self.goal)} already")
        if self.area() == 0:
            raise MethodError("the region lies outside the network's crop; try --fit pad")
        return logits

    def logits(self, photo: Photo) -> Tensor:
        """Return the logits (classes,) of the photo, with or without a patch, in the fixed view."""
        with torch.inference_mode():
            return self.network(to_inputs([self.geometry.see(photo)]))[0].float().cpu()

    def area(self) -> float:
        """Return the share of the network's input that the patch covers in the fixed view."""
        return float(self.geometry.see(_as_rgb(self.placement.mask))[..., 0].mean() / 255)

    def card(self, photo: Photo) -> Tensor:
        """Return a photo as the camera's flat card: all of it, resized as for the network, (1, 3, h, w)."""
        uncropped = replace(self.geometry, offset=(0, 0), size=self.geometry.resized)
        return to_inputs([uncropped.see(photo)])

    def frame(self) -> Tensor:
        """Return the homography (3, 3) from the network's input to the card, in coordinates from -1 to 1."""
        (h, w), (top, left), (height, width) = self.geometry.size, self.geometry.offset, self.geometry.resized
        rows = [[w / width, 0, (2 * left + w) / width - 1], [0, h / height, (2 * top + h) / height - 1], [0, 0, 1]]
        return torch.tensor(rows)

    def scene(self) -> Scene:
        """Return the tensors that the texture is optimised with."""
        height, width = self.photo.shape[:2]
        to_pixels = np.array([[width / 2, 0, width / 2], [0, height / 2, height / 2], [0, 0, 1]])
        onto = np.array([[2, 0, -1], [0, 2, -1], [0, 0, 1]]) @ self.placement.onto @ to_pixels
        mask = self.card(_as_rgb(self.placement.mask))[:, :1]
        return Scene(self.card(self.photo), mask, torch.from_numpy(onto).float(), self.frame(), self.geometry.size)

    def texels(self) -> tuple[int, int]:
        """Return the height and width of the patch's texture."""
        longer = max(self.placement.size)
        height, width = (max(2, round(TEXELS * side / longer)) for side in self.placement.size)
        return height, width


def _as_rgb(mask: NDArray[np.uint8]) -> Photo:
    return np.repeat(mask[..., None], 3, 2)


def read_region(region: str | Path, size: tuple[int, int], max_pixels: int) -> Placement:
    """Return where a patch goes on a photo of ``size`` (H, W).

    ``region``: corners in pixels, such as "40,60 200,60 120,180", or the path of a mask of the photo's size.
    """
    if isinstance(region, str):
        corners = [tuple(map(float, word.split(","))) for word in region.split()]
        return polygon_placement([(x, y) for x, y in corners], size)
    return mask_placement(read_mask(region, size, max_pixels=max_pixels))
