"""``cnnviz crop``: the best crops of a photo."""

from dataclasses import dataclass

from click import IntRange

from cnnviz.app.declare import option
from cnnviz.app.jobs import numbered_files
from cnnviz.app.options import (
    FigureOptions,
    NetworkOptions,
    OutputOptions,
    RatingOptions,
    ReadingOptions,
    class_option,
)
from cnnviz.app.param_types import Shape
from cnnviz.app.photo_command import photo_command
from cnnviz.app.records import Record as NetworkRecord
from cnnviz.app.records import Result, field
from cnnviz.app.session import PhotoInput, Session
from cnnviz.control import Control
from cnnviz.io import write
from cnnviz.text import plural


@dataclass(frozen=True, kw_only=True)
class Options(ReadingOptions, NetworkOptions, RatingOptions, FigureOptions, OutputOptions):
    """Options of ``cnnviz crop``."""

    size: tuple[int, int] = option("Width to height of the crops.", default=(1, 1), type=Shape(), metavar="W:H")
    top: int | None = option("Write the N best crops beside the figure, or fewer if fewer differ.", default=None,
                             type=IntRange(1, 100), metavar="N")  # fmt: skip
    target: str | None = class_option("Class whose object is to be in the crop. [default: the photo's top class]",
                                      "--class", excludes=["rating"])  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class CropRecord:
    """JSON fields of one crop."""

    box: list[int] = field("Left, top, right and bottom in the photo's pixels; right and bottom lie outside.")
    score: float = field("log(probability + 0.3) + 6 log share, or the network's rating.")
    probability: float | None = field("Probability of the class for the crop alone; null of a rating network.",
                                      minimum=0, maximum=1)  # fmt: skip
    share: float | None = field("Share of the class's heat map that lies inside; null of a rating network.",
                                minimum=0, maximum=1)  # fmt: skip
    file: str | None = field("The JPEG file of the crop, with --top.", recorded=False)


@dataclass(frozen=True, kw_only=True)
class Record(NetworkRecord):
    """JSON fields of ``cnnviz crop``."""

    size: list[int] = field("Height and width of the photo.", minItems=2, maxItems=2)
    index: int | None = field("Index of the class; null of a rating network.", minimum=0)
    name: str | None = field("Its name; null of a rating network.")
    crops: list[CropRecord] = field("The crops, best first.", minItems=1)


@photo_command(Options, Record, suffix="-crop.png", progress=("computing", "sizes"))
def crop(session: Session, photo: PhotoInput, options: Options, control: Control) -> Result[Record]:
    """Find the best crop of a photo.

    The network recognises the class in the crop, and most of its heat map lies inside. With --rating and --weights, the
    best crop is that which a network that was trained to rate photos rates highest. With --top the best crops are
    written as JPEG files beside the figure: STEM-crop-1.jpg is the best. INPUTS are photos, folders of photos, or - for
    standard input.

    \b
    Examples:
      cnnviz crop cat.jpg
      cnnviz crop photos/ --size 16:9 --top 1 -o crops/
      cnnviz crop cat.jpg --size 4:3 --class "tiger cat" --json | jq -c .crops[0].box
    """
    files = numbered_files(photo.job.output, options.top or 0, overwrite=options.overwrite)
    targets = session.class_indices((options.target,) if options.target else ())
    from cnnviz.dense.crop import crop as find_crops
    from cnnviz.dense.figures.crops import draw_crops

    network, count = session.network, options.top or 1
    found = find_crops(network, photo.image, shape=options.size, count=count, target=targets[0] if targets else None,
                       rating=options.rating, control=control)  # fmt: skip
    recipe, rows = session.recipe(photo.record) | {"sheet": {"option": "crop"}} if files else {}, list[CropRecord]()
    for number, (one, image) in enumerate(zip(found.crops, found.images(), strict=True)):
        file = files[number] if files else None
        rows.append(CropRecord(box=list(one.box), score=round(one.score, 6), probability=rounded(one.probability),
                               share=rounded(one.share), file=file))  # fmt: skip
        if file:
            write.write_image(file, image, recipe | {"numbers": {"crop": number + 1, "box": list(one.box)}})
    height, width = photo.image.shape[:2]
    name = None if found.target is None else network.class_name(found.target)
    record = Record(network=network.name, size=[height, width], index=found.target, name=name, crops=rows)
    few = f"only {plural(len(rows), 'crop')}: the others are like these" if len(rows) < count else ""
    return Result(record, draw_crops(found, network, options.look), notes=(few,) if few else ())


def rounded(value: float | None) -> float | None:
    """Return a share as the JSON lines give it."""
    return None if value is None else round(value, 6)
