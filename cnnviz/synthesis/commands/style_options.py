"""Options and JSON fields of ``cnnviz style``."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from click import Choice, IntRange

from cnnviz.app.clip_plan import ClipRecord
from cnnviz.app.declare import option
from cnnviz.app.options import (
    EXISTING,
    FigureOptions,
    LosslessOptions,
    NetworkOptions,
    OutputOptions,
    ReadingOptions,
    ResumeOptions,
    SaveEveryOptions,
    SeedOptions,
    features_model_option,
    look_option,
)
from cnnviz.app.param_types import Finite, Weighted, complete_layer, weighted
from cnnviz.app.records import field
from cnnviz.errors import InvalidRequest
from cnnviz.figures.style import ThemeName
from cnnviz.synthesis.commands.ascent_options import check_snapshots, read_images, settings_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from numpy.typing import NDArray

    from cnnviz.synthesis.style_settings import StyleSettings


@dataclass(frozen=True, kw_only=True)
class Options(
    ReadingOptions, FigureOptions, NetworkOptions, SaveEveryOptions, LosslessOptions, ResumeOptions, SeedOptions,
    OutputOptions,
):  # fmt: skip
    """Options of ``cnnviz style``."""

    model: str = features_model_option()
    style: tuple[str, ...] = option("Image whose style the result takes on; can be repeated.", type=EXISTING,
                                    multiple=True, metavar="FILE", panel="Input", file=True)  # fmt: skip
    style_weight: tuple[float, ...] = option(
        "Share of each style, in the order of --style. [default: equal]", default=(), type=Finite(0), multiple=True,
        metavar="WEIGHT", panel="Input")  # fmt: skip
    style_mask: tuple[str, ...] = option(
        "Grey image of the photo's size: white where the style applies, black where it does not; one for each --style.",
        default=(), type=EXISTING, multiple=True, metavar="FILE", panel="Input", file=True)  # fmt: skip
    long_side: int = option("Longer side of the result.", default=512, type=IntRange(16), metavar="PIXELS",
                            panel="Input")  # fmt: skip
    method: Literal["statistics", "mrf"] = option(
        "What of the style is taken over: the statistics of its features, or their patches, matched to the photo's "
        "(Markov random field, Li & Wand 2016).", default="statistics")  # fmt: skip
    content_weight: float = option("Weight of the content, relative to the style's of 1.", default=0.1, type=Finite(0),
                                   metavar="WEIGHT")  # fmt: skip
    tv_weight: float = option("Weight of the total variation, relative to the style's of 1.", default=0.0,
                              type=Finite(0), metavar="WEIGHT")  # fmt: skip
    style_scale: float = option("Longer side of the styles relative to the result's: larger for larger strokes.",
                                default=1.0, type=Finite(0.05, 20), metavar="FACTOR")  # fmt: skip
    style_layers: tuple[str, ...] = option(
        "Layer that describes the style, by its name in 'cnnviz layers', or pixels; can be repeated. Weights are "
        "relative. [default: by the network's structure, see docs/style.md]", default=(), type=Weighted(),
        multiple=True, shell_complete=complete_layer, metavar="NAME[=WEIGHT]")  # fmt: skip
    content_layers: tuple[str, ...] = option(
        "Layer that describes the content; can be repeated. [default: by the network's structure]", default=(),
        type=Weighted(), multiple=True, shell_complete=complete_layer, metavar="NAME[=WEIGHT]")  # fmt: skip
    statistics: Literal["covariance", "gram", "mean-std"] = option(
        "What is compared in each style layer: means and covariances, Gram matrices (Gatys et al. 2016), or means and "
        "standard deviations.", default="covariance")  # fmt: skip
    patch_size: int = option("Side of a patch of --method mrf, in cells of a feature map.", default=3,
                             type=IntRange(1, 9), metavar="CELLS")  # fmt: skip
    patch_stride: int = option("Largest distance between patches of the style; at least one cell.", default=6,
                               type=IntRange(1), metavar="PIXELS")  # fmt: skip
    rotations: tuple[float, ...] = option(
        "Add the patches of the style rotated counterclockwise by this angle; can be repeated.", default=(),
        type=Finite(-360, 360), multiple=True, metavar="DEGREES")  # fmt: skip
    scales: tuple[float, ...] = option("Add the patches of the style resized by this factor; can be repeated.",
                                       default=(), type=Finite(0.1, 4), multiple=True, metavar="FACTOR")  # fmt: skip
    init: Literal["content", "noise", "style"] = option(
        "What to start with: the photo in the style's colours, noise, or the style.", default="content")  # fmt: skip
    original_colors: str | None = option(
        "Keep the photo's colours. luminance: change the brightness alone; recolored: give the style the photo's "
        "colours first.", default=None, type=Choice(["luminance", "recolored"]))  # fmt: skip
    steps: int | None = option(
        "Steps at the full size; coarser sizes have up to twice as many. [default: 100, of --method mrf 60]",
        default=None, type=IntRange(1), metavar="N")  # fmt: skip
    temporal_weight: float | None = option(
        "Weight, in a clip, of the difference from the frames before. [default: 400]", default=None, type=Finite(0),
        metavar="WEIGHT")  # fmt: skip
    optimizer: Literal["adam", "lbfgs"] = option("How the loss is minimised.", default="adam")
    theme: ThemeName = look_option("theme", "both_ways")
    scale: int = look_option("scale", "both_ways")
    both_ways: bool = option("Draw a figure: the photo in the style of --style, and that image in the photo's style.",
                             default=False, panel="Figure", excludes=("style_mask", "save_every"))  # fmt: skip

    def __post_init__(self) -> None:
        check_snapshots(self.save_every, self.output)
        for flag, given in (("--style-weight", self.style_weight), ("--style-mask", self.style_mask)):
            if given and len(given) != len(self.style):
                raise InvalidRequest(f"{flag} is given {len(given)} times, --style {len(self.style)} times")
        if self.style_weight and not any(self.style_weight):
            raise InvalidRequest("--style-weight is 0 for all styles")
        if self.both_ways and len(self.style) != 1:
            raise InvalidRequest("--both-ways takes one --style")
        if self.method != "mrf" and (self.rotations or self.scales or (self.patch_size, self.patch_stride) != (3, 6)):
            raise InvalidRequest("--patch-size, --patch-stride, --rotations and --scales are for --method mrf")
        for name, weight in [*map(weighted, self.style_layers), *map(weighted, self.content_layers)]:
            if weight < 0:
                raise InvalidRequest(f"layer {name} has a negative weight")

    @property
    def bare(self) -> bool:
        """Whether the result is an image without a figure around it."""
        return not self.both_ways

    @property
    def settings(self) -> "StyleSettings":
        """The settings of the transfer."""
        from cnnviz.synthesis.style_patches import PatchSettings
        from cnnviz.synthesis.style_settings import StyleSettings

        style, content = (dict(map(weighted, names)) for names in (self.style_layers, self.content_layers))
        patches = PatchSettings(self.patch_size, self.patch_stride, self.rotations, self.scales)
        return replace(settings_of(StyleSettings, self), style_layers=style, content_layers=content, patches=patches)

    def read_styles(self) -> "list[NDArray[np.uint8]]":
        """Return the images of --style. Raises MethodError for one that cannot be read."""
        return read_images(self.style, self)

    def read_masks(self, size: tuple[int, int]) -> "list[NDArray[np.uint8]]":
        """Return the masks of --style-mask, (H, W), for a photo of ``size``. Raises MethodError for another size."""
        from cnnviz.io.photo import read_mask

        return [read_mask(path, size, max_pixels=self.max_pixels) for path in self.style_mask]


@dataclass(frozen=True, kw_only=True)
class LayerWeight:
    """A layer and its weight."""

    layer: str = field("Name of the layer; pixels: the filters on the pixels.")
    weight: float = field("Weight relative to the other layers.")


@dataclass(frozen=True, kw_only=True)
class Record(ClipRecord):
    """JSON fields of ``cnnviz style``."""

    style_layers: list[LayerWeight] = field("Layers that describe the style.", minItems=1)
    content_layers: list[LayerWeight] = field("Layers that describe the content.")
    sizes: list[list[int]] | None = field("Height and width of each size of the optimisation; not of clips.",
                                          default=None, optional=True)  # fmt: skip
    losses: list[list[float]] | None = field("The loss before each step, at each size; not of clips.", default=None,
                                             optional=True)  # fmt: skip
    reverse_losses: list[list[float]] | None = field("The same of the other direction of --both-ways.", default=None,
                                                     optional=True)  # fmt: skip
    steps_done: int | None = field("Steps done when the run was stopped.", default=None, progress_of="losses",
                                   minimum=0)  # fmt: skip


def layer_weights(layers: "Mapping[str, float]") -> list[LayerWeight]:
    """Return layers and weights for the record."""
    return [LayerWeight(layer=name, weight=weight) for name, weight in layers.items()]
