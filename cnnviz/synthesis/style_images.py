"""The images of a style transfer: content and styles at their sizes, what to start with, what the result keeps.

Images are RGB (1, 3, h, w) in [0, 1].
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cnnviz.control import Control
from cnnviz.errors import InvalidRequest
from cnnviz.io.convert import resize_long_side, to_tensor
from cnnviz.synthesis.coarse_to_fine import Size, scale_image
from cnnviz.synthesis.style_colors import color_moments, match_colors, match_luminance, with_colors_of
from cnnviz.synthesis.style_statistics import mixture
from cnnviz.synthesis.transforms import resize, scale_size

Init = Literal["content", "noise", "style"]
OriginalColors = Literal["luminance", "recolored"]
Image = NDArray[np.uint8] | Tensor

NOISE_STD = 0.1  # standard deviation of the noise that a transfer from noise starts with


@dataclass(frozen=True)
class StyleImages:
    """The images of a transfer: ``photo``, the content as given, and the ``content`` and ``styles`` that are used.

    ``weights`` of the styles; ``masks`` (styles, 1, H, W) in [0, 1]: where each style applies, None for all of them
    everywhere; with ``keep_chroma`` the result has the photo's colours.
    """

    photo: Tensor
    content: Tensor
    styles: tuple[Tensor, ...]
    weights: tuple[float, ...]
    masks: Tensor | None = None
    keep_chroma: bool = False

    def regions(self, size: Size) -> Tensor | None:
        """Return the share of each style at each pixel of an image of ``size``, (styles, 1, h, w); None as masks."""
        if self.masks is None:
            return None
        factors = torch.tensor(self.weights).to(self.masks) / max(self.weights)
        weighted = resize(self.masks, size).clamp(0, 1) * factors.view(-1, 1, 1, 1)
        return weighted / weighted.sum(0, keepdim=True).clamp(min=1)

    def start(self, init: Init, content: Tensor, styles: Sequence[Tensor], generator: torch.Generator) -> Tensor:
        """Return the image to start with at the size of ``content``, not clamped."""
        regions = self.regions((content.shape[-2], content.shape[-1]))
        if regions is None:
            return _start(init, content, styles, self.weights, generator)
        image = (1 - regions.sum(0, keepdim=True)) * content
        for region, style in zip(regions, styles, strict=True):
            image = image + region * _start(init, content, [style], [1.0], generator)
        return image

    def finish(self, image: Tensor) -> Tensor:
        """Return the result at the photo's size: its colours if they are kept, itself where no mask is."""
        size = (self.photo.shape[-2], self.photo.shape[-1])
        result, regions = scale_image(image, size), self.regions(size)
        if self.keep_chroma:
            result = with_colors_of(result, self.photo)
        return result if regions is None else torch.lerp(self.photo, result, regions.sum(0, keepdim=True))


def prepare_images(
    content: Image,
    styles: Sequence[Image],
    style_weights: Sequence[float],
    style_masks: Sequence[Image],
    *,
    long_side: int | None,
    style_scale: float,
    original_colors: OriginalColors | None,
    control: Control,
) -> StyleImages:
    """Return the images of a transfer, the content with a longer side of ``long_side`` pixels, None: as it is.

    Raises InvalidRequest where weights or masks do not fit the styles; a style that is smaller than used gets a note.
    """
    photo = _as_tensor(content, long_side)
    size = (photo.shape[-2], photo.shape[-1])
    side = round(max(size) * style_scale)
    for number, style in enumerate(styles, 1):
        _note_small(style, number, side, control)
    scaled = [_as_tensor(style, side).to(photo.device) for style in styles]
    base = photo
    if original_colors == "luminance":
        base = match_luminance(photo, photo)
        scaled = [match_luminance(style, photo) for style in scaled]
    elif original_colors == "recolored":
        scaled = [match_colors(style, photo).clamp(0, 1) for style in scaled]
    weights = _check_weights(style_weights, len(styles))
    masks = [resize(_as_mask(mask).to(photo), size).clamp(0, 1) for mask in style_masks]
    if masks and len(masks) != len(styles):
        raise InvalidRequest(f"{len(masks)} style masks do not fit {len(styles)} styles: give one for each")
    return StyleImages(
        photo, base, tuple(scaled), weights, torch.cat(masks) if masks else None, original_colors == "luminance"
    )


def _check_weights(weights: Sequence[float], styles: int) -> tuple[float, ...]:
    if not styles:
        raise InvalidRequest("a style transfer needs a style image")
    if weights and len(weights) != styles:
        raise InvalidRequest(f"{len(weights)} style weights do not fit {styles} styles: give one for each")
    if weights and (min(weights) < 0 or not sum(weights) > 0):
        raise InvalidRequest("style weights are 0 or more, and not all 0")
    return tuple(float(weight) for weight in weights) or (1.0,) * styles


def _note_small(style: Image, number: int, side: int, control: Control) -> None:
    height, width = style.shape[:2] if isinstance(style, np.ndarray) else style.shape[-2:]
    if max(height, width) < side:
        control.note(f"style {number} has {width}x{height} pixels and is enlarged to {side}: its strokes get blurred")


def _as_tensor(image: Image, long_side: int | None) -> Tensor:
    """Return an image as RGB (1, 3, h, w) in [0, 1] with a longer side of so many pixels."""
    if isinstance(image, np.ndarray):
        return to_tensor(resize_long_side(image, long_side)).float().div_(255)
    values = image.float() / 255 if image.dtype == torch.uint8 else image
    size = (image.shape[-2], image.shape[-1])
    return scale_image(values, scale_size(size, (long_side or max(size)) / max(size)))


def _as_mask(mask: Image) -> Tensor:
    """Return a mask as (1, 1, h, w) in [0, 1]."""
    return to_tensor(mask[..., None]).float() / 255 if isinstance(mask, np.ndarray) else mask.float()


def _start(
    init: Init, content: Tensor, styles: Sequence[Tensor], weights: Sequence[float], generator: torch.Generator
) -> Tensor:
    """Return the image to start with for a mixture of styles."""
    colors = mixture([color_moments(style) for style in styles], weights)
    if init == "content":
        return match_colors(content, colors)
    if init == "noise":
        noise = torch.randn(content.shape, generator=generator).to(content)
        return colors.mean.to(content).view(1, 3, 1, 1) + NOISE_STD * noise
    return _cover(styles[max(range(len(styles)), key=lambda index: weights[index])], content)


def _cover(style: Tensor, content: Tensor) -> Tensor:
    """Return the middle of a style at the size of the content, without distortion."""
    height, width = content.shape[-2:]
    factor = max(height / style.shape[-2], width / style.shape[-1])
    rows, columns = scale_size((style.shape[-2], style.shape[-1]), factor)
    rows, columns = max(rows, height), max(columns, width)
    top, left = (rows - height) // 2, (columns - width) // 2
    return resize(style, (rows, columns))[..., top : top + height, left : left + width].clone()
