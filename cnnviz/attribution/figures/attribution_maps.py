"""The figure of attribution maps over a photo: methods side by side, classes in rows."""

from collections.abc import Mapping, Sequence

from cnnviz.attribution.backprop import Attribution
from cnnviz.attribution.catalog import METHODS
from cnnviz.figures.colormap import percentile_scale
from cnnviz.figures.overlay import MapPanel, at_figure_size, draw_figure, stack
from cnnviz.io.color import Photo
from cnnviz.models.network import Network
from cnnviz.models.preprocess import Geometry

COLUMNS = 4  # panels in a row, at most
PALE = 0.65  # how pale the photo is under maps of single pixels


def draw(
    photo: Photo, geometry: Geometry, network: Network, found: Mapping[str, Attribution], *, colormap: str, bare: bool
) -> Photo:
    """Return the maps of methods by name; of several methods and classes each class begins a row of its own.

    ``bare`` gives the overlays alone, at the photo's own size. Every map is scaled to its 99th percentile.
    """
    blocks = [_panels(network, name, one) for name, one in found.items()]
    if len(blocks) > 1:
        blocks = [list(row) for row in zip(*blocks, strict=True)]
    if not bare:
        photo, geometry = at_figure_size(photo, geometry)
    signed = any(one.signed for one in found.values())
    return stack([
        draw_figure(photo, geometry, row, label="share of the 99th percentile", colormap=colormap, bare=bare,
                    scale=1.0, signed=signed)
        for block in blocks for row in _rows(block)
    ])  # fmt: skip


def _rows(panels: Sequence[MapPanel]) -> list[Sequence[MapPanel]]:
    """Return panels in rows of similar length."""
    rows = -(-len(panels) // COLUMNS)
    columns = -(-len(panels) // rows)
    return [panels[first : first + columns] for first in range(0, len(panels), columns)]


def _panels(network: Network, name: str, one: Attribution) -> list[MapPanel]:
    """Return a panel for each class, scaled alike."""
    end, method = percentile_scale(one.maps.numpy()), METHODS[name]
    shares = one.clean_logits.double().softmax(0)
    layer = f", layer {one.layer}" if one.layer else ""
    return [
        MapPanel(
            values, f"{method.title} · {network.class_name(target)} {shares[target]:.1%}",
            f"{network.name}{layer}; full colour at {end:.2g}", veil=0.0 if method.smooth else PALE,
        )
        for values, target in zip(one.maps.numpy() / end, one.targets, strict=True)
    ]  # fmt: skip
