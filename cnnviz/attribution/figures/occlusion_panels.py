"""Figures of an occlusion: its maps over the photo, and all panels of Zeiler & Fergus 2013, figure 7."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cnnviz.attribution.fills import Fill, occluder
from cnnviz.attribution.occlusion import Occlusion, StrongestMap
from cnnviz.errors import CnnvizError
from cnnviz.features.deconvnet import Deconvnet
from cnnviz.figures.colormap import PROJECTION_SHARE, color_table, percentile_scale
from cnnviz.figures.curves import COLOURS, Colour
from cnnviz.figures.overlay import MapPanel, draw_figure, enlarge, grey
from cnnviz.figures.palette import INK, PAPER
from cnnviz.figures.text import caption, drawing, ellipsize, font_size, load_font
from cnnviz.io.color import Photo
from cnnviz.models.network import Network
from cnnviz.models.preprocess import Geometry

REST = (150, 150, 150)  # of the classes for which no colour is left


@dataclass(frozen=True)
class Panel:
    """One panel: a title, a line below it, an image of the photo's size, and a scale or legend below that."""

    title: str
    subtitle: str

    @property
    def legend_rows(self) -> int:
        """Rows of the legend below the image."""
        return 0

    def paint(self, photo: Photo, geometry: Geometry) -> Photo:
        """Return the image, (H, W, 3) like the photo."""
        raise NotImplementedError

    def draw_key(self, canvas: NDArray[np.uint8], unit: int) -> None:
        """Draw the scale or the legend below the image, in letters of ``unit`` pixels; by default nothing."""


@dataclass(frozen=True)
class WindowPanel(Panel):
    """The photo with a window: ``box`` top, left, bottom, right on the input, ``cover`` (3, h, w) what it shows."""

    box: tuple[int, int, int, int]
    cover: NDArray[np.floating]

    def paint(self, photo: Photo, geometry: Geometry) -> Photo:
        """Return the photo with the window, dim where the network does not see it."""
        inside = np.zeros(geometry.size, np.float32)
        top, left, bottom, right = self.box
        inside[top:bottom, left:right] = 1
        share = geometry.to_photo(inside)[..., None]
        cover = geometry.to_photo(self.cover).transpose(1, 2, 0) * 255
        shown = np.where(np.isnan(share), photo * 0.4, photo)
        return np.where(share > 0.5, cover, shown).clip(0, 255).astype(np.uint8)


@dataclass(frozen=True)
class ProjectionPanel(Panel):
    """Signed ``values`` (3, h, w) on the network's input; zero is grey."""

    values: NDArray[np.floating]

    def paint(self, photo: Photo, geometry: Geometry) -> Photo:
        """Return the values on the photo's pixels, a dim photo around them."""
        carried = geometry.to_photo(self.values.astype(np.float32)).transpose(1, 2, 0)
        shown = carried / percentile_scale(self.values, PROJECTION_SHARE) * 127.5 + 128
        return np.where(np.isnan(carried), grey(photo) * 0.34, shown).clip(0, 255).astype(np.uint8)


@dataclass(frozen=True)
class ValuePanel(Panel):
    """``values`` (h, w) on the network's input, coloured from their smallest to their largest."""

    values: NDArray[np.floating]
    digits: str = ".3g"

    def paint(self, photo: Photo, geometry: Geometry) -> Photo:
        """Return the colours over the grey photo."""
        low, high = float(np.nanmin(self.values)), float(np.nanmax(self.values))
        part = (geometry.to_photo(self.values) - low) / max(high - low, 1e-12)
        known = ~np.isnan(part)[..., None]
        colours = color_table("viridis")[np.rint(np.nan_to_num(part).clip(0, 1) * 255).astype(np.uint8)]
        light = 0.85 * grey(photo) + 20
        return np.where(known, 0.3 * light + 0.7 * colours, light * 0.4).clip(0, 255).astype(np.uint8)

    def draw_key(self, canvas: NDArray[np.uint8], unit: int) -> None:
        """Draw the colours with the smallest and the largest value."""
        width = canvas.shape[1]
        ramp = color_table("viridis")[np.linspace(0, 255, width).astype(int)]
        canvas[round(0.5 * unit) : round(1.1 * unit)] = ramp
        with drawing(canvas) as pen:
            font = load_font(round(0.8 * unit))
            low, high = (format(float(v), self.digits) for v in (np.nanmin(self.values), np.nanmax(self.values)))
            pen.text((0, 1.4 * unit), low, INK, font)
            pen.text((width, 1.4 * unit), high, INK, font, anchor="ra")


