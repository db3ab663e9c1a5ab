"""Options and JSON fields of ``cnnviz evaluate``, and its table for a person."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click
from click import IntRange

from cnnviz.app.declare import option
from cnnviz.app.jobs import Job
from cnnviz.app.options import (
    ColormapOptions,
    FigureOptions,
    Fill,
    OutputOptions,
    PhotoOptions,
    SeedOptions,
    TargetOptions,
    steps_option,
)
from cnnviz.app.param_types import Rectangle
from cnnviz.app.records import PhotoRecord, field
from cnnviz.attribution.catalog import MAX_MAPS
from cnnviz.errors import InvalidRequest
from cnnviz.text import printable

if TYPE_CHECKING:
    from torch import Tensor

    from cnnviz.attribution.deletion_insertion import DeletionInsertion
    from cnnviz.attribution.evaluation import MapScores


@dataclass(frozen=True, kw_only=True)
class Options(PhotoOptions, TargetOptions, ColormapOptions, FigureOptions, SeedOptions, OutputOptions):
    """Options of ``cnnviz evaluate``."""

    map: tuple[str, ...] = option("A map to evaluate, .npy or .npz, on the network's input or the photo; or a folder "
                                  "of them, named like the photos. Can be repeated. "
                                  "[default: cnnviz's own occlusion map]", default=(), multiple=True,
                                  type=click.Path(exists=True), metavar="FILE|FOLDER/", file=True,
                                  recorded=False)  # fmt: skip
    label: tuple[str, ...] = option("Name of a --map in the legend, in order. [default: its file's name and the method "
                                    "that its recipe names]", default=(), multiple=True,
                                    metavar="TEXT")  # fmt: skip
    mask: str | None = option("Mask of the object: an image of the photo's size, light at the object, dark elsewhere; "
                              "or a folder of them.", default=None, type=click.Path(exists=True),
                              metavar="FILE|FOLDER/", file=True, recorded=False)  # fmt: skip
    box: tuple[tuple[int, int, int, int], ...] = option(
        "Box around the object, in pixels of the photo. Several boxes, and a mask, are combined.", default=(),
        type=Rectangle(), multiple=True, metavar="X,Y,W,H",
    )  # fmt: skip
    randomize: bool = option("Also compute the map with randomised weights, layer by layer, and compare.",
                             default=False)  # fmt: skip
    steps: int = steps_option(50, "of deletion and of insertion")
    deletion_baseline: Fill = option("What deleted pixels become.", default="grey")
    insertion_baseline: Fill = option("The image that pixels are inserted into.", default="blur")
    shifts: int = option("How often to measure the map shifted at random, for comparison.", default=3,
                         type=IntRange(1), metavar="N")  # fmt: skip
    tolerance: int = option("Largest distance of the map's peak from the object that counts as a hit, on a photo "
                            "scaled to a longer side of 500.", default=15, type=IntRange(0),
                            metavar="PIXELS")  # fmt: skip
    randomize_stages: int = option("Stages of --randomize, the classifier first.", default=5, type=IntRange(1),
                                   metavar="N")  # fmt: skip

    def __post_init__(self) -> None:
        """Refuse options that exclude each other."""
        if self.randomize and self.map:
            raise InvalidRequest("--randomize computes the map again, which only cnnviz's own can be: leave --map out")
        if len(self.label) not in (0, len(self.map)):
            raise InvalidRequest(f"{len(self.label)} --label for {len(self.map)} --map: give one for each, or none")
        if max(1, len(self.map)) * max(1, len(self.targets)) > MAX_MAPS:
            raise InvalidRequest(f"more than {MAX_MAPS} maps in one figure: give fewer --map or --class")


def check_files(options: Options, jobs: Sequence[Job]) -> None:
    """Refuse files that cannot belong to the photos. Raises InvalidRequest."""
    masks = [("--mask", options.mask)] if options.mask else []
    for flag, path in [*(("--map", path) for path in options.map), *masks]:
        if len(jobs) > 1 and not os.path.isdir(path):
            raise InvalidRequest(f"{flag} {printable(path)}: {len(jobs)} photos need a folder of them")
        if any(job.output and os.path.realpath(job.output) == os.path.realpath(path) for job in jobs):
            raise InvalidRequest(f"{printable(path)}: is an input, and an input is never written to")


@dataclass(frozen=True, kw_only=True)
class PointingRecord:
    """JSON fields of the pointing game."""

    hit: bool = field("Whether the map's peak lies on the object, or within the tolerance.")
    peak: list[int] = field("Position of the peak on the photo: x, y.", minItems=2, maxItems=2)
    distance: float = field("Distance of the peak from the object, in pixels of the scaled photo.", minimum=0)
    energy: float = field("Share of the map's positive sum on the object.", minimum=0, maximum=1)
    covered: float = field("Share of the area that the object covers.", minimum=0, maximum=1)


@dataclass(frozen=True, kw_only=True)
class StageRecord:
    """JSON fields of one stage of --randomize."""

    down_to: str = field("The lowest layer randomised.")
    signed: float = field("Rank correlation of the maps.", minimum=-1, maximum=1)
    absolute: float = field("Rank correlation of the maps' magnitudes.", minimum=-1, maximum=1)


@dataclass(frozen=True, kw_only=True)
class MapRecord:
    """JSON fields of one map."""

    label: str = field("Name of the map in the legend.")
    target: int = field("Index of the class.", minimum=0)
    class_name: str = field("Name of the class.")
    probability: float = field("Probability of the class for the unchanged photo.", minimum=0, maximum=1)
    deletion_auc: float = field("Area under the deletion curve: small is good.", minimum=0, maximum=1)
    deletion_auc_normalized: float | None = field("The same, divided by the probability.")
    shifted_deletion_auc: float = field("The mean of the same for the map shifted.", minimum=0, maximum=1)
    shifted_deletion_auc_range: list[float] = field("Its smallest and its largest value.", minItems=2, maxItems=2)
    insertion_auc: float = field("Area under the insertion curve: large is good.", minimum=0, maximum=1)
    insertion_auc_normalized: float | None = field("The same, divided by the probability.")
    shifted_insertion_auc: float = field("The mean of the same for the map shifted.", minimum=0, maximum=1)
    shifted_insertion_auc_range: list[float] = field("Its smallest and its largest value.", minItems=2, maxItems=2)
    pointing: PointingRecord | None = field("The pointing game; null without --mask and --box.")
    randomization: list[StageRecord] | None = field("The stages of --randomize; null without it.")
    shares: list[float] = field("Shares of the pixels changed, at each step.", recorded=False)
    deletion: list[float] = field("Probability of the class at each step of deletion.", recorded=False)
    insertion: list[float] = field("Probability of the class at each step of insertion.", recorded=False)
    shifted_deletion: list[float] = field("The mean deletion curve of the map shifted.", recorded=False)
    shifted_insertion: list[float] = field("The mean insertion curve of the map shifted.", recorded=False)


@dataclass(frozen=True, kw_only=True)
class Record(PhotoRecord):
    """JSON fields of ``cnnviz evaluate``."""

    maps: list[MapRecord] = field("The maps, in the order of the figure.", minItems=1)


def map_record(label: str, score: "MapScores", curves: "DeletionInsertion", index: int) -> MapRecord:
    """Return the JSON fields of a map with the curves of its ``index``."""
    point, stages = score.pointing, score.randomization
    return MapRecord(
        label=label, target=score.target, class_name=score.class_name, probability=round(score.probability, 6),
        deletion_auc=round(score.deletion.auc, 6), deletion_auc_normalized=_rounded(score.deletion.normalized),
        shifted_deletion_auc=round(score.deletion.shifted_auc, 6),
        shifted_deletion_auc_range=[round(value, 6) for value in score.deletion.shifted_range],
        insertion_auc=round(score.insertion.auc, 6), insertion_auc_normalized=_rounded(score.insertion.normalized),
        shifted_insertion_auc=round(score.insertion.shifted_auc, 6),
        shifted_insertion_auc_range=[round(value, 6) for value in score.insertion.shifted_range],
        pointing=None if point is None else PointingRecord(
            hit=point.hit, peak=list(point.peak[::-1]), distance=round(point.distance, 3),
            energy=round(point.energy, 6), covered=round(point.covered, 6),
        ),
        randomization=None if stages is None else [
            StageRecord(down_to=stage.down_to, signed=round(stage.signed, 6), absolute=round(stage.absolute, 6))
            for stage in stages
        ],
        shares=_values(curves.shares), deletion=_values(curves.deletion[index]),
        insertion=_values(curves.insertion[index]),
        shifted_deletion=_values(curves.shifted_deletion[index].mean(0)),
        shifted_insertion=_values(curves.shifted_insertion[index].mean(0)),
    )  # fmt: skip


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 6)


def _values(curve: "Tensor") -> list[float]:
    return [round(value, 6) for value in curve.tolist()]


def text_table(source: str, rows: list[MapRecord]) -> str:
    """Return a line for every map: areas beside those of the map shifted, then what else was measured."""
    names = [printable(row.label) for row in rows]
    width = max(map(len, names))
    lines = [printable(source), f"  {'':<{width}}  deletion (shifted)  insertion (shifted)"]
    for name, row in zip(names, rows, strict=True):
        deletion = f"{row.deletion_auc:>8.3f} ({row.shifted_deletion_auc:.3f})"
        insertion = f"{row.insertion_auc:>9.3f} ({row.shifted_insertion_auc:.3f})"
        line = f"  {name:<{width}}  {deletion:<18}  {insertion}"
        if point := row.pointing:
            line += f"   {'hit' if point.hit else 'miss'}, energy {point.energy:.0%} (mask {point.covered:.0%})"
        if stages := row.randomization:
            line += f"   randomized {stages[0].signed:+.2f} to {stages[-1].signed:+.2f}"
        lines.append(line)
    return "\n".join(lines)
