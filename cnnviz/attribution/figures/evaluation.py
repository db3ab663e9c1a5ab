"""The figure of an evaluation: the maps over the photo, the curves, the sanity check."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from cnnviz.attribution.evaluation import CurveScore, Evaluation, MapScores, RandomizationStage
from cnnviz.attribution.map_files import ScoredMap
from cnnviz.attribution.pointing_game import peak
from cnnviz.figures import curves as plot
from cnnviz.figures import overlay
from cnnviz.figures.curves import Axes, Curve
from cnnviz.figures.text import font_size
from cnnviz.io.color import Photo
from cnnviz.models.preprocess import Geometry

MIN_WIDTH = 27  # of a plot, in letter sizes
PERCENT = [(share / 4, f"{25 * share} %") for share in range(5)]


def draw(
    photo: Photo, geometry: Geometry, maps: Sequence[ScoredMap], evaluation: Evaluation,
    mask: NDArray[np.bool_] | None, colormap: str,
) -> Photo:  # fmt: skip
    """Return the figure: the maps over the photo, three in a row, and the curves beside one map or below several."""
    scores = evaluation.scores
    photo, geometry = overlay.at_figure_size(photo, geometry)
    panels = [_panel(one, score, geometry, mask) for one, score in zip(maps, scores, strict=True)]
    label = "share of the map's largest magnitude"
    drawn = overlay.stack([
        overlay.draw_figure(photo, geometry, panels[first : first + 3], label=label, colormap=colormap, bare=False)
        for first in range(0, len(panels), 3)
    ])  # fmt: skip
    unit = round(1.1 * font_size(*photo.shape[:2]))
    labels = [one.label for one in maps]
    plots = _curve_plots(labels, evaluation)
    check = [_sanity_plot(labels, scores)] if scores[0].randomization else []
    if len(panels) == 1 and photo.shape[1] < 2 * len(photo):  # plots beside the map, but never three in a row
        beside, below = (check, plots) if check else (plots, [])
        drawn = np.concatenate([drawn, plot.plot_row(beside, MIN_WIDTH * unit * len(beside), len(drawn), unit)], 1)
    else:
        below = plots + check
    return overlay.stack([drawn, _row_below(below, drawn.shape[1], unit)]) if below else drawn


def _row_below(plots: list[Axes], width: int, unit: int) -> Photo:
    """Return plots in a row at least as wide as the maps above them, with a margin."""
    width = max(width, MIN_WIDTH * unit * len(plots))
    height = round((22 + 1.4 * max(len(axes.legend) for axes in plots)) * unit)
    canvas = np.full((height, width, 3), 255, np.uint8)
    canvas[:, unit:] = plot.plot_row(plots, width - unit, height, unit)
    return canvas


def _panel(one: ScoredMap, score: MapScores, geometry: Geometry, mask: NDArray[np.bool_] | None) -> overlay.MapPanel:
    values = one.values.numpy()
    share = (values / max(float(np.nanmax(np.abs(values))), 1e-12)).astype(np.float32)
    y, x = peak(one.values)
    (height, width), (top, left) = geometry.resized, geometry.offset
    at = ((y + 0.5 + top) / height, (x + 0.5 + left) / width)
    title = f"{score.class_name}  {score.probability:.1%}"
    return overlay.MapPanel(share, title, _caption(one.label, score), overlay.Marks(at, mask))


def _caption(label: str, score: MapScores) -> str:
    point = score.pointing
    if not point:
        return f"{label}; the cross is the peak"
    verdict = "a hit" if point.hit else "a miss"
    return f"{label}; {verdict}, {point.energy:.0%} of the energy in {point.covered:.0%} of the area"


def _curve_plots(labels: Sequence[str], evaluation: Evaluation) -> list[Axes]:
    """Return deletion and insertion, on one scale."""
    curves, scores = evaluation.curves, evaluation.scores
    deletion = _curves(labels, [score.deletion for score in scores], curves.shares.tolist(),
                       curves.deletion, curves.shifted_deletion)  # fmt: skip
    insertion = _curves(labels, [score.insertion for score in scores], curves.shares.tolist(),
                        curves.insertion, curves.shifted_insertion)  # fmt: skip
    drawn = [
        value for curve in (*deletion, *insertion) for values in (curve.ys, *(curve.band or ())) for value in values
    ]
    scale = plot.ticks(max(drawn))
    return [
        Axes("Deletion", "area under the curve: less is better", deletion, PERCENT, scale, "pixels deleted",
             "probability"),
        Axes("Insertion", "area under the curve: more is better", insertion, PERCENT, scale, "pixels inserted",
             "probability"),
    ]  # fmt: skip


def _curves(
    labels: Sequence[str], scores: Sequence[CurveScore], shares: list[float], own: Tensor, shifted: Tensor,
) -> list[Curve]:  # fmt: skip
    """Return the maps' curves, and those of the shifted maps: with their range where there is one map alone."""
    alone, maps, others = len(labels) == 1, [], []
    for label, score, ys, each, colour in zip(labels, scores, own, shifted, plot.COLOURS, strict=False):
        area, other = f"{score.auc:.3f}", f"{score.shifted_auc:.3f}"
        value = area if alone else f"{area} ({other})"
        maps.append(Curve(shares, ys.tolist(), label, value, colour))
        mean, text = each.mean(0).tolist(), "the same map, shifted"
        if alone:
            band = each.amin(0).tolist(), each.amax(0).tolist()
            others.append(Curve(shares, mean, text, other, band=band))
        else:
            others.append(
                Curve(shares, mean, "" if others else f"dashed: {text}", "", plot.lighten(colour), dashed=True)
            )
    return [*maps, *others]


def _sanity_plot(labels: Sequence[str], scores: Sequence[MapScores]) -> Axes:
    count = len(scores[0].randomization or ())
    parts = [f"{part}/{count - 1}" for part in range(1, count - 1)]
    words = ["none", "logits", *parts, *(["all"] if count > 1 else [])]
    lines = []
    for label, score, colour in zip(labels, scores, plot.COLOURS, strict=False):
        stages: Sequence[RandomizationStage] = score.randomization or ()
        for name, values in (
            ("signed", [1.0, *(stage.signed for stage in stages)]),
            ("absolute", [1.0, *(stage.absolute for stage in stages)]),
        ):
            lines.append(Curve(range(count + 1), values, f"{label}, {name}", f"{values[-1]:+.2f}", colour,
                               dashed=name == "absolute", dots=True))  # fmt: skip
    return Axes(
        "Randomized weights", "similarity of the map: should fall to 0", lines, list(enumerate(words)),
        [(-1, "-1"), (-0.5, "-0.5"), (0, "0"), (0.5, "0.5"), (1, "1")], "layers randomized", "rank correlation",
    )  # fmt: skip
