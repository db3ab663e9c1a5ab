"""One invocation of a command: its options, its console, the photos it reads and the networks it loads."""

import copy
import hashlib
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeAlias, TypeVar, cast

from cnnviz.app.console import Console
from cnnviz.app.inputs import read_clip_input, read_photo_input, read_stored_input
from cnnviz.app.jobs import Job
from cnnviz.app.network_loading import Loader, default_deep_layer, default_layers, load, model_network
from cnnviz.app.options import CommandOptions, FitOptions, NetworkOptions, ReadingOptions
from cnnviz.app.recorder import InputRecord, recorded_options, versions
from cnnviz.app.resume import find_partial, partial_path
from cnnviz.io.recipe import JsonObject

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

    from cnnviz.io.color import Photo
    from cnnviz.io.photo import StoredImage
    from cnnviz.models.network import Network
    from cnnviz.models.preprocess import Geometry

I = TypeVar("I")  # noqa: E741


@dataclass(frozen=True)
class Input(Generic[I]):
    """A photo that was read: ``image`` uint8 (H, W, 3), or as its file stores it; its record in the recipe; its job."""

    image: I
    record: InputRecord
    job: Job


PhotoInput: TypeAlias = "Input[Photo]"
StoredInput: TypeAlias = "Input[StoredImage]"


class Session:
    """One invocation of ``command``.

    ``input_name`` is what the recipe calls the input of a rerun; ``loader`` loads the network on first use.
    """

    def __init__(
        self, command: str, options: CommandOptions, input_name: str | None = None, loader: Loader = model_network
    ) -> None:
        self.command = command
        self.options = options
        self.console = Console(options.quiet, options.debug)
        self._input_name = input_name
        self._loader = loader
        self._others: dict[str, Network] = {}

    def with_options(self, options: CommandOptions) -> "Session":
        """Return this session with other options: the networks that are loaded stay."""
        other = copy.copy(self)
        other.options = options
        return other

    def read(self, job: Job) -> PhotoInput:
        """Read a job's photo, upright, sRGB, without alpha; remarks about the file go to standard error."""
        with self._reading(job):
            found = read_photo_input(job, cast(ReadingOptions, self.options), self.console, self._input_name)
        return Input(*found, job)

    def read_stored(self, job: Job) -> StoredInput:
        """Read a job's photo as its file stores it; remarks about the file go to standard error."""
        with self._reading(job):
            found = read_stored_input(job, cast(ReadingOptions, self.options), self.console, self._input_name)
        return Input(*found, job)

    def read_clip(self, job: Job) -> Input[Any]:
        """Return a job's ``video.frame.Clip``, whose frames are read when they are needed."""
        with self._reading(job):
            return Input(read_clip_input(job, cast(ReadingOptions, self.options)), self.record_file(job), job)

    def _reading(self, job: Job) -> AbstractContextManager[None]:
        return self.console.status(f"reading {'standard input' if job.name == '-' else job.name}")

    def record_file(self, job: Job) -> InputRecord:
        """Return how the recipe records a job's file, which is not read into memory."""
        with Path(job.source).open("rb") as file:
            return InputRecord(self._input_name or job.name, hashlib.file_digest(file, "sha256").hexdigest())

    def fit(self, image: "Photo") -> "tuple[Tensor, Geometry]":
        """Return the network's input (1, 3, h, w) for an image uint8 (H, W, 3), and the way back to its pixels."""
        from cnnviz.models.preprocess import fit

        return fit(image, self.network, cast(FitOptions, self.options).fit)

    def class_indices(self, words: tuple[str, ...]) -> list[int] | None:
        """Return the class indices that ``--class`` asks for, each once; None for the network's top class."""
        return list(dict.fromkeys(map(self.network.class_index, words))) or None

    def layers(self, chosen: str | None) -> list[str]:
        """Return the layer that ``--layer`` names; without it five of the network, from the first to the last."""
        return [chosen] if chosen else default_layers(self.network)

    def deep_layer(self, chosen: str | None) -> str:
        """Return the layer that ``--layer`` names; without it a deep one of the network."""
        return chosen or default_deep_layer(self.network)

    def recipe(self, source: InputRecord | None, *, moving: bool = False) -> JsonObject:
        """Return the recipe of a result; ``source`` is None where no photo is read, ``moving`` says that it is a clip.

        Its numbers are added when they are known.
        """
        network = self.network  # first: it reports missing files
        return {
            "recipe": 1,
            "command": self.command,
            "options": recorded_options(self.options),
            "seed": getattr(self.options, "seed", 0),
            "versions": versions(moving=moving),
            "network": {"name": network.name, "weights": network.weights},
            "input": source and {key: value for key, value in asdict(source).items() if value is not None},
            "numbers": {},
        }

    def keeps_partial(self, job: Job) -> bool:
        """Return whether unfinished work of a job is kept in a file, for --resume."""
        return partial_path(job.output) is not None

    def kept_arrays(self, photo: Input[Any], names: Sequence[str]) -> "dict[str, NDArray[Any]] | None":
        """Return the arrays that an interrupted run of the same recipe kept; None without --resume, or without any."""
        if not getattr(self.options, "resume", False):
            return None
        return find_partial(partial_path(photo.job.output), self.recipe(photo.record), self.console, names)

    @cached_property
    def network(self) -> "Network":
        """The network of ``--model``, loaded on first use."""
        return self._loader(self.options, self.console)

    def load_network(self, name: str) -> "Network":
        """Return another network by its name, with its publisher's preprocessing, on the same device; loaded once."""
        if name not in self._others:
            self._others[name] = load(name, cast(NetworkOptions, self.options), self.console)
        return self._others[name]
