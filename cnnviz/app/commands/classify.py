"""``cnnviz classify``: the most probable classes of a photo."""

from dataclasses import dataclass

from click import IntRange

from cnnviz.app.declare import option
from cnnviz.app.options import PhotoOptions
from cnnviz.app.photo_command import photo_command
from cnnviz.app.records import PhotoRecord, Result
from cnnviz.app.session import PhotoInput, Session
from cnnviz.control import Control
from cnnviz.text import printable


@dataclass(frozen=True, kw_only=True)
class Options(PhotoOptions):
    """Options of ``cnnviz classify``."""

    top: int = option("Number of classes to print.", default=5, type=IntRange(1), metavar="K")


@photo_command(Options, PhotoRecord, suffix=None)
def classify(session: Session, photo: PhotoInput, options: Options, control: Control) -> Result[PhotoRecord]:
    """Print the most probable classes of a photo.

    One table for each input: class, index and probability. INPUTS are photos, folders of photos, or - for standard
    input.

    \b
    Examples:
      cnnviz classify cat.jpg
      cnnviz classify photos/ --json | jq -r '[.input, .top[0].name] | @tsv'
    """
    inputs, _ = session.fit(photo.image)
    import torch  # seconds, which a photo or weights that are not there need not cost

    with torch.inference_mode():
        top = session.network.top(session.network(inputs)[0].cpu(), options.top)
    width = max(len(printable(row.name)) for row in top)
    rows = [f"  {printable(row.name):<{width}}  {row.index:>4}  {row.probability:>7.2%}" for row in top]
    text = "\n".join([printable(photo.job.source), *rows])
    return Result(PhotoRecord(network=session.network.name, top=top), text=text)
