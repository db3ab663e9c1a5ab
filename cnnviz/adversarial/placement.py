"""Planar placement of an image on a photo: inside a polygon, or where a mask is white."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from cnnviz.errors import PhotoError
from cnnviz.io.color import Photo

Corners = Sequence[tuple[float, float]]
EDGE = 4  # pixels repeated around an image: what is sampled beyond it would be black


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
        rows, columns = (np.flatnonzero(self.mask.any(axis)) for axis in (1, 0))
        return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1

    def composite(self, photo: Photo, image: Photo) -> Photo:
        """Return a photo (H, W, 3) with an image (h, w, 3) of any size placed on it."""
        left, top, right, bottom = self.box
        height, width = (max(1, round(side)) for side in self.size)
        small = Image.fromarray(image).resize((width, height), Image.Resampling.LANCZOS)
        homography = np.diag([width, height, 1.0]) @ self.onto @ np.array([[1, 0, left], [0, 1, top], [0, 0, 1.0]])
        numbers = (homography / homography[2, 2]).ravel()[:8].tolist()
        box = (right - left, bottom - top)
        warped = _padded(small).transform(box, Image.Transform.PERSPECTIVE, _shifted(numbers), Image.Resampling.BICUBIC)
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


def _padded(image: Image.Image) -> Image.Image:
    return Image.fromarray(np.pad(np.asarray(image), ((EDGE, EDGE), (EDGE, EDGE), (0, 0)), "edge"))


def _shifted(numbers: list[float]) -> list[float]:
    """Return the coefficients of a homography whose results lie EDGE further right and down."""
    a, b, c, d, e, f, g, h = numbers
    return [a + EDGE * g, b + EDGE * h, c + EDGE, d + EDGE * g, e + EDGE * h, f + EDGE, g, h]


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
    if len(corners) == 4 and _convex(corners):
        a, b, c, d = map(np.array, corners)
        size = (np.linalg.norm(d - a) + np.linalg.norm(c - b)) / 2, (np.linalg.norm(b - a) + np.linalg.norm(c - d)) / 2
        return _checked(Placement(mask, (float(size[0]), float(size[1])), _homography(corners)))
    return _checked(_upright(mask))


def mask_placement(mask: NDArray[np.uint8]) -> Placement:
    """Return the placement where a mask (H, W) is white; the image fills the bounding box."""
    return _checked(_upright(np.where(mask > 127, 255, 0).astype(np.uint8)))


def _checked(placement: Placement) -> Placement:
    left, top, right, bottom = placement.box if placement.mask.any() else (0, 0, 0, 0)
    if min(right - left, bottom - top) < 2:
        raise PhotoError("the region covers nothing of the photo")
    return placement


def _upright(mask: NDArray[np.uint8]) -> Placement:
    if not mask.any():
        return Placement(mask, (0.0, 0.0), np.eye(3))
    left, top, right, bottom = Placement(mask, (0.0, 0.0), np.eye(3)).box
    width, height = right - left, bottom - top
    onto = np.array([[1 / width, 0, -left / width], [0, 1 / height, -top / height], [0, 0, 1.0]])
    return Placement(mask, (float(height), float(width)), onto)


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
