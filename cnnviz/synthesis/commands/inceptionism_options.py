"""Options and JSON fields of ``cnnviz inceptionism``."""

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Literal

import click
from click import IntRange

from cnnviz.app.declare import option
from cnnviz.app.options import (
    FigureOptions,
    NetworkOptions,
    OutputOptions,
    ResumeOptions,
    SaveEveryOptions,
    SeedOptions,
    check_with_option,
    jitter_option,
    step_size_option,
    steps_option,
    tv_weight_option,
)
from cnnviz.app.param_types import Finite, complete_class
from cnnviz.app.records import Record as NetworkRecord
from cnnviz.app.records import field
from cnnviz.errors import InvalidRequest
from cnnviz.figures.style import Look
from cnnviz.io.write import VECTOR_FORMATS
from cnnviz.synthesis.commands.ascent_options import check_snapshots
from cnnviz.synthesis.held_out import HeldOutRank

if TYPE_CHECKING:
    from cnnviz.models.network import Network

ALL = "all"  # the word for all classes
ROBUST_ONLY = ("preconditioner", "batchnorm_weight", "color_correlation", "zoom", "rotate", "jitter", "blur")


class Range(click.ParamType):  # type: ignore[type-arg,unused-ignore]
    """Two positive numbers, from and to, such as 0.9,2; one number stands for both."""

    name = "from,to"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[float, float]:
        """Return two floats."""
        if isinstance(value, tuple):
            return value
        try:
            numbers = [float(part) for part in str(value).split(",")]
        except ValueError:
            numbers = []
        if len(numbers) not in (1, 2) or not 0.1 <= numbers[0] <= numbers[-1] <= 100:
            self.fail(f"{value!r} is not two numbers from 0.1 to 100, such as 0.9,2", param, ctx)
        return numbers[0], numbers[-1]


