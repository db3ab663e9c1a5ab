"""``cnnviz depth``: how far each pixel of a photo is."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cnnviz.app.photo_command import photo_command
from cnnviz.app.records import RawRecord, Result, field
from cnnviz.app.session import PhotoInput, Session
from cnnviz.control import Control
from cnnviz.dense.commands.depth_options import Options, load_network
from cnnviz.io import write

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True, kw_only=True)
class Record(RawRecord):
    """JSON fields of ``cnnviz depth``."""

    kind: str = field("What the values are: depth in metres, or inverse or relative depth of unknown scale.",
                      enum=["inverse", "relative", "metres"])  # fmt: skip
    size: list[int] = field("Height and width of the photo.", minItems=2, maxItems=2)
    input_size: list[int] = field("Height and width of the network's input.", minItems=2, maxItems=2)
    low: float = field("The smallest value, level 0 of --depth-map.")
    high: float = field("The largest value, level 65535 of --depth-map.")


@photo_command(Options, Record, suffix="-depth.png", loader=load_network)
def depth(session: Session, photo: PhotoInput, options: Options, control: Control) -> Result[Record]:
    """Estimate how far each pixel of a photo is.

    Depth Anything, DPT and MiDaS through the transformers library: pip install 'cnnviz[depth]'. The figure shows the
    photo and its depth, yellow for near and blue for far; --depth-map writes a grey PNG of 16 bits, --raw the values.
    INPUTS are photos, folders of photos, or -.

    \b
    Examples:
      cnnviz depth street.jpg -m depth-anything/Depth-Anything-V2-Small-hf
      cnnviz depth street.jpg -m Intel/dpt-large --depth-map -o depth.png
      cnnviz depth photos/ -m networks/my-depth/ --raw depths/ -o figures/
    """
    network = session.network
    from cnnviz.dense.depth import depth as estimate
    from cnnviz.dense.figures.depth_map import draw_depth

    found = estimate(network, photo.image)
    record = Record(network=network.name, kind=found.kind, size=list(found.values.shape), input_size=list(found.size),
                    low=found.low, high=found.high)  # fmt: skip
    arrays = found.arrays() if options.raw else None
    if options.depth_map:
        return Result(record, arrays=arrays, encode=encoder(str(photo.job.output), found.levels()))
    return Result(record, draw_depth(found, network.name, options.look), arrays)


def encoder(path: str, levels: "NDArray[np.uint16]") -> Callable[..., bytes]:
    """Return what makes the bytes of the 16-bit image's file, given its recipe."""
    from PIL import Image

    image = Image.fromarray(levels)
    return lambda recipe: write.encode_image(path, image, recipe)
