"""What pictures of projections show: which part of the input, and how it is named."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

    from cnnviz.features.deconvnet import Deconvnet, Projection
    from cnnviz.features.figures.projections import Pair
    from cnnviz.graph.receptive_field import LayerInfo
    from cnnviz.graph.region import Box
    from cnnviz.models.network import Network

MOST = 0.8  # of the input: a field larger than that is no part of it


@dataclass(frozen=True)
class UnitRegion:
    """The part of the input that a unit is shown with: ``box``, and whether it is the effective one."""

    box: "Box"
    effective: bool


def receptive_layer(network: "Network", name: str, size: tuple[int, int]) -> "LayerInfo | None":
    """Return what is known of a layer's receptive field on an input of ``size`` (h, w)."""
    from cnnviz.graph.receptive_field import layer_table

    return next((layer for layer in layer_table(network.module, size) if layer.name == name), None)


def unit_region(layer: "LayerInfo | None", found: "Projection", field: str) -> UnitRegion:
    """Return a unit's receptive field; where that is most of the input, or unknown, where its projection lies.

    So too with the ``field`` "effective".
    """
    from cnnviz.features.deconvnet import effective_receptive_box

    height, width = found.projection.shape[-2:]
    box = layer.box(found.position, (height, width)) if layer else None
    if field == "exact" and box and (box[2] - box[0]) * (box[3] - box[1]) <= MOST * height * width:
        return UnitRegion(box, effective=False)
    return UnitRegion(_square(effective_receptive_box(found.projection), (height, width)), effective=True)


def _square(box: "Box", size: tuple[int, int]) -> "Box":
    """Return the smallest square around a box that lies on the input, as far as there is room."""
    side = max(box[2] - box[0], box[3] - box[1])
    edges = []
    for low, high, whole in ((box[0], box[2], size[0]), (box[1], box[3], size[1])):
        length = min(side, whole)
        start = min(max((low + high - length) // 2, 0), whole - length)
        edges.append((start, start + length))
    return edges[0][0], edges[1][0], edges[0][1], edges[1][1]


def pair(x: "Tensor", found: "Projection", part: UnitRegion, title: str) -> "Pair":
    """Return patch and projection for ``figure2``: ``x`` (1, 3, h, w)."""
    from cnnviz.features.figures import projections

    patch = projections.crop_box(x[0].float().cpu().numpy(), part.box, 0.5)
    projection = projections.crop_box(found.projection[0].float().cpu().numpy(), part.box, 0.0)
    y, column = found.position
    return projections.Pair(patch, projection, title, f"{found.seed:.3g} at {column}, {y}")


def remarks(network: "Network", ready: "Deconvnet", method: str) -> list[str]:
    """Return what a person should know of a projection through this network."""
    told = []
    if ready.gates:
        told.append(f"{network.name}: {len(ready.gates)} gates (squeeze-and-excitation) are held constant")
    if ready.skipped:
        told.append(f"{network.name}: contrast normalisation is passed over ({', '.join(ready.skipped)})")
    if method == "deconvnet" and not ready.switches:
        told.append(f"{network.name} has no max pools before {ready.layer}: a deconvnet knows of the photo by the "
                    "strength of its unit alone; --method guided shows more")  # fmt: skip
    return told