@dataclass(frozen=True, kw_only=True)
class Options(NetworkOptions, FigureOptions, SaveEveryOptions, ResumeOptions, SeedOptions, OutputOptions):
    """Options of ``cnnviz inceptionism``."""

    targets: tuple[str, ...] = option("Class to visualize; can be repeated.", "--class", default=(), multiple=True,
                                      shell_complete=complete_class, metavar="NAME|INDEX|all")  # fmt: skip
    random: int | None = option("Visualize N classes drawn at random, by --seed.", default=None, type=IntRange(1),
                                metavar="N")  # fmt: skip
    check_with: tuple[str, ...] = check_with_option()
    size: int | None = option("Side of the image. [default: 3/2 of the network's input; plain: the input itself]",
                              default=None, type=IntRange(32, 4096), metavar="PIXELS")  # fmt: skip
    steps: int = steps_option(512, "for each image")
    step_size: float = step_size_option(0.021)
    tv_weight: float | None = tv_weight_option(None, "0; plain: 0.5")
    method: Literal["robust", "plain"] = option(
        "robust: random views, correlated colours and batch-norm statistics, so that other networks recognise the "
        "class; plain: pixels with total variation alone.", default="robust")  # fmt: skip
    preconditioner: Literal["laplacian", "fourier", "pixels"] = option(
        "How the gradient becomes a step: bands of equal strength, spectrum divided by the squared frequency, or "
        "unchanged.", default="laplacian")  # fmt: skip
    batchnorm_weight: float = option("Weight of the batch-norm statistics loss.", default=2.0, type=Finite(0),
                                     metavar="WEIGHT")  # fmt: skip
    color_correlation: float = option("How much less green against purple varies than blue against yellow. 0: as much; "
                                      "1: as in photos.", default=0.85,
                                      type=Finite(0, 1), metavar="SHARE")  # fmt: skip
    zoom: tuple[float, float] = option("Range of the random scale of the views.", default=(0.95, 1.7), type=Range(),
                                       show_default="0.95,1.7", metavar="FROM,TO")  # fmt: skip
    rotate: float = option("Largest random rotation of the views, in degrees.", default=10.0, type=Finite(0, 180),
                           metavar="DEGREES")  # fmt: skip
    blur: float = option("Largest standard deviation of the Gaussian that blurs every second view.", default=3.0,
                         type=Finite(0, 20), metavar="PIXELS")  # fmt: skip
    jitter: int = jitter_option(0)
    figure: bool = option("Draw the image of one class as a figure, with its class and probability; so does a name of "
                          "-o that ends in .pdf or .svg.", default=False, panel="Figure")  # fmt: skip

    def __post_init__(self) -> None:
        """Refuse options that do not go together. A vector file is a figure, which its recipe says."""
        if str(self.output).lower().endswith(VECTOR_FORMATS):
            object.__setattr__(self, "figure", True)
        if bool(self.targets) == (self.random is not None):
            raise InvalidRequest("give either --class or --random")
        check_snapshots(self.save_every, self.output)
        defaults = {item.name: item.default for item in fields(self)}
        for name in ROBUST_ONLY if self.method == "plain" else ():
            if getattr(self, name) != defaults[name]:
                raise InvalidRequest(f"--{name.replace('_', '-')} does not apply to --method plain")

    @property
    def is_sheet(self) -> bool:
        """Whether the result is a figure, not the bare image of one class."""
        return len(self.targets) > 1 or self.figure

    def check_look(self, classes: int) -> None:
        """Raise click's UsageError for ``--theme`` and ``--scale`` where a file is a bare image."""
        if classes == 1 and not self.figure and self.look != Look():
            flag = "--theme" if self.theme != Look().theme else "--scale"
            raise click.UsageError(f"{flag} requires --figure, several classes in one file, or a .pdf or .svg file")

    @property
    def class_words(self) -> list[str]:
        """The classes of --class, without the word for all."""
        return [word for word in self.targets if word != ALL]

    def choose_classes(self, network: "Network") -> list[int]:
        """Return the classes of --class or --random, each once; those drawn in the order of the draw."""
        import torch

        with torch.inference_mode():
            count = network(torch.full((1, 3, *network.size), 0.5)).shape[1]
        if self.random is not None:
            if self.random > count:
                raise InvalidRequest(f"--random {self.random}: {network.name} has {count} classes")
            order: list[int] = torch.randperm(count, generator=torch.Generator().manual_seed(self.seed)).tolist()
            return order[: self.random]
        if ALL in self.targets:
            return list(range(count))
        chosen = list(dict.fromkeys(map(network.class_index, self.targets)))
        if missing := [index for index in chosen if index >= count]:
            raise InvalidRequest(f"no class {missing[0]}: {network.name} has {count}, counted from 0")
        return chosen


@dataclass(frozen=True, kw_only=True)
class ClassFields:
    """JSON fields of one image."""

    target: int = field("Index of the class.", minimum=0)
    class_name: str = field("Name of the class.")
    probability: float = field("The network's probability of the class for the image.", minimum=0, maximum=1)
    start_probability: float = field(
        "The same for the grey or noise that the ascent started from.", minimum=0, maximum=1
    )
    size: list[int] = field("Height and width of the image.", minItems=2, maxItems=2)
    held_out: list[HeldOutRank] = field("Rank and probability of the class by each network of --check-with.")


@dataclass(frozen=True, kw_only=True)
class Record(NetworkRecord):
    """JSON fields of ``cnnviz inceptionism``: of one image its own, of a sheet those of all its ``images``."""

    target: int | None = field("Index of the class.", default=None, optional=True)
    class_name: str | None = field("Name of the class.", default=None, optional=True)
    probability: float | None = field("The network's probability of the class for the image.", default=None,
                                      optional=True)  # fmt: skip
    start_probability: float | None = field("The same for the grey or noise that the ascent started from.",
                                            default=None, optional=True)  # fmt: skip
    size: list[int] | None = field("Height and width of the image.", default=None, optional=True)
    held_out: list[HeldOutRank] | None = field("Rank and probability of the class by each network of --check-with.",
                                               default=None, optional=True)  # fmt: skip
    images: list[ClassFields] | None = field("The images of a sheet.", default=None, optional=True)
    steps_done: int | None = field("Steps done when the run was stopped.", default=None, progress_of="images")
