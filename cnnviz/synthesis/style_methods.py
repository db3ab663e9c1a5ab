"""The methods of style transfer: what each makes of the images at a size, a loss.

By statistics: Gatys, Ecker & Bethge 2016. By patches: Li & Wand 2016. Images are RGB (1, 3, h, w) in [0, 1].
"""

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from cnnviz.models.network import Network
from cnnviz.synthesis.ascent import StepObserver
from cnnviz.synthesis.coarse_to_fine import Size, SizeResult, coarse_to_fine
from cnnviz.synthesis.descent import Roll
from cnnviz.synthesis.pixel_filters import PIXELS
from cnnviz.synthesis.style_images import StyleImages
from cnnviz.synthesis.style_layers import StyleLayers
from cnnviz.synthesis.style_loss import StatisticsLoss
from cnnviz.synthesis.style_mrf import PatchEnergy, PatchLayer, match_layers
from cnnviz.synthesis.style_settings import StyleSettings
from cnnviz.synthesis.style_targets import LossWeights, StyleRegion, style_distances, style_moments
from cnnviz.synthesis.style_tiles import tile_side

TILED_ROLLS = 2  # rolls of an image that is taken in tiles, as the content's maps are kept for each


class StatisticsMethod:
    """Style transfer by statistics: makes the loss of each size from the images at that size."""

    def __init__(self, network: Network, images: StyleImages, settings: StyleSettings) -> None:
        self.layers = settings.layers(network)
        self.weights = LossWeights(self.layers, settings.content_weight, settings.tv_weight, settings.statistics)
        self.extractor = self.weights.make_extractor(network)
        self._images = images

    def regions(self, styles: Sequence[Tensor], size: Size, rolls: Sequence[Roll]) -> list[StyleRegion]:
        """Return what each part of an image of ``size`` is compared with, for the styles at their sizes there."""
        layers, statistics = self.weights.style_shares(), self.weights.statistics
        measured = [[style_moments(self.extractor, style, layers, roll) for style in styles] for roll in rolls]
        parts = self._images.regions(size)
        if parts is None:
            return [StyleRegion([style_distances(own, self._images.weights, statistics) for own in measured])]
        return [
            StyleRegion([style_distances([own[index]], [1.0], statistics) for own in measured], part[None],
                        float(part.mean()))
            for index, part in enumerate(parts)
        ]  # fmt: skip

    def make_loss(self, content: Tensor, styles: Sequence[Tensor], rolls: Sequence[Roll]) -> StatisticsLoss:
        """Return the loss at the size of ``content``."""
        size, shown = (content.shape[-2], content.shape[-1]), shown_rolls(content, rolls)
        return self.loss_of(content, self.regions(styles, size, shown), shown)

    def loss_of(self, content: Tensor, regions: Sequence[StyleRegion], rolls: Sequence[Roll]) -> StatisticsLoss:
        """Return the loss for regions at the size of ``content``, which may be made for several images."""
        return StatisticsLoss(self.extractor, self.weights, regions, content, rolls, tile_side(content))


class PatchMethod(StatisticsMethod):
    """Style transfer by patches: the network's layers have the energy of a Markov random field in place of statistics.

    Only the pixels' filters are still compared by statistics.
    """

    def __init__(self, network: Network, images: StyleImages, settings: StyleSettings) -> None:
        super().__init__(network, images, settings)
        shares, self._settings = self.weights.style_shares(), settings.patches
        pixels = {name: weight for name, weight in shares.items() if name == PIXELS}
        self._shares = {name: weight for name, weight in shares.items() if name != PIXELS}
        self.weights = replace(self.weights, layers=StyleLayers(pixels, self.layers.content))

    def make_loss(self, content: Tensor, styles: Sequence[Tensor], rolls: Sequence[Roll]) -> StatisticsLoss:
        """Return the loss at the size of ``content``."""
        layers = [self._layers(content, styles, roll) for roll in rolls]
        regions = self.regions(styles, (content.shape[-2], content.shape[-1]), rolls)
        return StatisticsLoss(self.extractor, self.weights, regions, content, rolls, term=PatchEnergy(layers))

    def _layers(self, content: Tensor, styles: Sequence[Tensor], roll: Roll) -> dict[str, PatchLayer]:
        """Return the layers with the styles' patches for images rolled by ``roll``."""
        shares = self._images.regions((content.shape[-2], content.shape[-1]))
        pairs = zip(styles, self._images.weights, strict=True)
        used = [style.roll(roll, (2, 3)) for style, weight in pairs if weight or shares is not None]
        shares = shares if shares is None else shares.roll(roll, (2, 3))
        return match_layers(self.extractor, self._shares, content.roll(roll, (2, 3)), used, self._settings, shares)


def shown_rolls(content: Tensor, rolls: Sequence[Roll]) -> Sequence[Roll]:
    """Return the rolls that are used for an image: fewer where it is taken in tiles."""
    return rolls[:TILED_ROLLS] if tile_side(content) else rolls


def make_method(network: Network, images: StyleImages, settings: StyleSettings) -> StatisticsMethod:
    """Return the method of the settings for a network and images."""
    return (PatchMethod if settings.method == "mrf" else StatisticsMethod)(network, images, settings)


def transfer(
    method: StatisticsMethod,
    images: StyleImages,
    settings: StyleSettings,
    generator: torch.Generator,
    observer: StepObserver = StepObserver(),
) -> tuple[Tensor, list[SizeResult]]:
    """Return the image that minimises the method's loss at all sizes, and what was done at each size."""
    return coarse_to_fine(
        images.content,
        images.styles,
        method.make_loss,
        lambda small, styles: images.start(settings.init, small, styles, generator),
        settings.schedule,
        generator=generator,
        observer=observer,
    )
