"""The options of projections, which ``deconv`` and ``top-images`` share."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, get_args

import click
from click import Choice, IntRange

from cnnviz.app.declare import Declared, argument, option
from cnnviz.app.jobs import FIGURES
from cnnviz.app.options import (
    ChannelOptions,
    FigureOptions,
    NetworkOptions,
    OutputOptions,
    PhotoOptions,
    ResumeOptions,
    features_model_option,
    layer_option,
    redeclare,
)
from cnnviz.errors import InvalidRequest
from cnnviz.io.write import STDOUT
from cnnviz.text import printable

if TYPE_CHECKING:
    from cnnviz.features.projections import ProjectionSettings

ProjectionMethod = Literal["deconvnet", "guided", "gradient"]
ReceptiveField = Literal["exact", "effective"]


def field_option(default: str) -> Declared:
    """Declare ``--receptive-field``; ``default`` is what is taken without it."""
    return option(
        "The part of the input shown: the unit's receptive field (the effective one where that is most of the input), "
        f"or the box that holds 95 % of its projection. [default: {default}]", default=None,
        type=Choice(get_args(ReceptiveField)),
    )  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class ProjectionOptions(NetworkOptions):
    """How units of a layer are projected and shown."""

    layer: str | None = layer_option("Layer of the units, by its name in 'cnnviz layers'. "
                                     "[default: a deep one, the last but one of deconv's]")  # fmt: skip
    method: ProjectionMethod | None = option(
        "How the signal passes rectifiers on its way back. [default: deconvnet; guided if the network has no max "
        "pools]", default=None, type=Choice(get_args(ProjectionMethod)),
    )  # fmt: skip
    other_activations: Literal["gradient", "rectify"] | None = option(
        "How it passes other activation functions, such as SiLU: by their derivative, or as if they were rectifiers. "
        "[default: refuse]", default=None, type=Choice(["gradient", "rectify"]),
    )  # fmt: skip
    receptive_field: ReceptiveField | None = field_option("exact")
    colors: bool = option("Projections in their three colours, instead of their mean as grey.", default=False,
                          panel="Figure")  # fmt: skip

    def settings(self, layer: str) -> "ProjectionSettings":
        """Return the settings of the projections from a layer."""
        from cnnviz.features.projections import ProjectionSettings

        return ProjectionSettings(layer, self.method, self.other_activations, self.receptive_field or "exact")


@dataclass(frozen=True, kw_only=True)
class FolderOptions(PhotoOptions, ProjectionOptions, ChannelOptions, FigureOptions, ResumeOptions, OutputOptions):
    """Options of ``cnnviz top-images``."""

    model: str = features_model_option()
    inputs: tuple[str, ...] = argument(nargs=-1, required=True, metavar="FOLDERS...",
                                       type=click.Path(exists=True, file_okay=False))  # fmt: skip
    output: str | None = redeclare(OutputOptions.__dataclass_fields__["output"], help=(
        "Folder of the results. [default: NAME-top-images/ in the current folder]"))  # fmt: skip
    top: int = option("Number of photos for each channel.", default=9, type=IntRange(1, 100), metavar="N")
    channel: tuple[str, ...] = redeclare(ChannelOptions.__dataclass_fields__["channel"], help=(
        "Channels to draw: a number, a range such as 3-7, or all; can be repeated. "
        "[default: 0-11]"))  # fmt: skip

    def result_folder(self) -> Path:
        """Return the folder of the results. Raises InvalidRequest for a name that is not a folder's."""
        output = self.output
        if output and (output in STDOUT or Path(output).suffix.lower() in FIGURES):
            raise InvalidRequest(f"-o {printable(output)}: there are several results; name a folder, such as figure-2/")
        return Path(output or f"{folder_name(self.inputs)}-top-images")


def folder_name(folders: Sequence[str]) -> str:
    """Return the name of the first folder."""
    return Path(os.path.realpath(folders[0])).name
