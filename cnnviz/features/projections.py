"""Units of a layer projected back and cut out: the part of the input that a unit sees, beside its projection."""

from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from cnnviz.features.deconvnet import Deconvnet, Projection, effective_receptive_box
from cnnviz.graph.backward_rules import Method, Rule
from cnnviz.graph.receptive_field import LayerInfo
from cnnviz.graph.region import Box
from cnnviz.models.network import Network

ReceptiveField = Literal["exact", "effective"]
LARGEST = 0.8  # share of the input: a receptive field larger than that is replaced by the effective one


@dataclass(frozen=True)
class ProjectionSettings:
    """How units of ``layer`` are projected and shown.

    ``method`` and ``other_activations`` as in ``deconvnet``; ``receptive_field``: "exact", the unit's receptive field
    (the effective one where that is most of the input), or "effective", a box with 95 % of the projection's energy.
    """

    layer: str
    method: Method | None = None
    other_activations: Rule | None = None
    receptive_field: ReceptiveField = "exact"


@dataclass(frozen=True)
class UnitRegion:
    """The part of the input that a unit is shown with: ``box``, and whether it is the effective one."""

    box: Box
    effective: bool


@dataclass(frozen=True)
class ProjectedUnit:
    """A unit's projection, and its part of the input.

    ``patch`` (3, h, w) in [0, 1], 0.5 beyond the input; ``part`` (3, h, w) of the signed projection, 0 beyond it.
    """

    projection: Projection
    region: UnitRegion
    patch: NDArray[np.float32]
    part: NDArray[np.float32]


@dataclass(frozen=True)
class Projector:
    """Projects units of one layer of a network; the layer's receptive field is computed once for each input size."""

    network: Network
    settings: ProjectionSettings
    _fields: dict[tuple[int, int], LayerInfo | None] = field(default_factory=dict)

    @cached_property
    def method(self) -> Method:
        """The method of the settings, or the network's default."""
        return self.settings.method or self.record(torch.full((1, 3, *self.network.size), 0.5)).method

    def record(self, inputs: Tensor) -> Deconvnet:
        """Return the recorded forward pass of an input (1, 3, h, w). Raises as ``deconvnet`` does."""
        settings = self.settings
        return Deconvnet(self.network, inputs, settings.layer, settings.method, settings.other_activations)

    def project(
        self, recorded: Deconvnet, inputs: Tensor, channel: int, position: tuple[int, int] | None = None
    ) -> ProjectedUnit:
        """Project a unit of a recorded input: by default the strongest of the channel's map."""
        return self.cut(recorded.project(channel, position), inputs)

    def cut(self, found: Projection, inputs: Tensor) -> ProjectedUnit:
        """Return a projected unit with its part of the input (1, 3, h, w)."""
        size = (inputs.shape[-2], inputs.shape[-1])
        if size not in self._fields:
            self._fields[size] = self.network.layer_infos_at(size).get(self.settings.layer)
        region = unit_region(self._fields[size], found, self.settings.receptive_field)
        patch = crop_box(inputs[0].float().cpu().numpy(), region.box, 0.5)
        part = crop_box(found.projection[0].float().cpu().numpy(), region.box, 0.0)
        return ProjectedUnit(found, region, patch, part)

    def remarks(self, recorded: Deconvnet) -> list[str]:
        """Return what limits a projection through this network, a line each."""
        name, lines = self.network.name, []
        if self.network.is_output(self.settings.layer):
            lines.append(f"{self.settings.layer} has one channel for each class: what the score of a class depends on "
                         "is shown by cnnviz attribute")  # fmt: skip
        if recorded.gates:
            lines.append(f"{name}: {len(recorded.gates)} gates (squeeze-and-excitation) are held constant")
        if recorded.skipped:
            lines.append(f"{name}: contrast normalisation is skipped ({', '.join(recorded.skipped)})")
        if self.settings.method == "deconvnet" and not recorded.switches:
            lines.append(f"{name} has no max pools before {self.settings.layer}: a deconvnet's projection depends on "
                         "the photo by the unit's activation alone; --method guided shows more")  # fmt: skip
        return lines


def unit_region(layer: LayerInfo | None, found: Projection, receptive_field: ReceptiveField) -> UnitRegion:
    """Return a unit's receptive field; the effective one on request, or where the exact is unknown or too large."""
    height, width = found.projection.shape[-2:]
    box = layer.box(found.position, (height, width)) if layer else None
    if receptive_field == "exact" and box and (box[2] - box[0]) * (box[3] - box[1]) <= LARGEST * height * width:
        return UnitRegion(box, effective=False)
    return UnitRegion(_square(effective_receptive_box(found.projection), (height, width)), effective=True)


def _square(box: Box, size: tuple[int, int]) -> Box:
    """Return the smallest square around a box that lies on an input of ``size``, or as much of it as fits."""
    side = max(box[2] - box[0], box[3] - box[1])
    edges = []
    for low, high, limit in ((box[0], box[2], size[0]), (box[1], box[3], size[1])):
        length = min(side, limit)
        start = min(max((low + high - length) // 2, 0), limit - length)
        edges.append((start, start + length))
    return edges[0][0], edges[1][0], edges[0][1], edges[1][1]


def crop_box(values: NDArray[np.floating], box: Box, fill: float) -> NDArray[np.float32]:
    """Return a part (3, bottom - top, right - left) of (3, h, w), with ``fill`` where it reaches beyond."""
    top, left, bottom, right = box
    height, width = values.shape[1:]
    part = np.full((3, bottom - top, right - left), fill, np.float32)
    rows, columns = slice(max(top, 0), min(bottom, height)), slice(max(left, 0), min(right, width))
    if rows.start >= rows.stop or columns.start >= columns.stop:  # wholly in the padding
        return part
    part[:, rows.start - top : rows.stop - top, columns.start - left : columns.stop - left] = values[:, rows, columns]
    return part


def resize_square(values: NDArray[np.floating], side: int) -> NDArray[np.float32]:
    """Return (3, h, w) at ``side`` pixels square, bicubic."""
    channels = [
        Image.fromarray(np.asarray(c, np.float32)).resize((side, side), Image.Resampling.BICUBIC) for c in values
    ]
    return np.stack([np.asarray(c, np.float32) for c in channels])
