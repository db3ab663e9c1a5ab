"""``cnnviz segment``: a class at each pixel of a photo."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from click import IntRange

from cnnviz.app.declare import option
from cnnviz.app.options import FigureOptions, NetworkOptions, OutputOptions, ReadingOptions, TargetOptions, redeclare
from cnnviz.app.param_types import ModelName
from cnnviz.app.photo_command import photo_command
from cnnviz.app.records import Record as NetworkRecord
from cnnviz.app.records import Result, field
from cnnviz.app.session import PhotoInput, Session
from cnnviz.control import Control
from cnnviz.io import write

if TYPE_CHECKING:
    from cnnviz.dense.segment import Segmentation

MODEL = NetworkOptions.__dataclass_fields__["model"]
EITHER = ModelName("segmentation", "classification")


@dataclass(frozen=True, kw_only=True)
class Options(ReadingOptions, NetworkOptions, FigureOptions, OutputOptions):
    """Options of ``cnnviz segment``."""

    targets: tuple[str, ...] = redeclare(TargetOptions.__dataclass_fields__["targets"], help=(
        "Class to draw and to cut out; can be repeated. [default: all but the background, of a classifier its top "
        "class]"))  # fmt: skip
    model: str = redeclare(MODEL, help="The network: one for segmentation from 'cnnviz models', or a classifier.",
                           attrs=MODEL.metadata["option"].attrs | {"type": EITHER})  # fmt: skip
    input_size: int | None = option("Shorter side of the network's input. [default: the network's own]", default=None,
                                    type=IntRange(1), metavar="PIXELS", panel="Network")  # fmt: skip
    mask: bool = option("Write the classes alone: a PNG with a class index at each pixel, in VOC's palette.",
                        default=False, panel="Output", excludes=("cutout", "theme", "scale"))  # fmt: skip
    cutout: bool = option("Write the photo alone, transparent but for the classes: PNG or WebP.", default=False,
                          panel="Output", excludes=("mask", "theme", "scale"))  # fmt: skip

    @property
    def endings(self) -> tuple[str, ...]:
        """How the names of results without a figure may end; none for the figure's own."""
        return (".png",) if self.mask else (".png", ".webp") if self.cutout else ()


@dataclass(frozen=True, kw_only=True)
class AreaRecord:
    """JSON fields of one class."""

    index: int = field("Index of the class, as in the mask.", minimum=0)
    name: str = field("Its name.")
    area: float = field("Its share of the photo's pixels.", minimum=0, maximum=1)


@dataclass(frozen=True, kw_only=True)
class Record(NetworkRecord):
    """JSON fields of ``cnnviz segment``."""

    size: list[int] = field("Height and width of the photo.", minItems=2, maxItems=2)
    classes: list[AreaRecord] = field("The classes that were found, the largest first.", minItems=1)
    estimate: bool = field("Whether it is the estimate from a classifier's heat map.")


@photo_command(Options, Record, suffix="-segment.png", progress=("computing", "sizes"))
def segment(session: Session, photo: PhotoInput, options: Options, control: Control) -> Result[Record]:
    """Give each pixel of a photo a class.

    By default an estimate: the object of a classifier's top class, or of --class, from its heat map and the colours.
    With -m a network for segmentation: selfie finds people; fcn, deeplabv3 and lraspp find the 20 classes of PASCAL
    VOC. The figure shows the classes over the photo, with their areas; --mask writes an indexed PNG of the photo's
    size, --cutout the photo with a transparent background. INPUTS are photos, folders of photos, or -.

    \b
    Examples:
      cnnviz segment cat.jpg
      cnnviz segment cat.jpg --class "tiger cat" --cutout -o cat.png
      cnnviz segment portrait.jpg -m selfie --cutout -o person.png
      cnnviz segment photos/ -m deeplabv3_resnet50 --mask -o masks/
      cnnviz segment photos/ --json | jq -c '[.input, .classes[0].name, .classes[0].area]'
    """
    network = session.network
    targets = session.class_indices(options.targets)
    from cnnviz.dense.cutout import find_classes
    from cnnviz.dense.figures.segmentation import draw_segmentation

    found = find_classes(network, photo.image, targets, control)
    areas = [AreaRecord(index=one.index, name=one.name, area=round(one.area, 6)) for one in found.areas]
    record = Record(network=network.name, size=list(found.classes.shape), classes=areas,
                    estimate=found.estimate)  # fmt: skip
    if options.mask or options.cutout:
        return Result(record, encode=encoder(str(photo.job.output), found, options))
    return Result(record, draw_segmentation(found, network.name, options.look))


def encoder(path: str, found: "Segmentation", options: Options) -> Callable[..., bytes]:
    """Return what makes the bytes of the mask's or the cut-out's file, given its recipe."""
    from PIL import Image

    from cnnviz.dense.palette import voc_palette

    image = Image.fromarray(found.classes if options.mask else found.cutout)
    if options.mask:
        image.putpalette(voc_palette().tobytes())
    return lambda recipe: write.encode_image(path, image, recipe)
