"""The panels of Zeiler & Fergus 2013, figure 7: window, activation, projection, probability, predicted class."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cnnviz.attribution.occlusion import Occlusion, StrongestMap
from cnnviz.errors import CnnvizError
from cnnviz.features.deconvnet import Deconvnet
from cnnviz.figures.labels import channel_label, class_label, percent, placed_layer, signed, with_minus
from cnnviz.figures.maps import Crop, Words, bar_below, draw_map, frame, has_contour
from cnnviz.figures.page import Page, Rect
from cnnviz.figures.sampling import interpolate
from cnnviz.figures.scale import (
    PROJECTION_SHARE,
    Scale,
    map_ground,
    percentile_scale,
    rgb,
    round_end,
    signed_tile,
)
from cnnviz.figures.style import BLACK, CATEGORIES, OTHERS, WHITE
from cnnviz.io.color import Photo
from cnnviz.models.network import Network

EDGE = 5  # least distance of a window's frame from the border, in pixels of the crop's image
OPAQUE = 0.65  # of the colours of classes over the photo


@dataclass(frozen=True)
class Source:
    """What all panels are drawn from."""

    network: Network
    result: Occlusion
    crop: Crop
    cover: NDArray[np.floating]  # (3, h, w), what the window shows

    @property
    def shares(self) -> NDArray[np.float64]:
        """Probabilities (positions, classes), NaN where not computed."""
        values: NDArray[np.float64] = self.result.logits.double().softmax(1).numpy()
        return values

    @property
    def clean(self) -> NDArray[np.float64]:
        """Probabilities (classes,) of the uncovered input."""
        values: NDArray[np.float64] = self.result.clean_logits.double().softmax(0).numpy()
        return values

    def name(self, index: int) -> str:
        """Return the name of a class as it is printed."""
        return class_label(self.network, index)

    def predicted(self) -> NDArray[np.int64]:
        """Return the most probable class at each position done."""
        classes: NDArray[np.int64] = self.shares[self.result.done.numpy()].argmax(1)
        return classes

    def at_centres(self, values: NDArray[np.floating]) -> NDArray[np.float32]:
        """Return values (positions,) at the crop's pixels, linear between the windows' centres; those of a partial
        result at the pixels nearest to a centre.
        """
        grid = self.result.grid
        if not self.result.done.all():
            return self.crop.nearest(values[grid.nearest(self.result.done).numpy()]).astype(np.float32)
        half = (grid.window - 1) / 2
        rows, columns = np.array(grid.tops) + half, np.array(grid.lefts) + half
        return interpolate(values.reshape(len(rows), len(columns)), rows, columns, self.crop.ys, self.crop.xs)


@dataclass(frozen=True)
class Explained:
    """Values (h, w) on the network's input: the mean over the colours of a projection, or a map; title and words."""

    values: NDArray[np.float32]
    title: str
    words: str
    projected: bool


@dataclass(frozen=True)
class OcclusionPanel:
    """A panel: an ``image`` with a frame ``edges`` (top, left, bottom, right), or ``values`` (H, W) over the grey crop.

    Values have a ``scale``, ``ticks`` of its colour bar, and with ``contour`` a line; ``caption`` is written below.
    """

    title: str
    caption: str = ""
    image: Photo | None = None
    edges: Sequence[float] = ()
    values: NDArray[np.floating] | None = None
    scale: Scale = Scale(0, 1)
    ticks: Sequence[tuple[float, str]] = ()
    contour: bool = False

    def draw(self, page: Page, box: Rect, crop: Crop) -> float:
        """Draw the panel into its box, and return where what is written below it ends."""
        caption, bottom = self.caption, box.bottom + 0.08
        if self.image is not None:
            axes = page.picture(box, self.image)
            if self.edges:
                frame(axes, self.edges, WHITE, 1.6, BLACK)
        elif self.values is not None:
            axes = draw_map(page, box, crop, self.values, self.scale, contour=self.contour)
            bottom = bar_below(page, box.place, box.bottom + 0.1, self.scale, Words(self.ticks))
            caption += "; line: half of the scale" * has_contour(axes)
        return page.write_lines(box.x, bottom, caption, room=box.place.width, lines=2) if caption else box.bottom


def window_panel(source: Source) -> OcclusionPanel:
    """Return the crop with the window where the first class is least probable."""
    target, crop = source.result.targets[0], source.crop
    shares = source.shares[:, target]
    lowest = int(np.nanargmin(shares))
    top, left, bottom, right = source.result.grid.boxes[lowest]
    rows, columns = (crop.ys > top - 0.5) & (crop.ys < bottom - 0.5), (crop.xs > left - 0.5) & (crop.xs < right - 0.5)
    inside = np.logical_and.outer(rows, columns)[..., None]
    cover = np.stack([crop.sample(channel) for channel in source.cover], -1)
    image = np.where(inside, np.rint(cover * 255).clip(0, 255), crop.image).astype(np.uint8)
    edges, place = list[float](), "beside the photo, in the padding"
    if inside.any():
        ys, xs, place = np.flatnonzero(rows), np.flatnonzero(columns), "here"
        high, wide = (side - EDGE for side in image.shape[:2])
        edges = [max(ys[0], EDGE), max(xs[0], EDGE), min(ys[-1] + 1, high), min(xs[-1] + 1, wide)]
    caption = f"{source.name(target)}: {percent(float(shares[lowest]), 1)} with the window {place}"
    return OcclusionPanel("Lowest probability", caption, image, edges)


