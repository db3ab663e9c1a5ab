"""The recipe of a result: what it takes to make the same bytes again."""

import dataclasses
import hashlib
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cnnviz import __version__
from cnnviz.io.recipe import JsonObject

if TYPE_CHECKING:
    from cnnviz.app.options import CommandOptions


@dataclass(frozen=True)
class InputRecord:
    """How a recipe records an input: base name ("-" for standard input), sha256; of many inputs their number."""

    name: str
    sha256: str
    photos: int | None = None


def collective_name(inputs: Sequence[str]) -> str:
    """Return one name for many photos: that of the first input."""
    first = Path(os.path.realpath(inputs[0]))
    return "stdin" if inputs[0] == "-" else first.name if first.is_dir() else first.stem


def collective_record(name: str, inputs: Sequence[InputRecord]) -> InputRecord:
    """Return how a recipe records many photos: one name, the digest of their digests, their number."""
    digests = "".join(record.sha256 for record in inputs)
    return InputRecord(name, hashlib.sha256(digests.encode()).hexdigest(), len(inputs))


def recorded_options(options: "CommandOptions") -> JsonObject:
    """Return the options that the bytes of a result depend on."""
    return {item.name: record_value(getattr(options, item.name), file=item.metadata["option"].file)
            for item in dataclasses.fields(options)
            if "option" in item.metadata and item.metadata["option"].recorded}  # fmt: skip


def record_value(value: Any, *, file: bool = False) -> Any:
    """Return an option's value as a recipe holds it: files by base name and sha256, folders by base name."""
    if isinstance(value, list | tuple):
        return [record_value(item, file=file) for item in value]
    if isinstance(value, Path) and value.is_dir():
        return value.resolve().name
    if isinstance(value, Path) or (file and value is not None):
        from cnnviz.models.weights import sha256

        return {"file": Path(value).name, "sha256": sha256(Path(value))}
    return value


def versions(*, moving: bool = False) -> dict[str, str]:
    """Return the versions that the bytes of a result may depend on; of a clip (``moving``) also its encoder's."""
    from importlib.metadata import version

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
        "matplotlib": version("matplotlib"),
        "numpy": numpy.__version__,
        "pillow": PIL.__version__,
        "python": ".".join(map(str, sys.version_info[:3])),
        "torch": torch.__version__,
    }
