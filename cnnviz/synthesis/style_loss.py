"""The loss of style transfer by statistics at one size: style distances, content and total variation.

Gatys, Ecker & Bethge 2016, "Image Style Transfer Using Convolutional Neural Networks", eq. 1, 5 and 7. Statistics are
sums over an image, so the loss has a closed gradient at each cell, and large images are taken in exact tiles: one pass
adds up the moments, a second propagates the cells' gradients back. Images are RGB (1, 3, h, w) in [0, 1].
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from cnnviz.models.features import FeatureExtractor
from cnnviz.synthesis import priors
from cnnviz.synthesis.descent import Roll
from cnnviz.synthesis.pixel_filters import PIXELS, add_filter_gradient, filter_moments, has_patches
from cnnviz.synthesis.style_statistics import TINY, Moments, cell_gradient, moments
from cnnviz.synthesis.style_targets import LossWeights, StyleRegion
from cnnviz.synthesis.style_tiles import split_image
from cnnviz.synthesis.tiled_maps import MapTile

Gradients = dict[str, tuple[Tensor, Tensor]]  # by layer, in the sums and in the products

# Maps by layer, the roll's number, gradients by layer to add to -> a term of the loss.
MapTerm = Callable[[Mapping[str, Tensor], int, dict[str, Tensor]], float]


class StatisticsLoss:
    """The loss at one size, made once: ``loss(image, roll)`` is a scalar, differentiable in the image.

    The network is shown the image rolled by ``rolls[roll]`` pixels (dy, dx); the content's maps for each are kept.
    ``tile``: side of the tiles, None for one pass over the image; ``term``: one more term of the loss, in that case.
    """

    def __init__(
        self,
        extractor: FeatureExtractor,
        weights: LossWeights,
        regions: Sequence[StyleRegion],
        content: Tensor,
        rolls: Sequence[Roll] = ((0, 0),),
        tile: int | None = None,
        term: MapTerm | None = None,
    ) -> None:
        self._term = term
        self.rolls, self._regions, self._tv = tuple(rolls), tuple(regions), weights.tv
        self._style, self._content = weights.style_shares(), weights.content_shares()
        self._tiles = split_image(extractor, content, tile)
        self._targets = [self._content_maps(content.roll(roll, (2, 3))) for roll in self.rolls]
        self._variances = {name: _variance(target) for name, target in self._targets[0].items()}
        self._masks: dict[tuple[int, int, tuple[int, int]], Tensor] = {}

    def __call__(self, image: Tensor, roll: int = 0) -> Tensor:
        """Return the loss of an image (1, 3, h, w) for roll number ``roll``."""
        loss: Tensor = _WithGradient.apply(image, self, roll)
        return loss

    def gradient(self, image: Tensor, roll: int = 0) -> tuple[float, Tensor]:
        """Return the loss of an image and its gradient."""
        dy, dx = self.rolls[roll]
        value, grad = self._network_part(image.roll((dy, dx), (2, 3)), roll)
        grad = grad.roll((-dy, -dx), (2, 3))
        if PIXELS in self._style and has_patches(image):
            value += self._add_pixels(image, grad, roll)
        if self._tv:
            value += self._tv * float(priors.total_variation(image).sum())
            grad += self._tv / image[0].numel() * priors.variation_gradient(image)
        return value, grad

    def _add_pixels(self, image: Tensor, grad: Tensor, roll: int) -> float:
        """Return the distance in the pixels' filters, and add its gradient to ``grad``."""
        total = 0.0
        for region in self._regions:
            value, slopes = self._distances(region, {PIXELS: filter_moments(image, region.weights)}, roll)
            if PIXELS in slopes:
                add_filter_gradient(grad, image, *slopes[PIXELS], region.weights)
            total += value
        return total

    def _content_maps(self, image: Tensor) -> dict[str, Tensor]:
        maps = self._tiles.whole_maps(image) if self._content else {}
        return {name: maps[name] for name in self._content}

    def _network_part(self, image: Tensor, roll: int) -> tuple[float, Tensor]:
        """Return the loss in the network's layers, and its gradient in the rolled image."""
        kept, totals = self._measure(image, roll)
        pairs = zip(self._regions, totals, strict=True)
        found = [self._distances(region, total, roll) for region, total in pairs]
        value, slopes = sum(share for share, _ in found), [slope for _, slope in found]
        grad = torch.zeros_like(image)
        for tile in self._tiles.tiles:
            value += self._add_tile(kept or self._tiles.run(image, tile, grad=True), tile, roll, slopes, grad)
        return value, grad

    def _add_tile(
        self, run: tuple[Tensor, dict[str, Tensor]], tile: MapTile, roll: int, slopes: Sequence[Gradients], grad: Tensor
    ) -> float:
        """Return the content loss and the term of a tile that was run; add the gradient in its pixels to ``grad``."""
        x, maps = run
        parts = self._style_gradients(maps, tile, roll, slopes)
        value = self._add_content(maps, tile, roll, parts)
        value += self._term(maps, roll, parts) if self._term else 0.0
        if parts:
            outputs = [maps[name] for name in parts]
            grad[(..., *tile.pixels)] += torch.autograd.grad(outputs, x, list(parts.values()))[0]
        return value

    def _measure(
        self, image: Tensor, roll: int
    ) -> tuple[tuple[Tensor, dict[str, Tensor]] | None, list[dict[str, Moments]]]:
        """Return each region's moments in the style layers; of a single tile also its pixels and maps."""
        totals: list[dict[str, Moments]] = [{} for _ in self._regions]
        for tile in self._tiles.tiles:
            kept = self._tiles.run(image, tile, grad=self._tiles.single)
            for name in (name for name in self._style if name in kept[1]):
                for number, total in enumerate(totals):
                    part = moments(kept[1][name].detach(), self._mask(kept[1], name, tile, roll, number))
                    total[name] = total[name] + part if name in total else part
        return kept if self._tiles.single else None, totals

    def _distances(self, region: StyleRegion, measured: Mapping[str, Moments], roll: int) -> tuple[float, Gradients]:
        """Return a region's weighted distances, and their gradients in each layer's sums and products."""
        value, slopes, distances = 0.0, {}, region.distances[roll]
        for name, own in measured.items():
            if name not in distances or own.count <= 0:
                continue
            mean, second = own.mean.requires_grad_(), own.second.requires_grad_()
            with torch.enable_grad():
                distance = self._style[name] * region.share * distances[name](mean, second)
                grads = torch.autograd.grad(distance, (mean, second), allow_unused=True, materialize_grads=True)
            value += float(distance.detach())
            slopes[name] = (grads[0] / own.count, grads[1] / own.count)
        return value, slopes

    def _style_gradients(
        self, maps: Mapping[str, Tensor], tile: MapTile, roll: int, slopes: Sequence[Gradients]
    ) -> dict[str, Tensor]:
        """Return the gradient of the style's distances at the cells of each layer."""
        parts: dict[str, Tensor] = {}
        for number, slope in enumerate(slopes):
            for name, grads in slope.items():
                grad, mask = cell_gradient(maps[name].detach(), *grads), self._mask(maps, name, tile, roll, number)
                grad = (grad if mask is None else grad * mask.to(grad)).to(maps[name].dtype)
                parts[name] = parts[name] + grad if name in parts else grad
        return parts

    def _add_content(self, maps: Mapping[str, Tensor], tile: MapTile, roll: int, parts: dict[str, Tensor]) -> float:
        """Return a tile's share of the content loss, and add its gradient at the cells to ``parts``."""
        value = 0.0
        for name, weight in self._content.items():
            target = self._targets[roll][name]
            difference = maps[name].detach() - tile.cells(name, target)
            scale = weight / (self._variances[name] * target.numel())
            value += scale * float(difference.double().square().sum())
            grad = difference.mul_(2 * scale)
            parts[name] = parts[name] + grad if name in parts else grad
        return value

    def _mask(self, maps: Mapping[str, Tensor], name: str, tile: MapTile, roll: int, number: int) -> Tensor | None:
        """Return a region's weights at the cells of a layer that a tile owns."""
        weights, key = self._regions[number].weights, (number, roll, self._tiles.map_size(name, maps[name]))
        if weights is None:
            return None
        if key not in self._masks:
            self._masks[key] = F.interpolate(weights.roll(self.rolls[roll], (2, 3)), key[2], mode="area")
        return tile.cells(name, self._masks[key])


class _WithGradient(torch.autograd.Function):
    """A loss with the gradient that it computes itself."""

    @staticmethod
    def forward(ctx: Any, image: Tensor, loss: StatisticsLoss, roll: int) -> Tensor:
        """Evaluate the loss, and keep its gradient."""
        value, grad = loss.gradient(image.detach(), roll)
        ctx.save_for_backward(grad)
        return image.new_tensor(value)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None, None]:
        """Return the gradient, times that of the result."""
        (grad,) = ctx.saved_tensors
        return grads[0] * grad, None, None


def _variance(target: Tensor) -> float:
    """Return the mean variance of a content layer's channels, at least a hundredth of the mean square."""
    values = target.double()
    floor = values.square().mean() / 100
    return float(values.var((0, 2, 3), unbiased=False).mean().clamp(min=float(floor))) + TINY
