"""The panels of Zeiler & Fergus 2013, figure 7: window, activation, projection, probability, predicted class."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cnnviz.attribution.occlusion import Occlusion, StrongestMap
from cnnviz.errors import CnnvizError
from cnnviz.features.deconvnet import Deconvnet
from cnnviz.figures.labels import class_label, percent, signed, with_minus
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

    @property
    def complete(self) -> bool:
        """Whether every position was computed."""
        return bool(self.result.done.all())

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
        if not self.complete:
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
    """A title, and what draws the panel into its box and writes below it; it returns where that ends."""

    title: str
    draw: Callable[[Page, Rect], float]


def window_panel(source: Source) -> OcclusionPanel:
    """Return the crop with the window where the first class is least probable."""
    target = source.result.targets[0]
    shares = source.shares[:, target]
    lowest = int(np.nanargmin(shares))
    top, left, bottom, right = source.result.grid.boxes[lowest]
    crop = source.crop
    inside = np.outer(
        (crop.ys > top - 0.5) & (crop.ys < bottom - 0.5), (crop.xs > left - 0.5) & (crop.xs < right - 0.5)
    )
    cover = np.stack([crop.sample(channel) for channel in source.cover], -1)
    image = np.where(inside[..., None], np.rint(cover * 255).clip(0, 255), crop.image).astype(np.uint8)
    words = f"{source.name(target)}: {percent(float(shares[lowest]), 1)} with the window here"

    def draw(page: Page, box: Rect) -> float:
        axes = page.picture(box, image)
        rows, columns = np.flatnonzero(inside.any(1)), np.flatnonzero(inside.any(0))
        if len(rows):
            high, wide = (side - EDGE for side in image.shape[:2])
            edges = (max(rows[0], EDGE), max(columns[0], EDGE), min(rows[-1] + 1, high), min(columns[-1] + 1, wide))
            frame(axes, edges, WHITE, 1.6, BLACK)
        return _caption(page, box, box.bottom + 0.08, words)

    return OcclusionPanel("Lowest probability", draw)


def activation_panel(source: Source) -> OcclusionPanel:
    """Return the sum of the strongest feature map by the window's position."""
    strongest = source.result.activation
    assert strongest is not None
    words = f"layer {strongest.layer}; dark: covering lowers it"
    return _value_panel(
        f"Total activation of map {strongest.channel}", source, source.at_centres(strongest.totals.numpy()), words
    )


def _value_panel(title: str, source: Source, values: NDArray[np.floating], words: str) -> OcclusionPanel:
    """Return a panel of values (H, W) from their smallest to their largest."""
    low, high = float(np.nanmin(values)), float(np.nanmax(values))
    scale = Scale(low, max(high, low + 1e-6), "cividis")
    ticks = [(value, with_minus(f"{value:.3g}")) for value in (scale.low, scale.high)]

    def draw(page: Page, box: Rect) -> float:
        draw_map(page, box, source.crop, values, scale)
        return _caption(page, box, bar_below(page, box.place, box.bottom + 0.1, scale, Words(ticks)), words)

    return OcclusionPanel(title, draw)


def explain(network: Network, inputs: Tensor, strongest: StrongestMap) -> Explained:
    """Return the projection of the map's strongest unit onto the input (1, 3, h, w).

    By the deconvnet, guided where a network has no max pools; the feature map where it has layers without a rule.
    """
    of = f"map {strongest.channel}"
    try:
        ready = Deconvnet(network, inputs, strongest.layer)
        method = "deconvnet" if ready.switches else "guided backpropagation"
        ready = ready if ready.switches else Deconvnet(network, inputs, strongest.layer, "guided")
    except CnnvizError:
        size = (inputs.shape[-2], inputs.shape[-1])
        values = torch.nn.functional.interpolate(strongest.map[None, None].float(), size, mode="bilinear")[0, 0]
        return Explained(values.cpu().numpy(), f"Feature {of}", "activation; no deconvnet for this network", False)
    found = ready.project(strongest.channel)
    y, x = found.position
    words = f"{method}; unit y {y}, x {x}, activation {found.activation:.3g}; mean over the colours, grey: 0"
    return Explained(found.projection[0].mean(0).float().cpu().numpy(), f"Projection of {of}", words, True)


def explained_panel(source: Source, explained: Explained) -> OcclusionPanel:
    """Return the projection as its grey mean, or the feature map where there is no projection."""
    values = source.crop.sample(explained.values)
    if not explained.projected:
        return _value_panel(explained.title, source, values, explained.words)
    image = signed_tile(values[None], percentile_scale(explained.values, PROJECTION_SHARE))

    def draw(page: Page, box: Rect) -> float:
        page.picture(box, image)
        return _caption(page, box, box.bottom + 0.08, explained.words)

    return OcclusionPanel(explained.title, draw)


def probability_panels(source: Source) -> list[OcclusionPanel]:
    """Return the drop of each class's probability, on one scale."""
    targets = source.result.targets
    drops = [100 * (source.clean[index] - source.shares[:, index]) for index in targets]
    end = round_end(max(float(np.nanmax(np.abs(drop))) for drop in drops))
    scale = Scale(-end, end)
    words = Words([(value, signed(value)) for value in (-end, 0.0, end)])
    panels = []
    for index, drop in zip(targets, drops, strict=True):
        values = source.at_centres(drop)

        def draw(page: Page, box: Rect, values: NDArray[np.float32] = values) -> float:
            line = has_contour(draw_map(page, box, source.crop, values, scale, contour=True))
            bottom = bar_below(page, box.place, box.bottom + 0.1, scale, words)
            return _caption(page, box, bottom, "drop in points" + "; line: half of the scale" * line)

        panels.append(OcclusionPanel(f"Drop of “{source.name(index)}”", draw))
    return panels


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

    def draw(page: Page, box: Rect) -> float:
        page.picture(box, image)
        return box.bottom

    return OcclusionPanel("Predicted class", draw), legend


def _caption(page: Page, box: Rect, y: float, words: str) -> float:
    return page.write_lines(box.x, y, words, room=box.place.width, lines=2)
