"""What ``cnnviz evaluate`` found: numbers for a program, a table for a person, a picture."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from cnnviz.app.jobs import Job, Line
from cnnviz.attribution.map_files import ScoredMap
from cnnviz.errors import printable

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cnnviz.attribution.deletion_insertion import DeletionInsertion
    from cnnviz.attribution.pointing_game import PointingGame
    from cnnviz.attribution.sanity_check import SanityCheck
    from cnnviz.figures.curves import Axes, Curve
    from cnnviz.figures.overlay import MapPanel
    from cnnviz.io.color import Photo
    from cnnviz.models.network import Network
    from cnnviz.models.preprocess import Geometry

WIDE = 27  # letters' sizes that a plot is wide, at least


def rows(
    network: "Network", subjects: Sequence[ScoredMap], curves: "DeletionInsertion",
    pointed: "Sequence[PointingGame | None]",
    checked: "SanityCheck | None",
) -> list[Line]:  # fmt: skip
    """Return the numbers of every map, for the recipe and --json."""
    from cnnviz.attribution.deletion_insertion import auc

    found: list[Line] = []
    for index, (subject, point) in enumerate(zip(subjects, pointed, strict=True)):
        clean = float(curves.clean[index])
        row: Line = {"label": subject.label, "target": subject.target, "class": network.class_name(subject.target),
                     "probability": round(clean, 6)}  # fmt: skip
        for name in ("deletion", "insertion"):
            own = float(auc(curves.shares, getattr(curves, name)[index]))
            drawn = auc(curves.shares, getattr(curves, f"random_{name}")[index])
            row |= {
                f"{name}_auc": round(own, 6),
                f"{name}_auc_normalized": round(own / clean, 6) if clean > 0 else None,
                f"random_{name}_auc": round(float(drawn.mean()), 6),
                f"random_{name}_auc_range": [round(float(drawn.min()), 6), round(float(drawn.max()), 6)],
            }
        row["pointing"] = _pointing_row(point) if point else None
        row["randomization"] = _stages(checked, index) if checked else None
        found.append(row)
    return found


def _pointing_row(point: "PointingGame") -> Line:
    return {
        "hit": point.hit,
        "peak": list(point.peak[::-1]),
        "distance": round(point.distance, 3),
        "energy": round(point.energy, 6),
        "covered": round(point.covered, 6),
    }


def _stages(checked: "SanityCheck", index: int) -> list[Line]:
    return [
        {"down_to": name, "signed": round(float(signed), 6), "absolute": round(float(absolute), 6)}
        for name, signed, absolute in zip(
            checked.down_to, checked.signed[:, index], checked.absolute[:, index], strict=True
        )
    ]


def points(curves: "DeletionInsertion") -> list[Line]:
    """Return the curves of every map, for --json."""
    shares = _rounded(curves.shares)
    return [
        {
            "shares": shares,
            "deletion": _rounded(curves.deletion[index]),
            "insertion": _rounded(curves.insertion[index]),
            "random_deletion": _rounded(curves.random_deletion[index].mean(0)),
            "random_insertion": _rounded(curves.random_insertion[index].mean(0)),
        }
        for index in range(len(curves.deletion))
    ]


def _rounded(values: Any) -> list[float]:
    return [round(value, 6) for value in values.tolist()]


def print_table(job: Job, line: Line) -> None:
    """Print a line for every map: areas beside those of the map moved at random, then what else was asked for."""
    names = [printable(row["label"]) for row in line["maps"]]
    width = max(map(len, names))
    click.echo(printable(job.source))
    click.echo(f"  {'':<{width}}  deletion (moved)  insertion (moved)")
    for name, row in zip(names, line["maps"], strict=True):
        areas = [row[key] for word in ("deletion", "insertion") for key in (f"{word}_auc", f"random_{word}_auc")]
        text = "  {:>8.3f} ({:.3f})  {:>9.3f} ({:.3f})".format(*areas)
        click.echo(f"  {name:<{width}}{text}{_more(row)}")


def _more(row: Line) -> str:
    text, point, stages = "", row["pointing"], row["randomization"]
    if point:
        verdict = "hit" if point["hit"] else "miss"
        text += f"   {verdict}, energy {point['energy']:.0%} (mask {point['covered']:.0%})"
    if stages:
        text += f"   randomized {stages[0]['signed']:+.2f} to {stages[-1]['signed']:+.2f}"
    return text


def draw(
    photo: "Photo", geometry: "Geometry", numbers: Line, subjects: Sequence[ScoredMap], curves: "DeletionInsertion",
    mask: "NDArray[Any] | None", colormap: str,
) -> "Photo":  # fmt: skip
    """Return the figure: the maps over the photo, three in a row, and the curves beside one map or below several."""
    import numpy as np

    from cnnviz.figures import curves as plot
    from cnnviz.figures import overlay

    found = numbers["maps"]
    photo, geometry = overlay.at_figure_size(photo, geometry)
    panels = [_panel(row, subject, geometry, mask) for row, subject in zip(found, subjects, strict=True)]
    label = "share of the map's largest magnitude"
    maps = overlay.stack([
        overlay.draw_figure(photo, geometry, panels[first : first + 3], label=label, colormap=colormap, bare=False)
        for first in range(0, len(panels), 3)
    ])  # fmt: skip
    unit = round(1.1 * overlay.font_size(*photo.shape[:2]))
    plots = _plots(found, curves)
    sanity = [_sanity(found)] if found[0]["randomization"] else []
    if len(panels) == 1 and photo.shape[1] < 2 * len(photo):  # beside it what there is, but never three in a row
        beside, below = (sanity, plots) if sanity else (plots, [])
        maps = np.concatenate([maps, plot.row(beside, WIDE * unit * len(beside), len(maps), unit)], 1)
    else:
        below = plots + sanity
    return overlay.stack([maps, _row_below(below, maps.shape[1], unit)]) if below else maps


def _row_below(plots: "list[Axes]", width: int, unit: int) -> "Photo":
    """Return plots in a row as wide as the maps above them, or wider, a little in from the border."""
    import numpy as np

    from cnnviz.figures import curves as plot

    width, height = max(width, WIDE * unit * len(plots)), round((22 + 1.4 * max(len(p.legend) for p in plots)) * unit)
    canvas = np.full((height, width, 3), 255, np.uint8)
    canvas[:, unit:] = plot.row(plots, width - unit, height, unit)
    return canvas


def _panel(row: Line, subject: ScoredMap, geometry: "Geometry", mask: "NDArray[Any] | None") -> "MapPanel":
    import numpy as np

    from cnnviz.attribution.pointing_game import peak
    from cnnviz.figures import overlay

    values = subject.values.numpy()
    share = (values / max(float(np.nanmax(np.abs(values))), 1e-12)).astype(np.float32)
    y, x = peak(subject.values)
    (height, width), (top, left) = geometry.resized, geometry.offset
    place = ((y + 0.5 + top) / height, (x + 0.5 + left) / width)
    title = f"{row['class']}  {row['probability']:.1%}"
    return overlay.MapPanel(share, title, _caption(row), overlay.Marks(place, mask))


def _caption(row: Line) -> str:
    point = row["pointing"]
    if not point:
        return f"{row['label']}; the cross is the peak"
    verdict = "a hit" if point["hit"] else "a miss"
    return f"{row['label']}; {verdict}, {point['energy']:.0%} of the energy in {point['covered']:.0%} of the area"


def _plots(found: Sequence[Line], curves: "DeletionInsertion") -> "list[Axes]":
    """Return deletion and insertion, on one scale."""
    from cnnviz.figures import curves as plot

    own = max(float(values.max()) for values in (curves.deletion, curves.insertion))
    moved = [values.mean(1) for values in (curves.random_deletion, curves.random_insertion)]
    if len(found) == 1:  # with the band of all
        moved = [curves.random_deletion, curves.random_insertion]
    scale = plot.ticks(max(own, *(float(values.max()) for values in moved)))
    percent = [(share / 4, f"{25 * share} %") for share in range(5)]
    return [
        plot.Axes("Deletion", "area under the curve: less is better", _lines("deletion", found, curves), percent,
                  scale, "pixels deleted", "probability"),
        plot.Axes("Insertion", "area under the curve: more is better", _lines("insertion", found, curves), percent,
                  scale, "pixels inserted", "probability"),
    ]  # fmt: skip


def _lines(name: str, found: Sequence[Line], curves: "DeletionInsertion") -> "list[Curve]":
    from cnnviz.figures import curves as plot

    shares, alone = curves.shares.tolist(), len(found) == 1
    lines, moved = [], []
    for row, own, each, colour in zip(
        found, getattr(curves, name), getattr(curves, f"random_{name}"), plot.COLOURS, strict=False
    ):
        area, other = f"{row[f'{name}_auc']:.3f}", f"{row[f'random_{name}_auc']:.3f}"
        value = area if alone else f"{area} ({other})"
        lines.append(plot.Curve(shares, own.tolist(), row["label"], value, colour))
        mean, label = each.mean(0).tolist(), "the same map, moved"
        if alone:
            band = each.amin(0).tolist(), each.amax(0).tolist()
            moved.append(plot.Curve(shares, mean, label, other, band=band))
        else:
            moved.append(
                plot.Curve(shares, mean, "" if moved else f"dashed: {label}", "", plot.lighten(colour), dashed=True)
            )
    return [*lines, *moved]


def _sanity(found: Sequence[Line]) -> "Axes":
    from cnnviz.figures import curves as plot

    count = len(found[0]["randomization"])
    parts = [f"{part}/{count - 1}" for part in range(1, count - 1)]
    words = ["none", "logits", *parts, *(["all"] if count > 1 else [])]
    lines = []
    for row, colour in zip(found, plot.COLOURS, strict=False):
        for key in ("signed", "absolute"):
            values = [1.0, *(stage[key] for stage in row["randomization"])]
            label = f"{row['label']}, {key}"
            lines.append(plot.Curve(range(count + 1), values, label, f"{values[-1]:+.2f}", colour,
                                    dashed=key == "absolute", dots=True))  # fmt: skip
    return plot.Axes(
        "Randomized weights", "likeness of the map: should fall to 0", lines, list(enumerate(words)),
        [(-1, "-1"), (-0.5, "-0.5"), (0, "0"), (0.5, "0.5"), (1, "1")], "layers randomized", "rank correlation",
    )  # fmt: skip