@dataclass(frozen=True)
class ClassPanel(Panel):
    """Classes: ``indices`` (h, w) on the network's input, each an index into ``names``."""

    indices: NDArray[np.integer]
    names: Sequence[str]

    @property
    def legend_rows(self) -> int:
        """Rows of the legend, two classes in each."""
        return (len(self._coloured()[1]) + 1) // 2

    def paint(self, photo: Photo, geometry: Geometry) -> Photo:
        """Return a colour for each class over the grey photo."""
        colours, _ = self._coloured()
        painted = geometry.to_photo(colours[self.indices].transpose(2, 0, 1).astype(np.float32)).transpose(1, 2, 0)
        light = 0.85 * grey(photo) + 20
        mixed = 0.35 * light + 0.65 * np.nan_to_num(painted)
        return np.where(np.isnan(painted), light * 0.4, mixed).clip(0, 255).astype(np.uint8)

    def draw_key(self, canvas: NDArray[np.uint8], unit: int) -> None:
        """Draw the classes with their colours and their shares."""
        font, half = load_font(round(0.8 * unit)), canvas.shape[1] // 2
        with drawing(canvas) as pen:
            for number, (text, colour) in enumerate(self._coloured()[1]):
                x, y = number % 2 * half, round((0.5 + 1.4 * (number // 2)) * unit)
                pen.rectangle((x, y, x + 0.8 * unit, y + 0.8 * unit), fill=colour, outline=PAPER)
                pen.text(
                    (x + 1.2 * unit, y + 0.4 * unit), ellipsize(text, font, half - 2 * unit), INK, font, anchor="lm"
                )

    def _coloured(self) -> tuple[NDArray[np.uint8], list[tuple[str, Colour]]]:
        """Return a colour for each class, and the legend: the most frequent first, the rest in one entry."""
        counts = Counter(self.indices.ravel().tolist())
        colours = np.full((len(self.names), 3), REST, np.uint8)
        legend = []
        for (index, count), colour in zip(counts.most_common(), COLOURS, strict=False):
            colours[index] = colour
            legend.append((f"{self.names[index]}  {count / self.indices.size:.0%}", colour))
        if len(counts) > len(COLOURS):
            rest = 1 - sum(count for _, count in counts.most_common(len(COLOURS))) / self.indices.size
            legend.append((f"{len(counts) - len(COLOURS)} others  {rest:.0%}", REST))
        return colours, legend


def draw_maps(
    photo: Photo, geometry: Geometry, network: Network, result: Occlusion, *, fill: str, score: str, colormap: str,
    bare: bool, note: str = "",
) -> Photo:  # fmt: skip
    """Return a panel for each class, on one scale; ``fill`` and ``score`` as computed, ``note`` begins the captions."""
    shares = result.clean_logits.double().softmax(0)
    subtitle = f"{note}{network.name}, {fill} window of {result.window} px, stride {result.stride} px"
    panels = [
        MapPanel(values, f"{network.class_name(index)}  {shares[index]:.1%}", subtitle)
        for values, index in zip(result.maps.numpy(), result.targets, strict=True)
    ]
    return draw_figure(photo, geometry, panels, label=f"drop of the {score}", colormap=colormap, bare=bare)


def draw_panels(photo: Photo, geometry: Geometry, panels: Sequence[Panel]) -> Photo:
    """Return the panels in a row, each with its title above and its scale or legend below."""
    photo, geometry = enlarge(photo, geometry)
    height, width = photo.shape[:2]
    unit = font_size(height, width)
    rows = max(panel.legend_rows for panel in panels)
    head, foot, gap = round(3.4 * unit), round(max(2.9, 1.4 * rows + 0.9) * unit), round(1.5 * unit)
    canvas = np.full((height + head + foot, len(panels) * (width + gap) + gap, 3), 255, np.uint8)
    for number, panel in enumerate(panels):
        left = gap + number * (width + gap)
        column = canvas[:, left : left + width]
        caption(column[:head], panel.title, panel.subtitle, unit)
        column[head : head + height] = panel.paint(photo, geometry)
        panel.draw_key(column[head + height :], unit)
    return canvas


def figure_panels(
    network: Network, x: Tensor, result: Occlusion, fill: Fill, *, seed: int = 0, note: str = ""
) -> list[Panel]:
    """Return the panels (a) to (e) of the figure; (d) once for each class.

    ``result`` of the input ``x`` (1, 3, h, w) with a layer named; ``fill`` and ``seed`` as it was computed; ``note``
    begins the first caption. A value is drawn at the pixels nearest to its window's centre. Where a network has no
    max pools, (c) is guided; where it has layers without a rule, (c) is the feature map itself.
    """
    shares = result.logits.double().softmax(1)
    nearest = result.grid.nearest(result.done)
    first, strongest = result.targets[0], result.activation
    assert strongest is not None  # a layer was named
    lowest = int(shares[:, first].nan_to_num(2).argmin())
    cover = occluder(x, fill, network, seed)[0].float().cpu().numpy()
    clean = result.clean_logits.double().softmax(0)
    window = f"{note}{result.window} px, stride {result.stride} px, {fill}"
    best = shares.nan_to_num(0).argmax(1)
    kept, indices = np.unique(best[nearest].numpy(), return_inverse=True)
    name, of = network.class_name, f"map {strongest.channel} of {strongest.layer}"
    return [
        WindowPanel("Window", f"{window}; where {name(first)} is least probable", result.grid.boxes[lowest], cover),
        ValuePanel("Total activation", f"strongest map: {of}", strongest.totals[nearest].numpy()),
        projection_panel(network, x, strongest, of),
        *(
            ValuePanel(f"Probability of {name(i)}", f"{clean[i]:.1%} uncovered", shares[nearest, i].numpy(), ".2f")
            for i in result.targets
        ),
        ClassPanel("Most probable class", "by the position of the window", indices,
                   [name(index) for index in kept.tolist()]),
    ]  # fmt: skip


def projection_panel(network: Network, x: Tensor, strongest: StrongestMap, of: str) -> Panel:
    """Return panel (c): the strongest unit of the map projected onto the input; ``of`` names the map."""
    try:
        ready = Deconvnet(network, x, strongest.layer)
        method = "deconvnet" if ready.switches else "guided"
        ready = ready if ready.switches else Deconvnet(network, x, strongest.layer, "guided")
    except CnnvizError:
        size = (x.shape[-2], x.shape[-1])
        values = torch.nn.functional.interpolate(strongest.map[None, None], size, mode="bilinear")[0, 0]
        return ValuePanel("Its feature map", f"{of}; no deconvnet for this network", values.numpy())
    found = ready.project(strongest.channel)
    values = found.projection[0].float().cpu()
    return ProjectionPanel("Its projection", f"{of}, {method}; its strongest unit", values.numpy())
