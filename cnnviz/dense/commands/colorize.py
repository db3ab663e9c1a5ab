"""``cnnviz colorize``: colours for a photo from its lightness alone."""

from dataclasses import dataclass

from cnnviz.app.photo_command import photo_command
from cnnviz.app.records import RawRecord, Result, field
from cnnviz.app.session import PhotoInput, Session
from cnnviz.control import Control
from cnnviz.dense.commands.colorize_options import Options, load_network


@dataclass(frozen=True, kw_only=True)
class Record(RawRecord):
    """JSON fields of ``cnnviz colorize``."""

    size: list[int] = field("Height and width of the photo.", minItems=2, maxItems=2)
    entropy: float = field("Mean entropy of the colours, in bits: 0 to log2 of 313, 8.29.", minimum=0)
    reduced: float = field(
        "Share of the pixels whose chroma sRGB cannot show at their lightness.", minimum=0, maximum=1
    )


@photo_command(Options, Record, suffix="-colorize.png", loader=load_network)
def colorize(session: Session, photo: PhotoInput, options: Options, control: Control) -> Result[Record]:
    """Predict the colours of a photo from its lightness.

    The network of Zhang, Isola & Efros 2016, with the authors' file of weights. The figure shows the lightness, the
    coloured photo and the uncertainty of the colours; --bare writes the coloured photo alone. The photo's own colours
    are ignored, and its lightness stays. INPUTS are photos, folders of photos, or -.

    \b
    Examples:
      cnnviz colorize old.jpg --weights colorization_release_v2-9b330a0b.pth
      cnnviz colorize old.jpg --weights colors.safetensors --bare -o coloured.png
      cnnviz colorize photos/ --weights colors.safetensors --temperature 1 --raw arrays/ -o figures/
    """
    network = session.network
    from cnnviz.dense.colorize import colorize as predict
    from cnnviz.dense.figures.colorization import draw_colorization

    found = predict(network, photo.image, temperature=options.temperature)
    record = Record(network=network.name, size=list(found.entropy.shape),
                    entropy=round(float(found.entropy.mean()), 6), reduced=round(found.reduced, 6))  # fmt: skip
    image = found.image if options.bare else draw_colorization(found, network.name, options.look)
    return Result(record, image, found.arrays() if options.raw else None)
