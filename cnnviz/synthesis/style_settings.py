"""How a style is transferred: weights, layers, sizes and steps."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from cnnviz.models.network import Network
from cnnviz.synthesis.coarse_to_fine import Schedule
from cnnviz.synthesis.descent import Optimizer
from cnnviz.synthesis.style_images import Init, OriginalColors
from cnnviz.synthesis.style_layers import StyleLayers, default_layers, patch_layers
from cnnviz.synthesis.style_patches import PatchSettings
from cnnviz.synthesis.style_statistics import Statistics

Method = Literal["statistics", "mrf"]

# Of "mrf": more sizes, so that parts are matched where they are a few cells large, and smooth steps.
PATCH_SCHEDULE = Schedule(steps=60, factor=1.6, smallest=90, growth=1.0, epsilon=1.0, smoothing=1.2, rolls=4)


@dataclass(frozen=True)
class StyleSettings:
    """How a style is transferred.

    ``style_layers`` and ``content_layers``: weights by layer, by default ``style_layers.default_layers``; the layer
    "pixels" is that of ``pixel_filters``. ``content_weight`` and ``tv_weight`` (total variation) are relative to the
    style's weight of 1. ``style_scale``: size of the styles relative to the result, larger for larger strokes;
    ``statistics``: what is compared; ``init``: what to start with, "content" in the style's colours;
    ``original_colors``: transfer the brightness alone ("luminance"), or give the styles the content's colours first
    ("recolored"); ``long_side`` of the result in pixels, None: the content's own; ``steps`` at the last
    size, None: the method's own number, see ``schedule``.
    ``method``: "statistics" of Gatys et al., or "mrf": ``patches`` matched to the style's (Li & Wand 2016), which
    takes over parts of objects.
    """

    content_weight: float = 0.1
    tv_weight: float = 0.0
    style_scale: float = 1.0
    style_layers: Mapping[str, float] = field(default_factory=dict)
    content_layers: Mapping[str, float] = field(default_factory=dict)
    statistics: Statistics = "covariance"
    init: Init = "content"
    original_colors: OriginalColors | None = None
    long_side: int | None = 512
    steps: int | None = None
    optimizer: Optimizer = "adam"
    method: Method = "statistics"
    patches: PatchSettings = PatchSettings()

    @property
    def schedule(self) -> Schedule:
        """Sizes and steps."""
        base = PATCH_SCHEDULE if self.method == "mrf" else Schedule()
        return replace(base, steps=self.steps or base.steps, optimizer=self.optimizer, style_scale=self.style_scale)

    def layers(self, network: Network) -> StyleLayers:
        """Return the layers that were named, or the network's own."""
        if self.style_layers and self.content_layers:
            return StyleLayers(self.style_layers, self.content_layers)
        own = patch_layers(network) if self.method == "mrf" else default_layers(network)
        return StyleLayers(self.style_layers or own.style, self.content_layers or own.content)
