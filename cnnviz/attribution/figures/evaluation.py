"""The figure of an evaluation: the maps beside the photo, deletion and insertion, the sanity check."""

from collections.abc import Mapping, Sequence
from string import ascii_lowercase

import numpy as np
from matplotlib.figure import Figure
from torch import Tensor

from cnnviz.attribution.evaluation import CurveScore, Evaluation, MapScores
from cnnviz.attribution.figures.evaluation_maps import Evaluated, draw_maps
from cnnviz.attribution.figures.shown_maps import SIGMA
from cnnviz.attribution.fills import fill_label
from cnnviz.attribution.pointing_game import peak_on_photo
from cnnviz.figures.curves import BELOW, Curve, Plot, Ticks, draw_plot, round_ticks
from cnnviz.figures.labels import class_label, network_label, percent, quoted, with_minus
from cnnviz.figures.page import INNER, Page, Rect
from cnnviz.figures.style import CATEGORIES, HEAD, LINE, MARGIN, Look, own_settings
from cnnviz.io.color import Photo
from cnnviz.models.network import Network
from cnnviz.models.preprocess import Geometry

HEIGHT, BETWEEN, LABELS = 2.2, 0.3, 1.6  # of a plot; between two; room of labels at the lines' ends; inches
COLUMN = (INNER - BETWEEN) / 2
COLUMNS = (MARGIN, MARGIN + COLUMN + BETWEEN)
SHARES = [(part / 4, f"{25 * part} %") for part in range(5)]


@own_settings()
def draw_evaluation(
    photo: Photo, geometry: Geometry, network: Network, evaluated: Evaluated, *, colormap: str = "auto",
    look: Look = Look(),
) -> Figure:  # fmt: skip
    """Return the maps with the verdict of the pointing game, below them the curves and the sanity check."""
    page, scores = Page(look), evaluated.evaluation.scores
    page.heading(_title(network, scores), _subtitle(network, evaluated))
    draw_maps(page, photo, geometry, evaluated, colormap)
    page.top += 0.25
    _draw_curves(page, evaluated.labels, evaluated.evaluation)
    if scores[0].randomization:
        page.top += 0.3
        _draw_sanity_check(page, evaluated.labels, scores)
    page.note(_note(evaluated, geometry))
    return page.finish()


def _title(network: Network, scores: Sequence[MapScores]) -> str:
    """Return how the maps compare with the same maps shifted."""
    names = quoted(list(dict.fromkeys(class_label(network, score.target) for score in scores)))
    if len(scores) > 1:
        return f"Which map shows what {names} depend{'s' * (names.count('“') == 1)} on?"
    (score,) = scores
    won = [
        name
        for name, better in (
            ("deletion", score.deletion.auc < score.deletion.shifted_range[0]),
            ("insertion", score.insertion.auc > score.insertion.shifted_range[1]),
        )
        if better
    ]
    if not won:
        return f"The map does not find what {names} depends on"
    return f"The map finds what {names} depends on" + f", by {won[0]} alone" * (len(won) == 1)


def _subtitle(network: Network, evaluated: Evaluated) -> str:
    scores, settings = evaluated.evaluation.scores, evaluated.evaluation.settings
    shares = {class_label(network, score.target): percent(score.probability, 1) for score in scores}
    names = ", ".join(f"{name} {share}" for name, share in shares.items())
    deleted, start = fill_label(settings.deletion_baseline), fill_label(settings.insertion_baseline)
    return (
        f"{network_label(network.name)}: {names}. Pixels in the map’s order become {deleted} (deletion) or appear on a "
        f"{start} input (insertion)."
    )


def _note(evaluated: Evaluated, geometry: Geometry) -> str:
    shifts = evaluated.evaluation.curves.shifted_deletion.shape[1]
    alone = len(evaluated.maps) == 1
    control = f"band: range of {shifts} shifts" if alone else f"mean of all maps, {shifts} shifts each"
    words = [f"Cross: the map’s peak{_in_padding(evaluated, geometry)}."]
    words.append("Each map has its own scale, which covers 98 % of its summed magnitude.")
    words.append(f"Area under the curve. Control: {'the same map' if alone else 'the same maps'} shifted; {control}.")
    if evaluated.pixelwise:
        words.append(f"Pixel-wise maps are smoothed by a Gaussian, σ = {SIGMA} input px.")
    if any(score.pointing for score in evaluated.evaluation.scores):
        words.append("A map’s weight is the sum of its positive values.")
    return " ".join(words)


def _in_padding(evaluated: Evaluated, geometry: Geometry) -> str:
    """Return what is said of maps whose highest value lies where the network sees no photo."""
    padded = [peak_on_photo(one.values, geometry)[1] for one in evaluated.maps]
    letters = [letter for letter, higher in zip(ascii_lowercase[1:], padded, strict=False) if higher]
    if not letters:
        return ""
    whose = "its highest value lies" if len(padded) == 1 else f"the highest values of {', '.join(letters)} lie"
    return f" on the photo; {whose} in the padding"


