"""Colours between a content image and a style: moved to the other's mean and covariance, or kept.

Gatys, Bethge, Hertzmann & Shechtman 2016, "Preserving Color in Neural Artistic Style Transfer": colour matching in
section 3, luminance-only transfer in section 4. Images are RGB (1, 3, h, w) in [0, 1].
"""

import torch
from torch import Tensor

from cnnviz.synthesis.style_statistics import Moments, moments, symmetric_root
from cnnviz.synthesis.transforms import luminance

FLAT = (1 / 255) ** 2  # variance added to all: a grey image has no colours, only noise, to be stretched to a style's
ROWS = 256  # rows of an image at a time


def match_colors(image: Tensor, style: Tensor | Moments) -> Tensor:
    """Return an image with its colours moved to the mean and covariance of a style's, not clamped.

    The linear map that changes colours least (Pitie & Kokaram 2007, "The Linear Monge-Kantorovitch Linear Colour
    Mapping", eq. 8); an image with the style's own mean and covariance stays as it is.
    """
    target = style if isinstance(style, Moments) else color_moments(style)
    own = color_moments(image)
    noise = FLAT * torch.eye(3, dtype=torch.float64)
    root = symmetric_root(own.covariance + noise)
    inverse = torch.linalg.inv(root)
    matrix = inverse @ symmetric_root(root @ (target.covariance + noise) @ root) @ inverse
    shift = target.mean - matrix @ own.mean
    moved: Tensor = (matrix.to(image) @ image.flatten(2)).view_as(image)
    moved += shift.to(image).view(1, 3, 1, 1)
    return moved


def color_moments(image: Tensor) -> Moments:
    """Return the moments of an image's pixels, summed some rows at a time, to save memory."""
    strips = [moments(rows.double()) for rows in torch.split(image, ROWS, 2)]
    return sum(strips[1:], strips[0])


def match_luminance(style: Tensor, image: Tensor) -> Tensor:
    """Return a style in grey, with the mean and deviation of an image's brightness, (1, 3, h, w) in [0, 1]."""
    own, other = luminance(style), luminance(image)
    gain = other.std(unbiased=False) / own.std(unbiased=False).clamp(min=FLAT**0.5)
    return ((own - own.mean()) * gain + other.mean()).clamp(0, 1).expand(1, 3, -1, -1)


def with_colors_of(image: Tensor, colored: Tensor) -> Tensor:
    """Return the brightness of an image with the colours, Cb and Cr, of another.

    The brightness is limited to what exists in [0, 1] with these colours, which are therefore exact.
    """
    chroma = colored - luminance(colored)
    low, high = -chroma.amin(1, keepdim=True), 1 - chroma.amax(1, keepdim=True)
    return (torch.minimum(torch.maximum(luminance(image), low), high) + chroma).clamp(0, 1)
