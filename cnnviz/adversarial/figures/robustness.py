"""The figure of ``cnnviz robustness``: the share of photos with an unchanged class, against the size of the change."""

import math
from collections.abc import Sequence

from matplotlib.figure import Figure

from cnnviz.adversarial.robustness import RobustnessCurve
from cnnviz.figures.curves import Curve, Plot, Ticks, draw_plot
from cnnviz.figures.labels import network_label, percent, printable_name
from cnnviz.figures.page import INNER, Page, Rect
from cnnviz.figures.style import LINE, MARGIN, SUBTITLE, Look, own_settings
from cnnviz.figures.text import shorten
from cnnviz.text import plural

HEIGHT, LABELS = 3.2, 1.9  # of the plot, and room for labels right of it, in inches
NORMAL = 1.959964  # 97.5 % quantile of the normal distribution
STEPS = (1, 2, 5, 10, 20, 50)  # between ticks, in levels
POINTS = 24  # levels, at most, that are drawn as points
BESIDE = 0.06  # of a level, from one point to the other
TICKS = 9  # along the axis of levels, at most


@own_settings()
def draw_curve(curve: RobustnessCurve, look: Look = Look()) -> Figure:
    """Return the share under the attack and under random noise at each whole level, with its 95 % interval."""
    page, photos, last = Page(look), plural(curve.photos, "photo"), curve.eps
    right, measured = "whose predicted class is unchanged", curve.accuracy[0] < 1
    if curve.ground_truth is not None:  # without it all are right at level 0, by definition
        name = printable_name(str(curve.class_name), curve.ground_truth)
        right, measured = f"predicted as {shorten(f'“{name}”', 3.0, SUBTITLE)}", True
    page.heading(
        _finding(curve, measured),
        f"{network_label(curve.network)}. Share of {photos} {right} when each value may change by so many levels.",
    )
    median = "" if curve.median_levels is None else f"median {plural(curve.median_levels, 'level')}"
    end = f"at {plural(last, 'level')}"
    labels = ["smallest change found", f"{percent(curve.accuracy[-1])} {end}", *([median] if median else [])]
    noise = ["random noise", f"{percent(curve.noise_accuracy[-1])} {end}"]
    curves = [
        _points(curve.accuracy, curve.photos, labels, page.theme.accent, measured),
        _points(curve.noise_accuracy, curve.photos, noise, "", measured),
    ]
    y_ticks = [(share / 4, percent(share / 4)) for share in range(5)]
    plot = Plot(curves, _level_ticks(last), y_ticks, "largest change of a value, in levels of 255")
    draw_plot(page, Rect(MARGIN, page.top, INNER, HEIGHT), plot, LABELS)
    page.top += HEIGHT + 0.1 + 2 * LINE
    drawn = "Bars" if last <= POINTS else "Shaded"
    page.note(f"{drawn}: 95 % Wilson interval of a share of {photos}. Measured at whole levels.")
    return page.finish()


def _finding(curve: RobustnessCurve, measured: bool) -> str:
    """Return what the figure shows, as its title; if ``measured``, some photos may be misclassified as they are."""
    broken = next((level for level, share in enumerate(curve.accuracy) if not share), None)
    level = curve.median_levels if broken is None else broken
    which = (
        "at least half of the photos"
        if broken is None
        else f"all {curve.photos} photos"
        if curve.photos > 1
        else "the photo"
    )
    if curve.median_levels == 0:
        return "Without any change, at least half of the photos are misclassified"
    if level is None:
        return f"{_levels(curve.eps, 'leave')} the class of most photos unchanged"
    if measured:
        verb = "are" if broken is None or curve.photos > 1 else "is"
        return f"With a change of {plural(level, 'level')} of 255, {which} {verb} misclassified"
    return f"{_levels(level)} the class of {which}"


def _levels(count: int, verb: str = "change") -> str:
    return f"{plural(count, 'level')} of 255 {verb}{'s' * (count == 1)}"


def _points(shares: Sequence[float], photos: int, labels: Sequence[str], colour: str, measured: bool) -> Curve:
    """Return the shares at whole levels, as points unless there are many; without colour moved aside, or dashed."""
    bands = [wilson_interval(share, photos) for share in shares]
    if not measured:
        bands[0] = (1.0, 1.0)
    low, high = ([band[end] for band in bands] for end in (0, 1))
    points = len(shares) - 1 <= POINTS
    levels = [level + BESIDE * (points and not colour) for level in range(len(shares))]
    return Curve(levels, shares, labels, colour, (low, high), points=points, dashed=not (points or colour))


def wilson_interval(share: float, count: int) -> tuple[float, float]:
    """Return the 95 % interval (Wilson 1927) of the probability behind a share of ``count`` cases."""
    square = NORMAL**2
    middle = (share + square / (2 * count)) / (1 + square / count)
    half = NORMAL / (1 + square / count) * math.sqrt(share * (1 - share) / count + square / (4 * count**2))
    return max(0.0, middle - half), min(1.0, middle + half)


def _level_ticks(last: int) -> Ticks:
    """Return round levels from 0 on, between the ends of the axis, which have no text."""
    step = next((step for step in STEPS if last / step <= TICKS), STEPS[-1])
    levels: list[tuple[float, str]] = [(level, str(level)) for level in range(0, last + 1, step)]
    return [(-0.5, ""), *levels, (last + 0.5, "")]
