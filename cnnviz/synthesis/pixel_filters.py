"""The finest style layer: 27 filters on the pixels, at full resolution, which a network's first stride leaves out.

The 3 x 3 discrete cosine transform of three opponent colours (brightness, red against green, both against blue). Their
moments follow from those of the bare patches of 3 x 3 pixels, some rows at a time, so that no map of 27 channels is
kept. Images are (1, 3, h, w).
"""

import math
from collections.abc import Iterator
from functools import cache

import torch
from torch import Tensor

from cnnviz.synthesis.style_statistics import Moments

PIXELS = "pixels"  # the name of this layer
SIDE = 3  # pixels of a filter's side
COUNT = 3 * SIDE * SIDE
ROWS = 16  # rows of patches at a time, which stay in the processor's cache


@cache
def filter_bank() -> Tensor:
    """Return the filters as an orthonormal matrix (27, 27): a row each, over colour, row and column of a patch."""
    steps = torch.arange(SIDE, dtype=torch.float64)
    cosines = torch.cos(math.pi / SIDE * (steps + 0.5) * steps[:, None])
    opponents = torch.tensor([[1, 1, 1], [1, -1, 0], [1, 1, -2]], dtype=torch.float64)
    cosines, opponents = (rows / rows.norm(dim=1, keepdim=True) for rows in (cosines, opponents))
    return torch.kron(opponents, torch.kron(cosines, cosines))


def has_patches(image: Tensor) -> bool:
    """Return whether an image is at least as large as a filter."""
    return min(image.shape[-2:]) >= SIDE


def filter_moments(image: Tensor, weights: Tensor | None = None) -> Moments:
    """Return the moments of the filters' responses inside the image, weighted by ``weights`` (1, 1, h, w)."""
    sums, products = image.new_zeros(COUNT), image.new_zeros(COUNT, COUNT)
    for top, patches in _strips(image):
        weighted = patches if weights is None else patches * _strip_weights(weights, top, patches)
        sums += weighted.flatten(1).sum(1)
        products.addmm_(weighted.flatten(1), patches.flatten(1).T)
    count = (image.shape[-2] - 2) * (image.shape[-1] - 2) if weights is None else weights[..., 1:-1, 1:-1].sum()
    bank = filter_bank()
    return Moments(float(count), bank @ sums.double().cpu(), bank @ products.double().cpu() @ bank.T)


def add_filter_gradient(
    grad: Tensor, image: Tensor, mean_grad: Tensor, second_grad: Tensor, weights: Tensor | None = None
) -> None:
    """Add to ``grad`` the gradient in the image of a function of the filters' sums and products.

    See ``cell_gradient``.
    """
    bank = filter_bank()
    matrix = (bank.T @ (second_grad + second_grad.T) @ bank).to(image)
    shift = (bank.T @ mean_grad).to(image)[:, None]
    for top, patches in _strips(image):
        change = torch.addmm(shift, matrix, patches.flatten(1)).view_as(patches)
        if weights is not None:
            change *= _strip_weights(weights, top, patches)
        rows, columns = patches.shape[1:]
        parts = change.view(3, SIDE, SIDE, rows, columns)
        for dy in range(SIDE):
            for dx in range(SIDE):
                grad[0, :, top + dy : top + dy + rows, dx : dx + columns] += parts[:, dy, dx]


def _strips(image: Tensor) -> Iterator[tuple[int, Tensor]]:
    """Yield patches (27, rows, columns) of some rows at a time, and the first of these rows."""
    windows = image[0].unfold(1, SIDE, 1).unfold(2, SIDE, 1).permute(0, 3, 4, 1, 2)
    for top in range(0, windows.shape[3], ROWS):
        strip = windows[:, :, :, top : top + ROWS]
        yield top, strip.reshape(COUNT, *strip.shape[3:])


def _strip_weights(weights: Tensor, top: int, patches: Tensor) -> Tensor:
    """Return the weights (rows, columns) of patches, those of their middle pixels."""
    rows, columns = patches.shape[1:]
    return weights[0, 0, top + 1 : top + 1 + rows, 1 : 1 + columns].to(patches)
