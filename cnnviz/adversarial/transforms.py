"""What may happen to a photo on its way to a network: re-encoding, resizing, blurring."""

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from PIL import Image, ImageFilter

from cnnviz.io.color import Photo
from cnnviz.models.preprocess import Geometry

SIZES = (232, 240, 248, 264, 272, 280, 288)  # of the shorter side in "resize", where the network's own is 256


@dataclass(frozen=True)
class InputTransform:
    """A change of a photo's pixels, followed by a preprocessing: ``change`` takes and returns uint8 (H, W, 3)."""

    name: str
    change: Callable[[Photo], Photo]
    geometry: Geometry

    def see(self, photo: Photo) -> Photo:
        """Return the network's input, uint8 (h, w, 3)."""
        return self.geometry.see(self.change(photo))


def identity(photo: Photo) -> Photo:
    """Return a photo as it is."""
    return photo


def reencode(photo: Photo, kind: str, quality: int) -> Photo:
    """Return a photo as decoded from a file of this format and quality."""
    file = io.BytesIO()
    Image.fromarray(photo).save(file, kind, quality=quality)
    return np.asarray(Image.open(file).convert("RGB"))


def blur(photo: Photo, radius: float) -> Photo:
    """Return a photo blurred by a Gaussian of this standard deviation, in pixels."""
    return np.asarray(Image.fromarray(photo).filter(ImageFilter.GaussianBlur(radius)))


CHANGES: dict[str, Callable[[Photo], Photo]] = {
    "jpeg90": partial(reencode, kind="JPEG", quality=90),
    "jpeg75": partial(reencode, kind="JPEG", quality=75),
    "webp80": partial(reencode, kind="WEBP", quality=80),
    "blur": partial(blur, radius=1.0),
}


def input_transforms(names: Sequence[str], geometry: Geometry) -> list[InputTransform]:
    """Return the transforms of these names of ``catalog.TRANSFORMS``; "resize" stands for one to each of SIZES."""
    transforms = []
    for name in names:
        if name in CHANGES:
            transforms.append(InputTransform(name, CHANGES[name], geometry))
        elif name == "bilinear":
            transforms.append(InputTransform(name, identity, replace(geometry, kind="bilinear")))
        else:
            transforms += [InputTransform(f"resize{side}", identity, _resized(geometry, side / 256)) for side in SIZES]
    return transforms


def _resized(geometry: Geometry, by: float) -> Geometry:
    """Return a geometry whose resize is larger or smaller by a factor, with the same centre crop."""
    height, width = geometry.resized if geometry.resized == geometry.size else geometry.photo  # squashed, or in shape
    short = round(min(geometry.resized) * by)
    tall, wide = (int(short * side / min(height, width)) for side in (height, width))  # the long side is truncated
    h, w = geometry.size
    return replace(geometry, resized=(tall, wide), offset=(round((tall - h) / 2), round((wide - w) / 2)))
