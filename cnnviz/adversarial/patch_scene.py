"""A photo with a region for a patch, and its way to the network."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cnnviz.adversarial.patch_texture import Scene
from cnnviz.adversarial.placement import Placement, mask_placement, polygon_placement
from cnnviz.errors import InvalidRequest, MethodError
from cnnviz.io.color import Photo
from cnnviz.io.header import MAX_PIXELS
from cnnviz.io.photo import read_mask
from cnnviz.models.network import Network
from cnnviz.models.preprocess import Geometry, to_inputs

TEXELS = 64  # along the patch's longer side


def read_region(region: str | Path, size: tuple[int, int], max_pixels: int = MAX_PIXELS) -> Placement:
    """Return where a patch goes on a photo of ``size`` (H, W).

    ``region``: corners in pixels, such as "40,60 200,60 120,180", or the path of a mask of the photo's size.
    """
    if isinstance(region, str):
        corners = [tuple(map(float, word.split(","))) for word in region.split()]
        return polygon_placement([(x, y) for x, y in corners], size)
    return mask_placement(read_mask(region, size, max_pixels=max_pixels))


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
