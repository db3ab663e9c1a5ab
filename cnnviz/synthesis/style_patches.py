"""Patches of feature maps matched by normalised cross-correlation, and the energy of a Markov random field on them.

Li & Wand 2016, "Combining Markov Random Fields and Convolutional Neural Networks for Image Synthesis" (CVPR), section
3, eq. 2 to 4. A patch is k x k cells of a map (1, C, h, w) with all channels, a vector of C k k values.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product

import torch
from torch import Tensor
from torch.nn import functional as F

from cnnviz.synthesis.transforms import resize

CHUNK = 1024  # patches on each side of one product, whose scores stay in the processor's cache
INSIDE = 0.999  # share of a pixel, after resampling, from which on it belongs to the rotated image


@dataclass(frozen=True)
class PatchSettings:
    """Patches of the style image: ``size`` cells of a map a side, at most ``stride`` pixels of the image apart.

    Where a map's cells are further apart, there is one at each cell. Patches of the style rotated by each of
    ``rotations`` (degrees, counterclockwise) and resized by each of ``scales`` are added to its own.
    """

    size: int = 3
    stride: int = 6
    rotations: tuple[float, ...] = ()
    scales: tuple[float, ...] = ()


def patches(maps: Tensor, size: int, stride: int = 1) -> Tensor:
    """Return all patches of maps (1, C, h, w), row by row: (patches, C size size)."""
    return F.unfold(maps, size, stride=stride)[0].T


def unit(rows: Tensor) -> Tensor:
    """Return rows (n, values) of length 1; zeros stay zeros."""
    return F.normalize(rows, dim=1)


def nearest(queries: Tensor, candidates: Tensor, chunk: int = CHUNK) -> Tensor:
    """Return for each query (n, values) the index of the candidate (m, values) of the largest cross-correlation: (n,).

    Candidates have length 1, so that the product divided by the query's own length is the normalised cross-correlation
    (eq. 3). Of equal ones the first. Products of ``chunk`` queries and candidates are made at a time.
    """
    return torch.cat([_nearest(part, candidates, chunk) for part in torch.split(queries, chunk)])


def _nearest(queries: Tensor, candidates: Tensor, chunk: int) -> Tensor:
    best, index = (queries @ candidates[:chunk].T).max(1)
    for start in range(chunk, len(candidates), chunk):
        score, place = (queries @ candidates[start : start + chunk].T).max(1)
        better = score > best
        best, index = torch.where(better, score, best), torch.where(better, place + start, index)
    return index


@dataclass(frozen=True)
class MatchedMaps:
    """Patches matched to the patches of a map, as the values that minimise their energy.

    ``mean`` (1, C, h, w): mean of the matched patches that cover a cell; ``count`` (1, 1, h, w): how many do;
    ``spread``: the energy of the mean itself, where overlapping patches disagree.
    """

    mean: Tensor
    count: Tensor
    spread: Tensor

    def energy(self, maps: Tensor) -> Tensor:
        """Return the MRF energy (eq. 2) of maps (1, C, h, w), the sum of squared differences to the matched patches.

        Each cell counts once for every patch that covers it, so that the sum over patches is one over cells.
        """
        return (self.count * (maps - self.mean).square()).sum() + self.spread


class StylePatches:
    """Patches of one or more feature maps of a style, to be matched to those of other maps.

    ``inside``: for each map the cells (1, 1, h, w) of which patches may be taken, or None for all of them.
    """

    def __init__(
        self, maps: Sequence[Tensor], size: int = 3, stride: int = 1, inside: Sequence[Tensor | None] = ()
    ) -> None:
        self.size = size
        pairs = zip(maps, inside or [None] * len(maps), strict=True)
        rows = torch.cat([_inner_patches(*pair, size, stride) for pair in pairs])
        self._unit = unit(rows)
        self._lengths: Tensor = torch.linalg.vector_norm(rows, dim=1, keepdim=True)

    def __len__(self) -> int:
        """Return the number of patches."""
        return len(self._unit)

    def rows(self, index: Tensor | slice = slice(None)) -> Tensor:
        """Return the patches of an index, by default all: (n, values)."""
        return self._unit[index] * self._lengths[index]

    def match(self, queries: Tensor, chunk: int = CHUNK) -> Tensor:
        """Return for each patch (n, values) of another map the index of the most similar one: (n,)."""
        return nearest(queries, self._unit, chunk)


def match_maps(maps: Tensor, styles: Sequence[StylePatches], owner: Tensor | None = None) -> MatchedMaps:
    """Return the patches of styles that match those of maps (1, C, h, w).

    ``owner`` (n,): for each patch of the maps, row by row, the number of the style that it is matched with, by default
    the first.
    """
    size, area = styles[0].size, maps.shape[-2:]
    queries = patches(maps, size)
    chosen = torch.empty_like(queries)
    for number, style in enumerate(styles):
        places = slice(None) if owner is None else owner == number
        chosen[places] = style.rows(style.match(queries[places]))
        if owner is None:
            break
    count = F.fold(chosen.new_ones(1, size**2, len(chosen)), area, size)
    mean = F.fold(chosen.T[None], area, size) / count
    return MatchedMaps(mean, count, (chosen - patches(mean, size)).square().sum())


def _inner_patches(maps: Tensor, inside: Tensor | None, size: int, stride: int) -> Tensor:
    """Return the patches (n, C size size) of maps all of whose cells are inside; none of a map smaller than a patch."""
    if min(maps.shape[-2:]) < size:
        return maps.new_empty(0, maps.shape[1] * size**2)
    rows = patches(maps, size, stride)
    return rows if inside is None else rows[patches(inside.to(maps), size, stride).amin(1) > 0]


def variants(style: Tensor, settings: PatchSettings) -> Iterator[tuple[Tensor, Tensor | None]]:
    """Yield a style (1, 3, h, w), its resized and its rotated versions, each with its mask (None: all of it).

    The mask (1, 1, H, W) is 1 where a pixel is the style's own and 0 in the corners around a rotated one.
    """
    for scale, angle in product((1.0, *settings.scales), (0.0, *settings.rotations)):
        height, width = (max(1, round(side * scale)) for side in style.shape[-2:])
        resized = resize(style, (height, width)).clamp(0, 1)
        yield rotated(resized, angle) if angle else (resized, None)


def rotated(image: Tensor, degrees: float) -> tuple[Tensor, Tensor]:
    """Return an image (1, 3, h, w) rotated counterclockwise about its middle, whole, and the mask of its pixels.

    The corners around it are mirrored, so that no edge that the image does not have is near its patches.
    """
    height, width = image.shape[-2:]
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    tall = round(abs(width * sin) + abs(height * cos))
    wide = round(abs(width * cos) + abs(height * sin))
    turn = [[cos * wide / width, -sin * tall / width, 0], [sin * wide / height, cos * tall / height, 0]]
    grid = F.affine_grid(torch.tensor([turn]).to(image), [1, 3, tall, wide], align_corners=False)
    turned = F.grid_sample(image, grid, padding_mode="reflection", align_corners=False)
    mask = F.grid_sample(torch.ones_like(image[:, :1]), grid, align_corners=False)
    return turned, (mask > INSIDE).to(image)


def cells_inside(mask: Tensor, maps: Tensor) -> Tensor:
    """Return the mask (1, 1, h, w) of the cells of maps (1, C, h, w), 1 where all pixels of a cell are in the mask."""
    return 1 - F.adaptive_max_pool2d(1 - mask, (maps.shape[-2], maps.shape[-1]))
