"""What every command over photographs or a network shares: its inputs, its network, its recipe."""

import hashlib
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cnnviz import __version__
from cnnviz.app.console import Console
from cnnviz.app.jobs import SCHEMA, Job, Line, print_line, run_jobs
from cnnviz.errors import InvalidRequest, Status, WeightsError, printable
from cnnviz.models import catalog

if TYPE_CHECKING:
    from cnnviz.io.color import Photo
    from cnnviz.io.stored_image import StoredImage
    from cnnviz.models.features import FeatureExtractor
    from cnnviz.models.network import Network

# Options that do not change the bytes: where things go, what is said.
SILENT = {"inputs", "output", "overwrite", "raw", "lines", "quiet", "debug", "offline", "time_limit", "resume",
          "save_every", "report", "renders"}  # fmt: skip
FILES = {"weights_file", "classes_file", "map_files", "mask_file", "guides"}
PER_INPUT = {"map_files", "mask_file"}  # recorded input by input
NOISE = "noise"  # the input of commands that can begin with nothing; a file of that name is ./noise
SHEETS = ("report", "renders")  # options of a second picture
NAME_KEY = "cnnviz.input_name"  # the name a rerun gives to its input, so that the recipe is the same


@dataclass(frozen=True)
class InputRecord:
    """What the recipe says of a photograph."""

    name: str
    sha256: str


class Session:
    """One invocation of a command, with the options as click parsed them.

    A command over a network alone has one job, whose source is the network's name, and none of the photographs'
    options.
    """

    def __init__(self, jobs: list[Job]) -> None:
        self.context = click.get_current_context()
        self.command = str(self.context.info_name)
        self.options: Mapping[str, Any] = self.context.params
        self.console = Console(self.options["quiet"], self.options["debug"])
        self.jobs = jobs
        self._others: dict[str, Network] = {}
        self._trunks: dict[int, FeatureExtractor] = {}

    def over(self, one: Callable[[Job], Line], tell: Callable[[Job, Line], None] | None = None) -> None:
        """Do ``one`` for every job, print with ``tell`` what a person wants to read, leave with the exit status."""
        self.context.exit(int(self.each(one, tell)))

    def each(self, one: Callable[[Job], Line], tell: Callable[[Job, Line], None] | None = None) -> Status:
        """Do what ``over`` does, but return the exit status: there is something to be told of all of them."""
        o = self.options
        return run_jobs(
            self.command, self.jobs, one, self.console,
            tell=tell, lines=o["lines"], overwrite=o.get("overwrite", False), seed=o.get("seed", 0),
        )  # fmt: skip

    def print_last(self, numbers: Line, output: str | None, seconds: float, status: str = "ok") -> None:
        """Print the line of JSON about all photographs, which comes after theirs."""
        print_line({
            "schema": SCHEMA, "command": self.command, "input": ", ".join(self.options["inputs"]),
            "output": output, "status": status, "error": None, "seconds": round(seconds, 3),
            "seed": self.options["seed"], **numbers,
        })  # fmt: skip

    def read(self, job: Job) -> tuple["Photo", InputRecord]:
        """Read a job's photograph; what a person should know of it is noted."""
        from cnnviz.io.photo import decode_photo

        data, source, reading = self._read(job)
        return decode_photo(data, **reading), source

    def original(self, job: Job) -> tuple["StoredImage", InputRecord]:
        """Read a job's photograph as its file stores it; what a person should know of it is noted."""
        from cnnviz.io import stored_image

        data, source, reading = self._read(job)
        return stored_image.decode_stored(data, **reading), source

    def _read(self, job: Job) -> tuple[bytes, InputRecord, dict[str, Any]]:
        """Return a file's bytes, what the recipe says of it, and the options of how it is read."""
        from cnnviz.io.color import parse_colour
        from cnnviz.io.source import read_bytes

        o = self.options
        parse_colour(o["background"])
        data = read_bytes(job.source, o["max_pixels"])
        reading = {key: o[key] for key in ("frame", "max_pixels", "background")}
        reading["note"] = lambda text: self.console.once(f"{printable(job.source)}: {text}")
        return data, InputRecord(self._name(job), hashlib.sha256(data).hexdigest()), reading

    def source(self, job: Job) -> InputRecord:
        """Return what the recipe says of a job's file, which is not read into memory."""
        from cnnviz.models import weights

        return InputRecord(self._name(job), weights.sha256(Path(job.source)))

    def _name(self, job: Job) -> str:
        return str(self.context.meta.get(NAME_KEY, job.name))

    @cached_property
    def network(self) -> "Network":
        """The network, loaded when the first job asks for it."""
        o = self.options
        keys = ("device", "dtype", "offline", "size", "resize", "interpolation", "mean", "std")
        own = {key: o[key] for key in keys if key in o}
        return self._load(o["model"], o["weights_file"], classes=self._class_names(), **own)

    def load(self, name: str) -> "Network":
        """Return another network by its name, as its publisher gives it, on the same device; loaded once."""
        if name not in self._others:
            keys = ("device", "dtype", "offline")
            self._others[name] = self._load(name, None, **{k: self.options[k] for k in keys if k in self.options})
        return self._others[name]

    def trunk(self, network: "Network") -> "FeatureExtractor":
        """Return a network of this run as it is attacked, made once."""
        from cnnviz.models.features import LOGITS, FeatureExtractor

        if id(network) not in self._trunks:
            self._trunks[id(network)] = FeatureExtractor(network, [LOGITS])
        return self._trunks[id(network)]

    def _load(self, name: str, file: str | None, **options: Any) -> "Network":
        entry = catalog.find_entry(name)
        assert entry is not None  # the option's type has checked it
        path = self._weights(entry, file)
        from cnnviz.models import loader

        with self.console.progress(f"loading {name}", "bytes") as tick:
            return loader.load_network(
                name,
                weights_file=path,
                progress=lambda _, done, total: tick(done, total),
                **{"device": "cpu"} | options,
            )

    def _weights(self, entry: catalog.NetworkEntry, file: str | None) -> Path | None:
        """Find or fetch the weights before torch is loaded, so that their lack is told at once."""
        from cnnviz.models import weights

        o = self.options
        if file:
            if not Path(file).is_file():
                raise WeightsError(f"--weights {printable(file)}: no such file")
            return Path(file)
        if entry.source == "timm":
            weights.check_hub(entry.name, offline=o["offline"])
            return None
        with self.console.progress(f"fetching {entry.file}", "bytes") as tick:
            return weights.find_weights(entry, offline=o["offline"], progress=lambda _, done, total: tick(done, total))

    def _class_names(self) -> list[str] | None:
        path = self.options.get("classes_file")
        if not path:
            return None
        if not os.path.isfile(path):  # what a pipe holds could not be read twice
            raise InvalidRequest(f"--classes {printable(path)}: is not a file")
        try:
            text = Path(path).read_text("utf-8-sig")
        except (OSError, UnicodeDecodeError) as error:
            reason = (error.strerror or str(error)).lower() if isinstance(error, OSError) else "is not UTF-8"
            raise InvalidRequest(f"--classes {printable(path)}: {reason}") from error
        names = [line.strip() for line in text.splitlines() if line.strip()]
        if not names:
            raise InvalidRequest(f"--classes {printable(path)}: holds no names")
        return names

    @cached_property
    def _recorded(self) -> dict[str, Any]:
        return {key: _record(key, value) for key, value in self.options.items() if key not in SILENT | PER_INPUT}

    def recipe(
        self, source: InputRecord | None, numbers: Line, files: Mapping[str, Any] | None = None, *, moving: bool = False
    ) -> dict[str, Any]:
        """Return the recipe of a result: what it takes to make the same bytes again, and the numbers found.

        ``source`` is None where no photograph is read. ``files`` are options whose value is this input's alone: the
        file taken from a folder that was named. ``moving``: the result is a clip.
        """
        own = {key: _record(key, value) for key, value in (files or {}).items()}
        return {
            "recipe": 1,
            "command": self.command,
            "options": self._recorded | own,
            "seed": self.options.get("seed", 0),
            "versions": versions(moving=moving),
            "network": {"name": self.network.name, "weights": self.network.weights},
            "input": source and {"name": source.name, "sha256": source.sha256},
            "numbers": numbers,
        }


