"""Options of ``cnnviz depth``, and how its network is loaded: from a folder or by a name."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click
from click import IntRange

from cnnviz.app.console import Console
from cnnviz.app.declare import option
from cnnviz.app.options import (
    Dtype,
    FigureOptions,
    NetworkOptions,
    OutputOptions,
    RawOptions,
    ReadingOptions,
    redeclare,
)
from cnnviz.models.depth_files import find_depth_network

if TYPE_CHECKING:
    from cnnviz.models.depth_estimator import DepthEstimator

NETWORK = NetworkOptions.__dataclass_fields__


class FolderOrName(click.ParamType):  # type: ignore[type-arg,unused-ignore]
    """A folder, which a recipe records by its base name, or a name."""

    name = "name"

    def convert(self, value: str | Path, param: click.Parameter | None, ctx: click.Context | None) -> str | Path:
        """Return a path for a folder."""
        return Path(value) if Path(value).is_dir() else value


@dataclass(frozen=True, kw_only=True)
class Options(ReadingOptions, FigureOptions, RawOptions, OutputOptions):
    """Options of ``cnnviz depth``."""

    model: str | Path = option("The network: a folder of transformers, or OWNER/NAME on the Hugging Face hub.", "-m",
                               "--model", type=FolderOrName(), metavar="FOLDER|NAME", panel="Network")  # fmt: skip
    kind: str | None = option("What the network's values are. [default: what its configuration says]", default=None,
                              type=click.Choice(["inverse", "relative", "metres"]), panel="Network")  # fmt: skip
    input_size: int | None = option("Shorter side of the network's input. [default: the network's own]", default=None,
                                    type=IntRange(1), metavar="PIXELS", panel="Network")  # fmt: skip
    device: str = redeclare(NETWORK["device"])
    dtype: Dtype = redeclare(NETWORK["dtype"])
    offline: bool = redeclare(NETWORK["offline"])
    depth_map: bool = option("Write the depth alone: a grey PNG of 16 bits and of the photo's size.", default=False,
                             panel="Output", excludes=("theme", "scale"))  # fmt: skip

    @property
    def endings(self) -> tuple[str, ...]:
        """How the names of results without a figure may end; none for the figure's own."""
        return (".png",) if self.depth_map else ()


def load_network(options: Options, console: Console) -> "DepthEstimator":
    """Return the network of ``--model``; what is missing is reported before torch is loaded."""
    folder = find_depth_network(options.model, offline=options.offline)
    with console.status(f"loading {folder.name}"):
        from cnnviz.models.depth_loader import load_depth_estimator

        return load_depth_estimator(options.model, kind=options.kind, input_size=options.input_size,
                                    device=options.device, dtype=options.dtype, offline=options.offline)  # fmt: skip
