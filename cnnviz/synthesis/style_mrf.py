"""Style transfer by patches: the energy of a Markov random field on an image's feature maps, as a term of the loss.

Li & Wand 2016, "Combining Markov Random Fields and Convolutional Neural Networks for Image Synthesis" (CVPR), eq. 1.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from cnnviz.models.features import FeatureExtractor
from cnnviz.synthesis.style_patches import (
    MatchedMaps,
    PatchSettings,
    StylePatches,
    cells_inside,
    match_maps,
    variants,
)
from cnnviz.synthesis.style_statistics import TINY

RENEW = 16  # uses of a roll between two matchings
FLAT = 1e-3  # share of the root mean square that is added, for maps that are constant
DEVIATION_FLOOR = 0.1  # share of the mean deviation that is added to each channel's


@dataclass(frozen=True)
class PatchLayer:
    """One layer at one size: its ``weight``, the styles' patches, and the ``scale`` (1, C, 1, 1) of its channels;
    ``variance`` of all values of the patches.

    ``shares`` (styles, 1, H, W): where each style applies; None: the first one everywhere.
    """

    weight: float
    styles: Sequence[StylePatches]
    scale: Tensor
    variance: float
    shares: Tensor | None = None

    def match(self, maps: Tensor) -> MatchedMaps:
        """Return the styles' patches that match those of scaled maps (1, C, h, w)."""
        if self.shares is None:
            return match_maps(maps, self.styles)
        cells = F.interpolate(self.shares.transpose(0, 1), maps.shape[-2:], mode="area")
        size = self.styles[0].size
        return match_maps(maps, self.styles, F.avg_pool2d(cells, size, 1)[0].argmax(0).flatten())

    def energy(self, scaled: Tensor, matched: MatchedMaps) -> tuple[float, Tensor]:
        """Return the weighted energy of scaled maps, as a share of the patches' variance, and its gradient in the maps.

        The mean over all values of all patches, so that it depends neither on the map's nor on the patch's size.
        """
        factor = self.weight / (float(matched.count.sum()) * scaled.shape[1] * self.variance)
        return factor * float(matched.energy(scaled)), 2 * factor * self.scale * matched.count * (scaled - matched.mean)


class PatchEnergy:
    """The energies of all layers at one size, for each roll; matches are renewed every RENEW uses of a roll."""

    def __init__(self, layers: Sequence[Mapping[str, PatchLayer]]) -> None:
        self._layers = layers
        self._uses: Counter[int] = Counter()
        self._matched: dict[tuple[int, str], MatchedMaps] = {}

    def __call__(self, maps: Mapping[str, Tensor], roll: int, gradients: dict[str, Tensor]) -> float:
        """Return the energy of the maps of an image shown with roll number ``roll``; add its gradient by layer."""
        value, renew = 0.0, self._uses[roll] % RENEW == 0
        self._uses[roll] += 1
        for name, layer in self._layers[roll].items():
            scaled = maps[name].detach().float() * layer.scale
            if renew:
                self._matched[roll, name] = layer.match(scaled)
            share, grad = layer.energy(scaled, self._matched[roll, name])
            grad = grad.to(maps[name].dtype)
            gradients[name] = gradients[name] + grad if name in gradients else grad
            value += share
        return value


def match_layers(
    extractor: FeatureExtractor,
    weights: Mapping[str, float],
    content: Tensor,
    styles: Sequence[Tensor],
    settings: PatchSettings,
    shares: Tensor | None = None,
) -> dict[str, PatchLayer]:
    """Return the layers of ``weights``, each with the patches of the styles (1, 3, h, w) at one size.

    Content, styles and shares are rolled alike, so that the network's stride meets them in the same phase.

    Channels are divided by their deviation over content and styles together, but not centred: as in the paper, the
    correlation is that of the activations, to which a large mean contributes. With ``shares`` each style is matched
    where it applies, otherwise all of them everywhere. Layers whose maps are smaller than a patch are left out.
    """
    with torch.no_grad():
        groups = [[_Variant(extractor, *pair) for pair in variants(style, settings)] for style in styles]
        own = _Variant(extractor, content, None).maps
    if shares is None:
        groups = [[variant for group in groups for variant in group]]
    found = {}
    for name, weight in weights.items():
        scale = _channel_scale([own[name], *(variant.maps[name] for group in groups for variant in group)])
        stride = max(1, settings.stride * own[name].shape[-2] // content.shape[-2])
        sets = [_collect(group, name, scale, settings.size, stride) for group in groups]
        if weight and min(own[name].shape[-2:]) >= settings.size and all(map(len, sets)):
            variance = float(torch.cat([each.rows() for each in sets]).var()) + TINY
            found[name] = PatchLayer(weight, sets, scale, variance, shares)
    return found


class _Variant:
    """The maps of a style, or of a rotated or resized one, and the mask of its own pixels."""

    def __init__(self, extractor: FeatureExtractor, image: Tensor, mask: Tensor | None) -> None:
        self.maps = {name: maps.float() for name, maps in extractor(image).items()}
        self._mask = mask

    def cells_inside(self, name: str) -> Tensor | None:
        """Return the mask of the cells of a layer."""
        return None if self._mask is None else cells_inside(self._mask, self.maps[name])


def _collect(group: Sequence[_Variant], name: str, scale: Tensor, size: int, stride: int) -> StylePatches:
    maps = [variant.maps[name] * scale for variant in group]
    return StylePatches(maps, size, stride, [variant.cells_inside(name) for variant in group])


def _channel_scale(maps: Sequence[Tensor]) -> Tensor:
    """Return what channels are multiplied by, (1, C, 1, 1); finite for constant maps too."""
    values = torch.cat([each.flatten(2)[0] for each in maps], 1)
    deviation = values.std(1)
    floor = DEVIATION_FLOOR * deviation.mean() + FLAT * values.square().mean().sqrt() + TINY
    return 1 / (deviation + floor).view(1, -1, 1, 1)
