"""The figure of the probability of a class against the size of the photo."""

from math import log2

from matplotlib.figure import Figure

from cnnviz.dense.size_curve import SizeCurve
from cnnviz.figures.curves import Curve, Plot, draw_plot
from cnnviz.figures.labels import class_label, network_label, percent, title_of
from cnnviz.figures.page import INNER, Page, Rect
from cnnviz.figures.style import LINE, MARGIN, Look, own_settings
from cnnviz.models.network import Network

HEIGHT, LABELS = 3.2, 1.9  # of the plot, and room for labels right of it, in inches
TICKS = 7  # of the axis of sizes, at most


@own_settings()
def draw_size_curve(network: Network, curve: SizeCurve, look: Look = Look()) -> Figure:
    """Return the probability for the whole photo and that of the best place, over the logarithm of the size."""
    page, name = Page(look), class_label(network, curve.target)
    best = max(range(len(curve.sizes)), key=curve.whole.__getitem__)
    page.heading(
        title_of("The probability of {} depends on the photo’s size", name),
        f"{network_label(network.name)}, trained at {min(network.size)} px, given the whole photo at each size.",
    )
    xs = [log2(size) for size in curve.sizes]
    end = f"at {curve.sizes[-1]} px"
    curves = [
        Curve(xs, curve.whole, ["whole photo", f"{percent(curve.whole[-1])} {end}"], page.theme.accent),
        Curve(xs, curve.best, ["best place", f"{percent(curve.best[-1])} {end}"], dashed=True),
    ]
    x_ticks = [(x, str(size)) for x, size in list(zip(xs, curve.sizes, strict=True))[:: -(-len(xs) // TICKS)]]
    if x_ticks[-1][0] < xs[-1]:
        x_ticks.append((xs[-1], str(curve.sizes[-1])))
    plot = Plot(curves, x_ticks, [(share / 4, percent(share / 4)) for share in range(5)],
                "shorter side of the photo, in pixels")  # fmt: skip
    draw_plot(page, Rect(MARGIN, page.top, INNER, HEIGHT), plot, LABELS)
    page.top += HEIGHT + 0.1 + 2 * LINE
    page.note(
        "Whole photo: softmax of the mean logit over all places. Best place: the highest softmax probability at a "
        f"place. The whole photo is best at {curve.sizes[best]} px, {percent(curve.whole[best])}: in a larger one most "
        "places show background, and the mean is theirs."
    )
    return page.finish()
