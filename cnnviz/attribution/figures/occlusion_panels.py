"""The figure of an occlusion after Zeiler & Fergus 2013, figure 7: five panels, a to e."""

from collections import Counter
from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from torch import Tensor

from cnnviz.attribution.figures.panel_kinds import (
    LegendEntry,
    OcclusionPanel,
    Source,
    activation_panel,
    class_panel,
    explain,
    explained_panel,
    probability_panels,
    window_panel,
)
from cnnviz.attribution.fills import Fill, fill_label, occluder
from cnnviz.attribution.occlusion import Occlusion
from cnnviz.figures.labels import network_label, percent, quoted
from cnnviz.figures.maps import Crop
from cnnviz.figures.page import INNER, NARROWEST, Page, Rect
from cnnviz.figures.scale import rgb
from cnnviz.figures.style import NOTE, Look, own_settings
from cnnviz.figures.text import width
from cnnviz.io.color import Photo
from cnnviz.models.network import Network
from cnnviz.models.preprocess import Geometry

COLUMNS, HIGHEST, GAP = 3, 2.95, 0.42  # panels in a row; height of a panel and gap between two in inches


@own_settings()
def draw_figure_7(
    photo: Photo, geometry: Geometry, network: Network, inputs: Tensor, result: Occlusion, fill: Fill, *,
    seed: int = 0, look: Look = Look(),
) -> Figure:  # fmt: skip
    """Return panels a to e of the figure, d once for each class, on the network's crop.

    ``result`` of ``inputs`` (1, 3, h, w), with a layer named; ``fill`` and ``seed`` as it was computed.
    """
    cover = occluder(inputs, fill, network, seed)[0].float().cpu().numpy()
    source = Source(network, result, Crop.of(photo, geometry), cover)
    assert result.activation is not None  # a layer was named
    explained = explain(network, inputs, result.activation)
    page = Page(look)
    page.heading(_title(source), _subtitle(source, fill))
    classes, legend = class_panel(source)
    panels = [window_panel(source), activation_panel(source), explained_panel(source, explained),
              *probability_panels(source), classes]  # fmt: skip
    _grid(page, source.crop, panels, legend)
    page.note(_note(source))
    return page.finish()


def _grid(page: Page, crop: Crop, panels: Sequence[OcclusionPanel], legend: Sequence[LegendEntry]) -> None:
    """Draw panels three in a row, fewer of wide crops; the legend right of the last panel, or below it."""
    count = max(1, min(COLUMNS, int(6.4 / crop.aspect)))
    height = min((INNER - GAP * (count - 1)) / count / crop.aspect, HIGHEST)
    for first in range(0, len(panels), count):
        page.top += 0.22 * bool(first)
        row = panels[first : first + count]
        boxes = page.row([crop.aspect] * len(row), [panel.title for panel in row], height=height, gap=GAP)
        page.top = max(panel.draw(page, box, crop) for panel, box in zip(row, boxes, strict=True))
    last, room = boxes[-1], max(boxes[-1].width, NARROWEST)
    if len(row) < count:
        page.top = max(page.top, _draw_legend(page, last.x + room + GAP, last.y, room, legend))
    else:
        page.top = max(page.top, _draw_legend(page, last.x, last.bottom + 0.08, room, legend))


def _title(source: Source) -> str:
    """Return what covering does to the predicted class."""
    predicted = int(source.clean.argmax())
    best = Counter(source.predicted().tolist())
    others = [index for index, _ in best.most_common() if index != predicted]
    if not others:
        return f"No window changes the prediction {quoted([source.name(predicted)])}"
    return f"Covering parts can change {quoted([source.name(predicted)])} to {quoted([source.name(others[0])])}"


def _subtitle(source: Source, fill: Fill) -> str:
    result = source.result
    shares = ", ".join(f"{source.name(index)} {percent(source.clean[index], 1)}" for index in result.targets)
    return (
        f"{network_label(source.network.name)}: {shares}. A {fill_label(fill)} {result.window} px window at "
        f"{len(result.grid.tops)} × {len(result.grid.lefts)} positions; values at its centre."
    )


def _note(source: Source) -> str:
    done = float(source.result.done.float().mean())
    partial = f"Partial result: {percent(done)} of the positions, not interpolated. " if done < 1 else ""
    drawn = "Activation and drop: linear between the positions. " if done == 1 else ""
    return f"{partial}{drawn}Predicted class: not interpolated. After Zeiler & Fergus 2013, figure 7."


def _draw_legend(page: Page, x: float, y: float, room: float, entries: Sequence[LegendEntry]) -> float:
    """Write classes with their colours and how often they win, from ``y`` on; return where that ends.

    In two lines each where one line does not hold the longest.
    """
    shares = [percent(entry.share) if entry.share >= 0.005 else "less than 1 %" for entry in entries]
    wins = [f"wins at {share} of the positions" for share in shares]
    widest = max(width(f"{entry.name} {words}", NOTE) for entry, words in zip(entries, wins, strict=True))
    for entry, words in zip(entries, wins, strict=True):
        page.picture(Rect(x, y + 0.03, 0.12, 0.12).snapped(), np.full((1, 1, 3), rgb(entry.colour), np.uint8))
        below = page.write(x + 0.2, y, entry.name, colour=page.theme.ink, room=room - 0.2)
        if widest < room - 0.3:
            y = page.write(x + 0.2 + width(f"{entry.name} ", NOTE), y, words) + 0.04
        else:
            y = page.write(x + 0.2, below, words, room=room - 0.2) + 0.04
    return y
