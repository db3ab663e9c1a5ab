"""Random views of an image during an ascent, so that the result does not depend on a single pixel alignment.

Olah, Mordvintsev & Schubert 2017, "Feature Visualization" (Distill), section "Transformation robustness". Images are
RGB (N, 3, h, w) in [0, 1].
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

LUMA = (0.299, 0.587, 0.114)  # brightness of red, green and blue, as in JPEG (ITU-R BT.601)


@dataclass(frozen=True)
class RandomTransform:
    """A random view of images: scaled, shifted, rotated, with noise. All views of a batch differ.

    ``sizes`` (h, w) of what the network is shown, one after the other over the ascent; ``zoom``: range of the scale,
    above 1 a part of the image, below 1 the whole with a mirrored border; ``angle``: largest rotation in degrees;
    ``noise``: standard deviation of added noise; ``flip``: mirror half of the views; ``blur``: largest standard
    deviation, in pixels shown, of the Gaussian that every second view is blurred with; ``jitter``: pixels of the image
    by which a view may be shifted beyond its borders.
    """

    sizes: tuple[tuple[int, int], ...]
    zoom: tuple[float, float] = (0.95, 1.6)
    angle: float = 10.0
    noise: float = 0.03
    flip: bool = False
    blur: float = 0.0
    jitter: int = 0

    def __call__(self, image: Tensor, share: float, generator: torch.Generator) -> Tensor:
        """Return one view of each image (N, 3, h, w) of a batch, by one resampling."""
        count = len(image)
        size = self.sizes[min(int(share * len(self.sizes)), len(self.sizes) - 1)]
        u = torch.rand(5, count, generator=generator)
        zoom = self.zoom[0] + (self.zoom[1] - self.zoom[0]) * u[0]
        turn = (2 * u[1] - 1) * math.radians(self.angle)
        limit = (1 - 1 / zoom).clamp(min=0) + 2 * self.jitter / image.shape[-1]  # without jitter: to the borders
        dy, dx = (2 * u[2:4] - 1) * limit
        side = torch.where(u[4] < 0.5, -1.0, 1.0) if self.flip else torch.ones(count)
        cos, sin = turn.cos() / zoom, turn.sin() / zoom
        rows = (torch.stack((side * cos, -sin, dx), 1), torch.stack((side * sin, cos, dy), 1))
        grid = F.affine_grid(torch.stack(rows, 1), [count, 3, *size], align_corners=False)
        view = F.grid_sample(image, grid.to(image), padding_mode="reflection", align_corners=False)
        if self.blur and torch.rand((), generator=generator) < 0.5:
            view = gaussian_blur(view, self.blur * float(torch.rand((), generator=generator).clamp(min=0.1)))
        return view.add(torch.randn(view.shape, generator=generator).to(view), alpha=self.noise)


def luminance(image: Tensor) -> Tensor:
    """Return the brightness of RGB images (N, 3, h, w): (N, 1, h, w)."""
    weights = torch.tensor(LUMA, dtype=image.dtype, device=image.device).view(1, 3, 1, 1)
    return (image * weights).sum(1, keepdim=True)


def scale_size(size: tuple[int, int], factor: float) -> tuple[int, int]:
    """Return a size (h, w) times a factor, at least 1 pixel a side."""
    height, width = (max(1, round(side * factor)) for side in size)
    return height, width


def resize(image: Tensor, size: tuple[int, int]) -> Tensor:
    """Return images (N, C, h, w) at another size (h, w): bicubic, antialiased if smaller; not clamped."""
    if tuple(image.shape[-2:]) == size:
        return image
    return F.interpolate(image, size, mode="bicubic", antialias=True, align_corners=False)


def gaussian_blur(image: Tensor, std: float) -> Tensor:
    """Return images (N, 3, h, w) blurred with a Gaussian of ``std`` pixels; borders are mirrored.

    By a matrix product along each axis: at a few hundred pixels a side this takes a third of a convolution's time.
    """
    height, width = image.shape[-2:]
    rows = _blur_matrix(height, std).to(image)
    columns = rows if width == height else _blur_matrix(width, std).to(image)
    return rows @ image @ columns.T


def _blur_matrix(side: int, std: float) -> Tensor:
    """Return the matrix (side, side) that blurs a column with mirrored ends."""
    radius = min(math.ceil(3 * std), side - 1)
    kernel = ((torch.arange(-radius, radius + 1) / std).square() / -2).exp()
    rows = F.pad(kernel / kernel.sum(), (side - 1, side - 1)).unfold(0, side + 2 * radius, 1).flip(0)
    before, matrix, after = torch.split(rows, [radius, side, radius], 1)
    matrix[:, 1 : radius + 1] += before.flip(1)
    matrix[:, side - 1 - radius : side - 1] += after.flip(1)
    return matrix
