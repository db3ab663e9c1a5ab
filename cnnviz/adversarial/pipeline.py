"""From the values that a file stores to a network's input, also re-encoded, resized or blurred, and gradients back."""

import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageFilter
from torch import Tensor

from cnnviz.adversarial.catalog import TRANSFORMS
from cnnviz.errors import MethodError
from cnnviz.io.color import Photo
from cnnviz.io.image_file import read_bytes
from cnnviz.io.photo import StoredImage, decode_photo, decode_stored
from cnnviz.io.write import SIDES, encode_image, image_format
from cnnviz.models.network import Network
from cnnviz.models.preprocess import Geometry, geometry_for, to_inputs

ENCODED = {"jpeg90": ("JPEG", 90), "jpeg75": ("JPEG", 75), "webp80": ("WEBP", 80)}  # format and quality of transforms
SIZES = (232, 240, 248, 264, 272, 280, 288)  # of the shorter side in "resize", where the network's own is 256
Source = StoredImage | NDArray[np.uint8] | str | Path


@dataclass(frozen=True)
class InputPipeline:
    """Preprocessing of stored values, in both directions.

    ``forward``: values (H, W, C), uint8 on the CPU, to views (V, 3, h, w), RGB in [0, 1]: the network's input, first
    as it is, then after each transform. ``adjoint``: gradients (V, 3, h, w) in the views to the gradient (H, W, C) in
    the values, per level, summed over views. Rounding counts as the identity there (straight-through estimator,
    Bengio, Leonard & Courville 2013, "Estimating or Propagating Gradients Through Stochastic Neurons", section 4).
    """

    forward: Callable[[Tensor], Tensor]
    adjoint: Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class AttackedPhoto:
    """A photo as its file stores it, before a network: ``path`` is the file to be written, whose ending is its format.

    "-" is a PNG. ``geometry`` is where the network's input lies on the photo.
    """

    original: StoredImage
    network: Network
    geometry: Geometry
    path: str

    @property
    def lossless(self) -> bool:
        """Whether the file keeps the values as they are."""
        return image_format(self.path) == "PNG"

    def encode(self, values: NDArray[np.uint8], recipe: Mapping[str, Any]) -> bytes:
        """Return the file of these values (H, W, C), with a recipe."""
        return encode_image(self.path, self.original.image(values), recipe)

    def decode(self, data: bytes) -> Photo:
        """Return the photo in a file, decoded as any is: uint8 RGB (H, W, 3)."""
        return decode_photo(data, **self.original.reading)

    def stored(self, data: bytes) -> NDArray[np.uint8]:
        """Return the values (H, W, C) that a file stores."""
        return decode_stored(data, **self.original.reading).values

    def photo(self, values: NDArray[np.uint8]) -> Photo:
        """Return what a file of these values (H, W, C) will be decoded to: uint8 RGB (H, W, 3)."""
        return self.original.photo(values) if self.lossless else self.decode(self.encode(values, {}))

    @cached_property
    def clean_photo(self) -> Photo:
        """The unchanged photo, uint8 RGB (H, W, 3)."""
        return self.original.photo(self.original.values)

    @cached_property
    def clean_logits(self) -> Tensor:
        """The logits (classes,) of the unchanged photo."""
        return self.logits(self.clean_photo)

    def logits(self, photo: Photo, geometry: Geometry | None = None) -> Tensor:
        """Return the logits (classes,) of a photo by the network itself, without the folding that speeds the search up.

        ``geometry`` is by default the network's own.
        """
        image = (geometry or self.geometry).see(photo)
        with torch.inference_mode():
            return self.network(to_inputs([image]))[0].float().cpu()


def attacked_photo(source: Source, network: Network, fit: str = "crop", path: str = "-") -> AttackedPhoto:
    """Return a photo before a network, to be written to ``path``: a file, RGB (H, W, 3), uint8, or a StoredImage.

    Raises MethodError for transparency in a JPEG.
    """
    if isinstance(source, StoredImage):
        original = source
    elif isinstance(source, np.ndarray):
        original = StoredImage(np.array(source), None, None, (255, 255, 255))
    else:
        original = decode_stored(read_bytes(source))
    if original.alpha is not None and image_format(path) == "JPEG":
        raise MethodError("has transparency, which JPEG does not keep: write PNG")
    return AttackedPhoto(original, network, geometry_for(original.values.shape[:2], network, fit), path)


def input_pipeline(photo: AttackedPhoto, robust_to: Sequence[str] = ()) -> InputPipeline:
    """Return the pipeline of a photo: its file as it is, and after each transform of ``robust_to``."""
    height, width = photo.geometry.photo
    if beyond := [name for name in robust_to if name not in supported_transforms((height, width))]:
        raise MethodError(f"{width}x{height} pixels are too many for the transform {beyond[0]}")
    views = [InputTransform("file", identity, photo.geometry), *input_transforms(robust_to, photo.geometry)]

    def forward(values: Tensor) -> Tensor:
        decoded = photo.photo(values.numpy())
        return to_inputs([view.see(decoded) for view in views])

    def adjoint(gradients: Tensor) -> Tensor:
        arrays = (gradients.float().cpu() / 255).numpy()
        return torch.from_numpy(photo.original.back(sum_on_photo([view.geometry for view in views], arrays)))

    return InputPipeline(forward, adjoint)


def supported_transforms(size: tuple[int, int]) -> list[str]:
    """Return the names of ``catalog.TRANSFORMS`` that a photo of this size (H, W) can undergo: formats have limits."""
    return [name for name in TRANSFORMS if max(size) <= SIDES[ENCODED[name][0] if name in ENCODED else "PNG"]]


def sum_on_photo(geometries: Sequence[Geometry], gradients: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the sum of gradients (V, 3, h, w) on the photo, (H, W, 3); those of one geometry are added first."""
    together: dict[Geometry, NDArray[np.float32]] = {}
    for geometry, gradient in zip(geometries, gradients, strict=True):
        together[geometry] = together[geometry] + gradient if geometry in together else gradient
    first, *rest = [geometry.back(gradient) for geometry, gradient in together.items()]
    for more in rest:
        first += more
    return first


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


def reencode(photo: Photo, encoding: tuple[str, int]) -> Photo:
    """Return a photo as decoded from a file of this format and quality."""
    file, (kind, quality) = io.BytesIO(), encoding
    Image.fromarray(photo).save(file, kind, quality=quality)
    return np.asarray(Image.open(file).convert("RGB"))


def blur(photo: Photo) -> Photo:
    """Return a photo blurred by a Gaussian with a standard deviation of one pixel."""
    return np.asarray(Image.fromarray(photo).filter(ImageFilter.GaussianBlur(1.0)))


def input_transforms(names: Sequence[str], geometry: Geometry) -> list[InputTransform]:
    """Return the transforms of these names of ``catalog.TRANSFORMS``; "resize" stands for one to each of SIZES."""
    transforms = []
    for name in names:
        if name in ENCODED:
            transforms.append(InputTransform(name, partial(reencode, encoding=ENCODED[name]), geometry))
        elif name == "blur":
            transforms.append(InputTransform(name, blur, geometry))
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
