"""The maps of an evaluation beside the photo, with the mask, the maps' peaks and the result of the pointing game."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from matplotlib import patheffects
from matplotlib.axes import Axes
from numpy.typing import NDArray
from PIL import Image

from cnnviz.attribution.evaluation import Evaluation, MapScores
from cnnviz.attribution.figures.shown_maps import is_pixelwise, sampled, summed
from cnnviz.attribution.map_files import ScoredMap
from cnnviz.attribution.pointing_game import PointingGame, peak_on_photo
from cnnviz.figures.labels import percent
from cnnviz.figures.map_rows import Drawn, Layout, MapPanel, draw_map_rows
from cnnviz.figures.maps import Crop
from cnnviz.figures.page import INNER, Page, Rect
from cnnviz.figures.style import BLACK, CATEGORIES, MARGIN, PANEL, WHITE
from cnnviz.io.color import Photo
from cnnviz.models.preprocess import Geometry

HIGHEST = 2.7  # height of a row of maps in inches


@dataclass(frozen=True)
class Evaluated:
    """What is drawn: the maps with their labels, and their evaluation."""

    maps: Sequence[ScoredMap]
    evaluation: Evaluation

    @property
    def mask(self) -> NDArray[np.bool_] | None:
        """The mask (H, W) on the photo, if there was one."""
        return self.evaluation.mask

    @property
    def labels(self) -> list[str]:
        """The maps' names."""
        return [one.label for one in self.maps]

    @property
    def pixelwise(self) -> bool:
        """Whether a map has a value of its own at each pixel."""
        return any(is_pixelwise(one.values.numpy()) for one in self.maps)

    @property
    def marked(self) -> str:
        """The word for what the mask marks."""
        return "box" if self.mask is not None and _is_box(self.mask) else "mask"


def draw_maps(page: Page, photo: Photo, geometry: Geometry, evaluated: Evaluated, colormap: str) -> None:
    """Draw the photo, and each map on its own scale."""
    crop, scores = Crop.of(photo, geometry), evaluated.evaluation.scores
    panels = [_panel(crop, *one, evaluated, colormap)
              for one in zip(evaluated.labels, evaluated.maps, scores, strict=True)]  # fmt: skip
    height, width = geometry.size
    below = f"{width} × {height} px" + f"; orange: the {evaluated.marked}" * (evaluated.mask is not None)
    drawn = draw_map_rows(page, photo, geometry, crop, panels, Layout(HIGHEST, below_photo=below))
    if len(panels) == 1:
        _write_verdict(page, drawn.maps[0][1], scores[0].pointing, evaluated.marked)
    _mark(drawn, geometry, crop, evaluated)


def _panel(
    crop: Crop, label: str, one: ScoredMap, score: MapScores, evaluated: Evaluated, colormap: str
) -> MapPanel:  # fmt: skip
    values = sampled(one.values.numpy(), crop.ys, crop.xs)
    below = _verdict(score.pointing, evaluated.marked) if score.pointing and len(evaluated.maps) > 1 else ""
    return MapPanel(label, values, summed(values, bool(np.nanmin(values) < 0), colormap), below)


def _write_verdict(page: Page, box: Rect, point: PointingGame | None, marked: str) -> None:
    """Write the verdict of one map in larger letters beside it, or below it where there is no room."""
    x = box.right + 0.28
    room = MARGIN + INNER - x
    if point and room > 1.5:
        for words in _verdict(point, marked).split(". ", 1):
            box = replace(box, y=page.write_lines(x, box.y, words, room=room, size=PANEL, colour=page.theme.ink) + 0.12)
    elif point:
        page.top = page.write_lines(MARGIN, page.top + 0.05, _verdict(point, marked))


def _verdict(point: PointingGame, marked: str) -> str:
    """Return the result of the pointing game in words."""
    where = "inside" if point.distance == 0 else "close to" if point.hit else "outside"
    verdict = f"Pointing game: {'hit' if point.hit else 'miss'}, the peak is {where} the {marked}"
    share, area = percent(point.energy), percent(point.covered)
    return f"{verdict}. {share} of the map’s weight inside the {marked} ({area} of the area)"


def _mark(drawn: Drawn, geometry: Geometry, crop: Crop, evaluated: Evaluated) -> None:
    """Draw the mask's border and the maps' peaks."""
    left, top, right, bottom = geometry.box()
    if evaluated.mask is not None:
        cropped = evaluated.mask[top:bottom, left:right]
        _outline(drawn.photo, evaluated.mask if drawn.whole else cropped)
        for axes, _ in drawn.maps:
            _outline(axes, cropped)
    high, wide = crop.image.shape[:2]
    for (axes, _), one, score in zip(drawn.maps, evaluated.maps, evaluated.evaluation.scores, strict=True):
        if score.pointing:  # on the photo, where the game is played
            y, x = score.pointing.peak
            _cross(axes, (y + 0.5 - top) / (bottom - top) * high, (x + 0.5 - left) / (right - left) * wide)
        else:
            (y, x), _ = peak_on_photo(one.values, geometry)
            _cross(axes, float(np.interp(y, crop.ys, np.arange(high) + 0.5)),
                   float(np.interp(x, crop.xs, np.arange(wide) + 0.5)))  # fmt: skip


def _is_box(mask: NDArray[np.bool_]) -> bool:
    """Return whether a mask is one filled rectangle."""
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    return len(rows) > 0 and bool(mask[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].all())


def _outline(axes: Axes, mask: NDArray[np.bool_]) -> None:
    """Draw the border of a mask over a picture of the same part of the photo, closed along the photo's border."""
    wide, high = round(axes.get_xlim()[1]), round(axes.get_ylim()[0])  # of the picture in pixels
    share = np.asarray(Image.fromarray(mask.astype(np.float32)).resize((wide, high), Image.Resampling.BOX))
    if not share.max():
        return
    inside = np.pad(share >= min(0.5, share.max()), 1)  # a mask of less than a pixel must not vanish
    xs, ys = (np.arange(-1, side + 1) + 0.5 for side in (wide, high))
    line = axes.contour(xs, ys, inside, [0.5], colors=[CATEGORIES[4]], linewidths=1.8)
    line.set_path_effects([patheffects.withStroke(linewidth=3.4, foreground=BLACK)])
    line.set_clip_on(False)
    axes.set_xlim(0, wide)
    axes.set_ylim(high, 0)


def _cross(axes: Axes, y: float, x: float) -> None:
    rim = [patheffects.withStroke(linewidth=4.2, foreground=BLACK)]
    axes.plot([x], [y], "+", color=WHITE, markersize=13, markeredgewidth=2.2, path_effects=rim, zorder=5)
