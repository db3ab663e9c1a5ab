"""Where a sticker goes on a photo, as ``cnnviz sticker`` is told, and the way from there to the network."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cnnviz.errors import InvalidRequest, MethodError, PhotoError, printable

if TYPE_CHECKING:
    from torch import Tensor

    from cnnviz.adversarial.patch import Scene
    from cnnviz.adversarial.placement import Placement
    from cnnviz.io.color import Photo
    from cnnviz.models.network import Network
    from cnnviz.models.preprocess import Geometry

TEXELS = 64  # along the sticker's longer side
NUMBER = r"\d{1,6}(?:\.\d{1,3})?"


class Region(click.ParamType):  # type: ignore[type-arg,unused-ignore]
    """Corners x,y with spaces between them, or the name of a file that is there."""

    name = "region"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str | Path:
        """Return the corners as text, or the mask's path."""
        if isinstance(value, Path):
            return value
        if len(words := value.split()) >= 3 and all(re.fullmatch(f"{NUMBER},{NUMBER}", word) for word in words):
            return " ".join(words)
        if not Path(value).is_file():
            kinds = "a file nor three or more corners x,y such as '40,60 200,60 120,180'"
            self.fail(f"{printable(value)!r} is neither {kinds}", param, ctx)
        return Path(value)


def read_region(region: str | Path, photo: "Photo", options: Mapping[str, Any]) -> "Placement":
    """Return where the sticker goes on a photo."""
    from cnnviz.adversarial.placement import mask_placement, polygon_placement
    from cnnviz.io.photo import read_photo

    height, width = photo.shape[:2]
    if isinstance(region, str):
        corners = [tuple(map(float, word.split(","))) for word in region.split()]
        return polygon_placement([(x, y) for x, y in corners], (height, width))
    try:
        drawn = read_photo(region, max_pixels=options["max_pixels"], background="black")
    except PhotoError as error:
        raise MethodError(f"{printable(str(region))}: {error}") from error
    if drawn.shape != photo.shape:
        (h, w), name = drawn.shape[:2], printable(str(region))
        raise MethodError(f"{name}: a mask of {w}x{h} pixels does not fit the photo of {width}x{height}")
    return mask_placement(drawn.max(2))


@dataclass(frozen=True)
class PatchScene:
    """A photo, the place of its sticker, the way to the network, and the class ``goal`` it is to be taken for."""

    photo: "Photo"
    place: "Placement"
    geometry: "Geometry"
    network: "Network"
    goal: int

    def check(self) -> "Tensor":
        """Return the logits (classes,) for the bare photo. Raises where there is nothing to do, or to see."""
        logits = self.logits(self.photo)
        if self.goal >= len(logits):
            raise InvalidRequest(f"no class {self.goal}: {self.network.name} has {len(logits)}, counted from 0")
        if self.goal == int(logits.argmax()):
            raise MethodError(f"is taken for {self.network.class_name(self.goal)} already")
        if self.area() == 0:
            raise MethodError("the network does not see the region: it lies outside its crop; try --fit pad")
        return logits

    def logits(self, photo: "Photo") -> "Tensor":
        """Return the logits (classes,) for the photo, whatever was laid onto it, in the fixed view."""
        import torch

        from cnnviz.models.preprocess import to_inputs

        with torch.inference_mode():
            return self.network(to_inputs([self.geometry.see(photo)]))[0].float().cpu()

    def area(self) -> float:
        """Return the share of the network's input that the sticker covers in the fixed view."""
        mask = self.place.mask
        return float(self.geometry.see(_coloured(mask))[..., 0].mean() / 255)

    def card(self, photo: "Photo") -> "Tensor":
        """Return a photo as the camera sees it: all of it, resized as for the network, (1, 3, h, w)."""
        from cnnviz.models.preprocess import to_inputs

        whole = replace(self.geometry, offset=(0, 0), size=self.geometry.resized)
        return to_inputs([whole.see(photo)])

    def frame(self) -> "Tensor":
        """Return the homography from places in the network's input to places on the card, -1 to 1."""
        import torch

        (h, w), (top, left), (high, wide) = self.geometry.size, self.geometry.offset, self.geometry.resized
        rows = [[w / wide, 0, (2 * left + w) / wide - 1], [0, h / high, (2 * top + h) / high - 1], [0, 0, 1]]
        return torch.tensor(rows)

    def scene(self) -> "Scene":
        """Return what the method paints in."""
        import numpy as np
        import torch

        from cnnviz.adversarial.patch import Scene

        height, width = self.photo.shape[:2]
        to_pixels = np.array([[width / 2, 0, width / 2], [0, height / 2, height / 2], [0, 0, 1]])
        onto = np.array([[2, 0, -1], [0, 2, -1], [0, 0, 1]]) @ self.place.onto @ to_pixels
        mask = self.card(_coloured(self.place.mask))[:, :1]
        return Scene(self.card(self.photo), mask, torch.from_numpy(onto).float(), self.frame(), self.geometry.size)

    def texels(self) -> tuple[int, int]:
        """Return the height and width of the sticker's texture."""
        longer = max(self.place.size)
        high, wide = (max(2, round(TEXELS * side / longer)) for side in self.place.size)
        return high, wide


def _coloured(mask: Any) -> "Photo":
    import numpy as np

    return np.repeat(mask[..., None], 3, 2)
