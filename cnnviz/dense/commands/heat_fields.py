"""JSON fields of ``cnnviz heat``."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from cnnviz.app.clip_plan import ClipRecord
from cnnviz.app.records import PhotoRecord, RawRecord, field

if TYPE_CHECKING:
    from cnnviz.dense.heat import Heat
    from cnnviz.models.network import Network


@dataclass(frozen=True)
class PeakField:
    """The highest value of a map, at ``x`` and ``y`` in the photo's pixels."""

    x: int
    y: int
    value: float


@dataclass(frozen=True)
class HeatField:
    """A class: its probability for the ordinary input, and the peak of its map; of a clip the mean, and no peak."""

    index: int
    name: str
    probability: float
    peak: PeakField | None


@dataclass(frozen=True)
class PlaceField:
    """A part of the photo above the level: its peak, and the box around it: left, top, right, bottom."""

    x: int
    y: int
    value: float
    box: list[int]


@dataclass(frozen=True)
class SizeField:
    """The probability of the class for the photo at one size, and the highest at a place."""

    size: int
    probability: float
    best_place: float


@dataclass(frozen=True, kw_only=True)
class Record(PhotoRecord, RawRecord, ClipRecord):
    """JSON fields of ``cnnviz heat``."""

    size: list[int] | None = field("Height and width of a clip.", default=None, optional=True, minItems=2, maxItems=2)  # type: ignore[assignment]
    classes: list[HeatField] = field("The classes of the maps: probability and peak on the photo; of a clip the mean "
                                     "probability.", minItems=1)  # fmt: skip
    sizes: list[int] = field("Shorter side of the resized photo at each scale, in pixels.", minItems=1)
    stride: int = field("Pixels of the resized photo from one place to the next.", minimum=1)
    places: list[PlaceField] | None = field("With --find: places above the level, highest first.", default=None,
                                            optional=True)  # fmt: skip
    scale_end: float | None = field("Of a clip: the value at the end of the colours.", default=None, optional=True)
    curve: list[SizeField] | None = field("With --curve: the class's probability at each size.", default=None,
                                          optional=True)  # fmt: skip


def record_of(network: "Network", result: "Heat") -> Record:
    """Return the JSON fields of a network's result."""
    classes = [
        HeatField(index, network.class_name(index), round(share, 6), PeakField(peak.x, peak.y, round(peak.value, 4)))
        for index, share, peak in zip(result.targets, result.probabilities, result.peaks, strict=True)
    ]
    return Record(network=network.name, top=network.top(result.logits), classes=classes,
                  sizes=[min(grid.size) for grid in result.grids], stride=result.grids[0].stride)  # fmt: skip
