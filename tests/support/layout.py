"""Faults of a figure's layout, found by matplotlib's own bounding boxes."""

from itertools import combinations

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text

from cnnviz.figures.style import DPI, NOTE, WIDTH

SLACK = 1.0  # pixels by which two boxes may touch


def texts(figure: Figure) -> list[str]:
    """Every text of a figure that is not empty."""
    return [text.get_text() for text in figure.findobj(Text) if text.get_visible() and text.get_text().strip()]


def faults(figure: Figure) -> list[str]:
    """What is wrong: width or resolution, small text, text over text, text or axes outside the canvas."""
    canvas = FigureCanvasAgg(figure)
    renderer, found = canvas.get_renderer(), []
    width, height = canvas.get_width_height()
    if round(figure.get_size_inches()[0], 6) != WIDTH or figure.dpi % DPI or width != WIDTH * figure.dpi:
        found.append(f"{width} pixels at {figure.dpi} dpi")
    shown = [text for text in figure.findobj(Text) if text.get_visible() and text.get_text().strip()]
    boxes = {text: text.get_window_extent(renderer) for text in shown}
    found += [f"{text.get_fontsize()} pt: {text.get_text()!r}" for text in shown if text.get_fontsize() < NOTE]
    for text, box in boxes.items():
        if box.x0 < -SLACK or box.y0 < -SLACK or box.x1 > width + SLACK or box.y1 > height + SLACK:
            found.append(f"outside: {text.get_text()!r}")
    for (first, a), (second, b) in combinations(boxes.items(), 2):
        if min(a.x1, b.x1) - max(a.x0, b.x0) > SLACK and min(a.y1, b.y1) - max(a.y0, b.y0) > SLACK:
            found.append(f"overlap: {first.get_text()!r} and {second.get_text()!r}")
    for axes in figure.axes:
        box = axes.get_window_extent(renderer)
        if box.x0 < -SLACK or box.y0 < -SLACK or box.x1 > width + SLACK or box.y1 > height + SLACK:
            found.append(f"axes outside: {box}")
    return found
