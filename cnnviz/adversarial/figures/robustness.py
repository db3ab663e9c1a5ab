"""The figure of ``cnnviz robustness``: accuracy against level."""

from cnnviz.adversarial.robustness import RobustnessCurve
from cnnviz.figures.curves import COLOURS, Axes, Curve, plot_row
from cnnviz.io.color import Photo
from cnnviz.text import plural

WIDTH, HEIGHT, UNIT = 960, 600, 20  # pixels of the figure and of its letters
TICKS = 9  # along the axis of levels, at most


def draw_curve(curve: RobustnessCurve) -> Photo:
    """Return the curve of the attack beside that of random noise, uint8 RGB (HEIGHT, WIDTH, 3)."""
    eps, median = curve.eps, curve.median_levels
    step = -(-eps // (TICKS - 1))
    photos = plural(curve.photos, "photo")
    words = plural(median, "level") if median is not None else f"more than {eps} levels"
    levels = range(eps + 1)
    curves = [
        Curve(levels, curve.accuracy, "smallest change found", f"median {words}", COLOURS[0], dots=True),
        Curve(levels, curve.noise_accuracy, "random noise of the same level", "", dots=True),
    ]
    axes = Axes(
        title=f"Robustness of {curve.network}",
        subtitle=f"share of {photos} whose answer stands when each value may change by so many levels",
        curves=curves,
        x_ticks=[(place, str(place)) for place in sorted({*range(0, eps + 1, step), eps})],
        y_ticks=[(share / 4, f"{25 * share} %") for share in range(5)],
        x_label="levels of 255 that a value may change by",
        y_label="answers that stand",
    )
    return plot_row([axes], WIDTH, HEIGHT, UNIT)