def activation_panel(source: Source) -> OcclusionPanel:
    """Return the sum of the strongest feature map by the window's position."""
    strongest = source.result.activation
    assert strongest is not None
    name = channel_label(source.network, strongest.layer, strongest.channel)
    caption = f"{placed_layer(source.network, strongest.layer)}; dark: covering lowers it"
    return _value_panel(f"Total activation of {name}", caption, source.at_centres(strongest.totals.numpy()))


def _value_panel(title: str, caption: str, values: NDArray[np.floating]) -> OcclusionPanel:
    """Return a panel of values (H, W) from their smallest to their largest."""
    low, high = float(np.nanmin(values)), float(np.nanmax(values))
    scale = Scale(low, max(high, low + 1e-6), "cividis")
    ticks = [(value, with_minus(f"{value:.3g}")) for value in (scale.low, scale.high)]
    return OcclusionPanel(title, caption, values=values, scale=scale, ticks=ticks)


def explain(network: Network, inputs: Tensor, strongest: StrongestMap) -> Explained:
    """Return the projection of the map's strongest unit onto the input (1, 3, h, w).

    By the deconvnet, guided where a network has no max pools; the feature map where it has layers without a rule.
    """
    name = channel_label(network, strongest.layer, strongest.channel)
    try:
        ready = Deconvnet(network, inputs, strongest.layer)
    except CnnvizError:
        size = (inputs.shape[-2], inputs.shape[-1])
        values = torch.nn.functional.interpolate(strongest.map[None, None].float(), size, mode="bilinear")[0, 0]
        return Explained(
            values.cpu().numpy(), f"Feature map of {name}", "activation; no deconvnet for this network", False
        )
    found = ready.project(strongest.channel)
    y, x = found.position
    method = "deconvnet" if ready.method == "deconvnet" else "guided backpropagation"
    words = f"{method}; unit y {y}, x {x}, activation {found.activation:.3g}; mean over the colours, grey: 0"
    return Explained(found.projection[0].mean(0).float().cpu().numpy(), f"Projection of {name}", words, True)


def explained_panel(source: Source, explained: Explained) -> OcclusionPanel:
    """Return the projection as its grey mean, or the feature map where there is no projection."""
    values = source.crop.sample(explained.values)
    if not explained.projected:
        return _value_panel(explained.title, explained.words, values)
    image = signed_tile(values[None], percentile_scale(explained.values, PROJECTION_SHARE))
    return OcclusionPanel(explained.title, explained.words, image)


def probability_panels(source: Source) -> list[OcclusionPanel]:
    """Return the drop of each class's probability, on one scale."""
    targets = source.result.targets
    drops = [100 * (source.clean[index] - source.shares[:, index]) for index in targets]
    end = round_end(max(float(np.nanmax(np.abs(drop))) for drop in drops))
    ticks = [(value, signed(value)) for value in (-end, 0.0, end)]
    return [
        OcclusionPanel(f"Drop of “{source.name(index)}”", "drop in points", values=source.at_centres(drop),
                       scale=Scale(-end, end), ticks=ticks, contour=True)
        for index, drop in zip(targets, drops, strict=True)
    ]  # fmt: skip


@dataclass(frozen=True)
class LegendEntry:
    """A class of the legend: its colour, its name, and the share of the positions at which it is predicted."""

    colour: str
    name: str
    share: float


def class_panel(source: Source) -> tuple[OcclusionPanel, list[LegendEntry]]:
    """Return the predicted class by the window's position, not interpolated, and its legend."""
    best = source.predicted()
    common = Counter(best.tolist()).most_common()
    colours = {index: colour for (index, _), colour in zip(common, CATEGORIES, strict=False)}
    table = np.full((source.shares.shape[1], 3), rgb(OTHERS), np.float32)
    for index, colour in colours.items():
        table[index] = rgb(colour)
    nearest = source.result.grid.nearest(source.result.done).numpy()
    classes = np.nan_to_num(source.shares, nan=-1).argmax(1)
    painted = table[source.crop.nearest(classes[nearest]).astype(int)]
    image = np.rint((1 - OPAQUE) * 255 * map_ground(source.crop.image) + OPAQUE * painted).astype(np.uint8)
    legend = [LegendEntry(colours[index], source.name(index), count / len(best))
              for index, count in common if index in colours]  # fmt: skip
    if len(common) > len(legend):
        rest = 1 - sum(entry.share for entry in legend)
        legend.append(LegendEntry(OTHERS, f"{len(common) - len(legend)} other classes", rest))
    return OcclusionPanel("Predicted class", image=image), legend
