"""What style transfer by statistics aims at: the weights of the loss, and styles as distances from their moments."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from cnnviz.models.features import FeatureExtractor, feature_maps
from cnnviz.models.network import Network
from cnnviz.synthesis.descent import Roll
from cnnviz.synthesis.pixel_filters import PIXELS, filter_moments, has_patches
from cnnviz.synthesis.style_layers import StyleLayers
from cnnviz.synthesis.style_statistics import Distance, Moments, Statistics, distance_from, mixture, moments, scaled
from cnnviz.synthesis.style_tiles import split_image, tile_side


@dataclass(frozen=True)
class LossWeights:
    """What the loss adds up: ``layers`` with their weights, and the weights of content and total variation."""

    layers: StyleLayers
    content: float = 0.1
    tv: float = 0.0
    statistics: Statistics = "covariance"

    def make_extractor(self, network: Network) -> FeatureExtractor:
        """Return the extractor of the network's layers that are needed. Raises InvalidRequest for one without maps."""
        names = [name for name in (*self.style_shares(), *self.content_shares()) if name != PIXELS]
        extractor = FeatureExtractor(network, names)
        if names:
            with torch.no_grad():
                maps = extractor(torch.full((1, 3, *network.size), 0.5, device=network.device))
            for name, features in maps.items():
                feature_maps([features], name)
        return extractor

    def style_shares(self) -> dict[str, float]:
        """Return the weight of each style layer: those of the network add up to 1, PIXELS keeps its own."""
        shares = {name: weight for name, weight in self.layers.style.items() if weight}
        total = sum(weight for name, weight in shares.items() if name != PIXELS)
        return {name: weight if name == PIXELS else weight / total for name, weight in shares.items()}

    def content_shares(self) -> dict[str, float]:
        """Return the weight of each content layer; they add up to ``content``."""
        shares = {name: weight for name, weight in self.layers.content.items() if weight and self.content}
        return {name: self.content * weight / sum(shares.values()) for name, weight in shares.items()}


@dataclass(frozen=True)
class StyleRegion:
    """The part of an image that takes one style: where, and the distances of its moments from the style's.

    ``distances``: for each roll of the image, those of the layers from the style rolled alike, so that phase and seam
    are the same. ``weights`` (1, 1, h, w), 0 to 1, None for the whole image; ``share`` of the
    image that it covers.
    """

    distances: Sequence[Mapping[str, Distance]]
    weights: Tensor | None = None
    share: float = 1.0


def style_moments(
    extractor: FeatureExtractor, style: Tensor, layers: Iterable[str], roll: Roll = (0, 0)
) -> dict[str, Moments]:
    """Return the moments of a style in each layer: of the network's, shown the style rolled, and of the filters'."""
    tiles = split_image(extractor, style, tile_side(style))
    found: dict[str, Moments] = {}
    for tile in tiles.tiles:
        maps = tiles.run(style.roll(roll, (2, 3)), tile, grad=False)[1]
        for name in (name for name in layers if name != PIXELS):
            part = moments(maps[name])
            found[name] = found[name] + part if name in found else part
    if PIXELS in layers and has_patches(style):
        found[PIXELS] = filter_moments(style)
    return found


def style_distances(
    parts: Sequence[Mapping[str, Moments]], weights: Sequence[float], statistics: Statistics
) -> dict[str, Distance]:
    """Return the distance in each layer from the mixture of styles with these moments.

    Channels are scaled by the style's deviations, but not those of the pixels' filters, nor for Gram matrices.
    """
    make, found = partial(distance_from, statistics=statistics), dict[str, Distance]()
    pairs = [(part, weight) for part, weight in zip(parts, weights, strict=True) if weight]
    for name in dict.fromkeys(name for part, _ in pairs for name in part):
        own = [(part[name], weight) for part, weight in pairs if name in part]
        target = mixture([part for part, _ in own], [weight for _, weight in own])
        found[name] = make(target) if name == PIXELS or statistics == "gram" else scaled(make, target)
    return found
