"""What else may happen to a photograph on its way to a network: stored as JPEG, resized, blurred."""

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from PIL import Image, ImageFilter

from cnnviz.io.color import Photo
from cnnviz.models.preprocess import Geometry

SIZES = (232, 240, 248, 264, 272, 280, 288)  # of the shorter side, where the network's own is 256


@dataclass(frozen=True)
class InputTransform:
    """One way of a photograph to the network: what ``change`` does to its pixels, then ``geometry``."""

    name: str
    change: Callable[[Photo], Photo]
    geometry: Geometry

    def see(self, photo: Photo) -> Photo:
        """Return what the network is shown, uint8 (h, w, 3)."""
        return self.geometry.see(self.change(photo))


def identity(photo: Photo) -> Photo:
    """Leave a photograph as it is."""
    return photo


def reencode(photo: Photo, kind: str, quality: int) -> Photo:
    """Return a photograph as a file of this kind and quality gives it back."""
    file = io.BytesIO()
    Image.fromarray(photo).save(file, kind, quality=quality)
    return np.asarray(Image.open(file).convert("RGB"))


def blur(photo: Photo, radius: float) -> Photo:
    """Return a photograph blurred by a Gaussian of this deviation in pixels."""
    return np.asarray(Image.fromarray(photo).filter(ImageFilter.GaussianBlur(radius)))


CHANGES: dict[str, Callable[[Photo], Photo]] = {
    "jpeg90": partial(reencode, kind="JPEG", quality=90),
    "jpeg75": partial(reencode, kind="JPEG", quality=75),
    "webp80": partial(reencode, kind="WEBP", quality=80),
    "blur": partial(blur, radius=1.0),
}


def input_transforms(names: Sequence[str], geometry: Geometry) -> list[InputTransform]:
    """Return the views that each of ``catalog.SURVIVE`` stands for; "resize" for several sizes before the crop."""
    found = []
    for name in names:
        if name in CHANGES:
            found.append(InputTransform(name, CHANGES[name], geometry))
        elif name == "bilinear":
            found.append(InputTransform(name, identity, replace(geometry, kind="bilinear")))
        else:
            found += [InputTransform(f"resize{side}", identity, _resized(geometry, side / 256)) for side in SIZES]
    return found


def _resized(geometry: Geometry, by: float) -> Geometry:
    """Return a geometry whose resize is larger or smaller by a factor, its crop in the middle as before."""
    height, width = geometry.resized if geometry.resized == geometry.size else geometry.photo  # squashed, or in shape
    short = round(min(geometry.resized) * by)
    high, wide = (int(short * side / min(height, width)) for side in (height, width))  # the long side is truncated
    h, w = geometry.size
    return replace(geometry, resized=(high, wide), offset=(round((high - h) / 2), round((wide - w) / 2)))
