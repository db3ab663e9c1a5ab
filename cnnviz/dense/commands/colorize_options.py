"""Options of ``cnnviz colorize``, how its network is loaded, and where its weights are to be found."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from cnnviz.app.console import Console
from cnnviz.app.declare import option
from cnnviz.app.options import BareOptions, Dtype, NetworkOptions, OutputOptions, RawOptions, ReadingOptions, redeclare
from cnnviz.app.param_types import Finite
from cnnviz.errors import WeightsError
from cnnviz.text import printable

if TYPE_CHECKING:
    from cnnviz.models.colorizer import Colorizer

NETWORK = NetworkOptions.__dataclass_fields__
FILE = "colorization_release_v2-9b330a0b.pth"
ORIGIN = f"https://colorizers.s3.us-east-2.amazonaws.com/{FILE}"
WHERE = f"the authors publish {FILE} (129 MB, sha256 begins 9b330a0b) at {ORIGIN}"


@dataclass(frozen=True, kw_only=True)
class Options(ReadingOptions, BareOptions, RawOptions, OutputOptions):
    """Options of ``cnnviz colorize``."""

    temperature: float = option("Sharpness of the distribution of colours: 0 takes the most probable, 1 the mean.",
                                default=0.38, type=Finite(0, 1), metavar="0-1")  # fmt: skip
    weights: str | None = redeclare(NETWORK["weights"])
    device: str = redeclare(NETWORK["device"])
    dtype: Dtype = redeclare(NETWORK["dtype"])


def load_network(options: Options, console: Console) -> "Colorizer":
    """Return the network with the weights of ``--weights``; their lack is reported before torch is loaded."""
    if options.weights is None:
        raise WeightsError(f"colorize has no weights of its own: name a file with --weights FILE\n{WHERE}")
    if not Path(options.weights).is_file():
        raise WeightsError(f"--weights {printable(options.weights)}: no such file\n{WHERE}")
    with console.status("loading eccv16"):
        from cnnviz.models.colorizer import load_colorizer

        return load_colorizer(options.weights, device=options.device, dtype=options.dtype)