def collective_name(inputs: Sequence[str]) -> str:
    """Return what many photographs are called together: the first input's name."""
    first = Path(os.path.realpath(inputs[0]))
    return "stdin" if inputs[0] == "-" else first.name if first.is_dir() else first.stem


def collective_record(name: str, sources: Sequence[InputRecord]) -> InputRecord:
    """Return what the recipe says of many photographs: one name, and the digest of their digests."""
    digests = "".join(source.sha256 for source in sources)
    return InputRecord(name, hashlib.sha256(digests.encode()).hexdigest())


def sheet_recipe(recipe: Mapping[str, Any], option: str, picture: str) -> dict[str, Any]:
    """Return the recipe of a sheet that an option asks for beside a picture, on whose ending its numbers depend."""
    return {**recipe, "sheet": {"option": option, "picture": Path(picture).suffix.lower()}}


def _record(key: str, value: Any) -> Any:
    if isinstance(value, list | tuple):
        return [_record(key, item) for item in value]
    if (key in FILES and value is not None) or isinstance(value, Path):
        from cnnviz.models import weights

        return {"file": Path(value).name, "sha256": weights.sha256(Path(value))}
    return value


def versions(*, moving: bool = False) -> dict[str, str]:
    """Return the versions that the bytes of a result, or of a ``moving`` one, may depend on."""
    import numpy
    import PIL
    import torch

    clips = {}
    if moving:
        import av
        import cv2

        clips = {"av": av.__version__, "opencv": cv2.__version__}
    return clips | {
        "cnnviz": __version__,
        "numpy": numpy.__version__,
        "pillow": PIL.__version__,
        "python": ".".join(map(str, sys.version_info[:3])),
        "torch": torch.__version__,
    }


def class_indices(network: "Network", words: tuple[str, ...]) -> list[int] | None:
    """Return the class indices that ``--class`` asks for, each once; None for the network's own first."""
    return list(dict.fromkeys(map(network.class_index, words))) or None


def channel_numbers(chosen: Sequence[int], count: int, layer: str) -> list[int]:
    """Return the channels that ``--channel`` asks for, each once. Raises UsageMistake for one that the layer lacks."""
    if beyond := [number for number in chosen if number >= count]:
        raise InvalidRequest(f"--channel {beyond[0]}: {layer} has {count} channels, 0 to {count - 1}")
    return list(dict.fromkeys(chosen))