def _draw_curves(page: Page, labels: Sequence[str], evaluation: Evaluation) -> None:
    """Draw deletion and insertion side by side, from 0 to one round end."""
    curves, scores = evaluation.curves, evaluation.scores
    shares = curves.shares.tolist()
    deletion = _curves(labels, [score.deletion for score in scores], shares, curves.deletion, curves.shifted_deletion)
    insertion = _curves(labels, [score.insertion for score in scores], shares, curves.insertion,
                        curves.shifted_insertion)  # fmt: skip
    largest = max(max(*curve.ys, *(curve.band[1] if curve.band else ())) for curve in (*deletion, *insertion))
    ticks = [(value, f"{100 * value:.10g} %" if value else "0") for value, _ in round_ticks(largest)]
    plots = {f"{title} curve is good": Plot(part, SHARES, ticks, f"pixels {word}") for title, part, word in (
        ("Deletion: a low", deletion, "deleted"), ("Insertion: a high", insertion, "inserted"))}  # fmt: skip
    _draw_plots(page, plots, "probability")


def _draw_plots(page: Page, plots: Mapping[str, Plot], unit: str) -> None:
    """Draw plots by their titles in two columns, as high as their labels need, with the unit of y above."""
    lines = max(sum(len(curve.labels) for curve in plot.curves) for plot in plots.values())
    height = max(HEIGHT, lines * (LINE + 0.02))
    for x, (title, plot) in zip(COLUMNS, plots.items(), strict=False):
        page.panel_title(x, page.top, title, COLUMN)
        page.write(x, page.top + HEAD, unit, room=COLUMN)
        draw_plot(page, Rect(x, page.top + HEAD + LINE, COLUMN, height), plot, LABELS)
    page.top += HEAD + LINE + height + 2 * LINE + BELOW


def _curves(
    labels: Sequence[str], scores: Sequence[CurveScore], shares: list[float], own: Tensor, shifted: Tensor
) -> list[Curve]:
    """Return the maps' curves and the control: the range of the shifts of one map, or the mean over several maps."""
    curves = [
        Curve(shares, ys.tolist(), (name, f"area {score.auc:.2g}"), colour)
        for name, score, ys, colour in zip(_lettered(labels), scores, own, CATEGORIES, strict=False)
    ]
    area = float(np.mean([score.shifted_auc for score in scores]))
    words = ("same map, shifted" if len(labels) == 1 else "same maps, shifted", f"area {area:.2g}")
    band = (shifted[0].amin(0).tolist(), shifted[0].amax(0).tolist()) if len(labels) == 1 else None
    return [*curves, Curve(shares, shifted.mean((0, 1)).tolist(), words, band=band, dashed=True)]


def _lettered(labels: Sequence[str]) -> list[str]:
    """Return the labels of several maps after the letters of their panels: a is the photo."""
    return list(labels) if len(labels) == 1 else [f"{ascii_lowercase[n]} {label}" for n, label in enumerate(labels, 1)]


def _draw_sanity_check(page: Page, labels: Sequence[str], scores: Sequence[MapScores]) -> None:
    """Draw how similar the maps of networks with randomized weights are to the map, and beside it how to read that."""
    count = len(scores[0].randomization or ())
    between = [f"{part}/{count - 1}" for part in range(1, count - 1)]
    ticks: Ticks = list(enumerate(["none", "logits", *between, *(["all"] if count > 1 else [])]))
    lines = [curve for name, score, colour in zip(_lettered(labels), scores, CATEGORIES, strict=False)
             for curve in _similarity(name, score, colour, alone=len(labels) == 1)]  # fmt: skip
    lowest = min(min(curve.ys) for curve in lines)
    y_ticks = [(value, with_minus(f"{value:.1f}").removesuffix(".0")) for value in (-1, -0.5, 0, 0.5, 1)
               if value >= min(0.0, np.floor(2 * lowest) / 2)]  # fmt: skip
    page.write_lines(
        COLUMNS[1], page.top + HEAD + LINE,
        "A map that explains the network must change with its weights. They are shuffled layer by layer, from the "
        "logits down to the input, and the map is computed again. Solid: the map with its sign, dashed: its magnitude. "
        "A line that stays near 1 shows the photo, not what the network learned.", room=COLUMN,
    )  # fmt: skip
    plot = Plot(lines, ticks, y_ticks, "layers with random weights")
    _draw_plots(page, {"Random weights: should fall to 0": plot}, "rank correlation")


def _similarity(label: str, score: MapScores, colour: str, *, alone: bool) -> list[Curve]:
    """Return the rank correlations with and without sign."""
    stages = score.randomization or ()
    signed = [1.0, *(stage.signed for stage in stages)]
    absolute = [1.0, *(stage.absolute for stage in stages)]
    last, size = (with_minus(f"{values[-1]:+.2f}").replace("−0.00", "0.00") for values in (signed, absolute))
    xs = range(len(signed))
    return [
        Curve(xs, signed, ("with sign", last) if alone else (label, last), colour),
        Curve(xs, absolute, ("magnitude", size) if alone else (), colour, dashed=True),
    ]
