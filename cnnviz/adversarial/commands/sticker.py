"""``cnnviz sticker``: a printable patch in a region of a photo, classified as another class from many sides."""

import re
from dataclasses import MISSING, dataclass
from pathlib import Path
from typing import Any

import click

from cnnviz.adversarial.commands.records import PreviewOptions, QueryRecord, share, sheet_option
from cnnviz.adversarial.results import PatchRates, Top
from cnnviz.app.declare import option
from cnnviz.app.options import (
    KeepFailedOptions,
    OutputOptions,
    PhotoOptions,
    SeedOptions,
    class_option,
    steps_option,
)
from cnnviz.app.param_types import Finite
from cnnviz.app.photo_command import photo_command
from cnnviz.app.records import PhotoRecord, Result, field
from cnnviz.app.session import PhotoInput, Session
from cnnviz.control import Control
from cnnviz.text import printable

UNSTABLE = 0.2  # share of the poses in which the bare photo loses its own class, from which on a note says so
SIMULATED = "simulated: rendered and classified on this computer, neither printed nor photographed"
NUMBER = r"\d{1,6}(?:\.\d{1,3})?"  # a coordinate of a corner


class PatchRegion(click.ParamType):  # type: ignore[type-arg,unused-ignore]
    """Corners x,y with spaces between them, or the name of an existing file."""

    name = "region"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str | Path:
        """Return the corners as text, or the mask's path."""
        if isinstance(value, Path):
            return value
        if len(words := value.split()) >= 3 and all(re.fullmatch(f"{NUMBER},{NUMBER}", word) for word in words):
            return " ".join(words)
        if not Path(value).is_file():
            kinds = "a file nor three or more corners x,y such as '40,60 200,60 120,180'"
            self.fail(f"{printable(value)!r} is neither {kinds}", param, ctx)
        return Path(value)


@dataclass(frozen=True, kw_only=True)
class Options(PhotoOptions, PreviewOptions, SeedOptions, KeepFailedOptions, OutputOptions):
    """Options of ``cnnviz sticker``."""

    region: str | Path = option(
        "Where the sticker goes: corners of a polygon in pixels of the photo, such as '40,60 200,60 200,180 40,180' "
        "(four, clockwise from the upper left, are a rectangle in perspective), or a mask, an image of the photo's "
        "size that is white there.", type=PatchRegion(), metavar="POLYGON|MASK", panel="Input",
    )  # fmt: skip
    goal: str = class_option("Target class.", "--target-class", default=MISSING, panel="Input")
    steps: int = steps_option(600, "of one pose each")
    print_size: float = option("Longer side of the printed sticker, in millimetres; the file has 300 dots an inch.",
                               default=100.0, type=Finite(10, 500), metavar="MM", panel="Figure")  # fmt: skip
    min_success: float = option("Required success rate in the held-out poses; below it the exit status is 4.",
                                default=0.5, type=Finite(0, 1), metavar="SHARE")  # fmt: skip
    preview: str | None = sheet_option(
        "Also draw the network's inputs with sticker, controls and bare photo in some poses, each with its class.",
        "-preview.png",
    )


@dataclass(frozen=True, kw_only=True)
class Record(PhotoRecord, QueryRecord):
    """JSON fields of ``cnnviz sticker``; ``top`` are the classes of the fixed view with the sticker."""

    clean_top: Top = field("The most probable classes of the bare photo.", minItems=1)
    target: int = field("Index of the bare photo's own class.", minimum=0)
    goal: int = field("Index of the class to be fooled into.", minimum=0)
    success_rate: float = share("Share of the held-out poses classified as the goal.")
    misclassified_rate: float = share("Share of the held-out poses not classified as the target.")
    poses: int = field("Number of held-out poses.", minimum=1)
    controls: dict[str, PatchRates] = field("The same of a grey and a noise sticker, and of the bare photo.",
                                            required=["grey", "noise", "clean"])  # fmt: skip
    area: float = share("Share of the network's input that the sticker covers in the fixed view.")
    size: list[int] = field("Height and width of the sticker's file, in pixels.", minItems=2, maxItems=2)
    print_size: list[float] = field("Width and height of the printed sticker, in millimetres.", minItems=2,
                                    maxItems=2)  # fmt: skip


@photo_command(Options, Record, suffix="-sticker.png", formats=(".png",), progress=("optimising", "steps"))
def sticker(session: Session, photo: PhotoInput, options: Options, control: Control) -> Result[Record]:
    """Make an adversarial patch that works from many viewpoints (simulated).

    The result is the sticker alone, in print size. It is optimised over random rotations, tilts, distances, light,
    noise and backgrounds, and evaluated in 200 held-out poses, beside a grey and a noise sticker in its place. All of
    them are rendered from the one photo: a printed sticker before a camera may do less. INPUTS are photos, folders of
    photos, or -.

    \b
    Examples:
      cnnviz sticker sign.jpg --region '40,60 200,60 200,180 40,180' --target-class toaster
      cnnviz sticker sign.jpg --region mask.png --target-class banana --preview preview.png
      cnnviz sticker sign.jpg --region mask.png --target-class 954 --json | jq .success_rate
    """
    network = session.network

    from cnnviz.adversarial.patch import patch

    result = patch(
        network, photo.image, options.region, options.goal, steps=options.steps, print_size=options.print_size,
        fit=options.fit, seed=options.seed, max_pixels=options.max_pixels, control=control,
    )  # fmt: skip
    own, clean = result.rates["sticker"], result.rates["clean"]
    record = Record(
        network=network.name, target=result.target, goal=result.scene.goal, area=result.area, poses=result.poses,
        success_rate=own.success_rate, misclassified_rate=own.misclassified_rate, top=own.top, clean_top=clean.top,
        controls=result.controls, size=list(result.image.shape[:2]), print_size=list(result.print_size),
        passes=result.queries.as_dict(),
    )  # fmt: skip
    sheet = None
    if photo.job.second:
        from cnnviz.adversarial.figures.patch import draw_preview

        sheet = draw_preview(result, options.look)
    goal = network.class_name(result.scene.goal)
    missed = ""
    if record.success_rate < options.min_success:
        rate = f"classified as {goal} in {record.success_rate:.0%} of {record.poses} held-out poses"
        missed = f"{rate}, less than --min-success; a larger --region or more --steps may help"
    return Result(record, encode=result.encode, sheet=sheet, missed=missed, notes=sticker_notes(record, goal, missed))


def sticker_notes(record: Record, goal: str, missed: str) -> tuple[str, ...]:
    """Return the notes on a sticker, its controls and the photo."""
    notes = []
    if not missed:
        rates = ", ".join(f"{name} {rates.success_rate:.0%}" for name, rates in record.controls.items())
        notes.append(f"{goal} in {record.success_rate:.0%} of {record.poses} held-out poses ({rates})")
    own, clean = record.clean_top[0].name, record.controls["clean"].misclassified_rate
    lost = ", ".join(f"{name} {rates.misclassified_rate:.0%}" for name, rates in record.controls.items())
    notes.append(f"not classified as {own}: sticker {record.misclassified_rate:.0%}, {lost}")
    if clean >= UNSTABLE:
        notes.append(f"the bare photo is not {own} in {clean:.0%} of the poses: its own class is unstable")
    first = record.top[0]
    return (*notes, f"fixed view: {first.name} {first.probability:.0%}; {SIMULATED}")
