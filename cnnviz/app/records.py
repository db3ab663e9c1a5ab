"""JSON fields declared once, as fields of frozen dataclasses: what ``--json`` prints, and its JSON Schema."""

import dataclasses
import json
import sys
import types
import typing
from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from cnnviz.app.status_line import LINE
from cnnviz.io.recipe import JsonObject, Recipe
from cnnviz.models.catalog import ClassProbability

if TYPE_CHECKING:
    import numpy as np
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    Arrays = Mapping[str, NDArray[Any]]
    Picture = Figure | NDArray[np.uint8]

SCHEMA = "cnnviz/1"
KINDS = {int: "integer", float: "number", str: "string", bool: "boolean", types.NoneType: "null"}
R = TypeVar("R", bound="Record")


def field(
    help: str, *, default: Any = MISSING, recorded: bool = True, progress_of: str = "", optional: bool = False,
    **schema: Any,
) -> Any:  # fmt: skip
    """Declare a JSON field with its description and further keywords of JSON Schema.

    ``progress_of`` names the field that this one falls short of in an unfinished result; it is left out otherwise.
    An ``optional`` field is left out where it is None: what some results of a command do not have.
    """
    metadata = {"help": help, "schema": schema, "recorded": recorded, "progress_of": progress_of,
                "optional": optional or bool(progress_of)}  # fmt: skip
    return dataclasses.field(default=default, metadata=metadata)


@dataclass(frozen=True, kw_only=True)
class Record:
    """What every command reports of one input, beside the fields of ``Line``."""

    network: str = field("Name of the network.")


@dataclass(frozen=True, kw_only=True)
class PhotoRecord(Record):
    """What a command reports of one photo."""

    top: list[ClassProbability] = field("The most probable classes, most probable first.", minItems=1)


@dataclass(frozen=True, kw_only=True)
class FeatureRecord(PhotoRecord):
    """What a command reports of one photo that takes networks without classes too."""

    top: list[ClassProbability] = field("The most probable classes, most probable first; none of a network without "
                                        "classes.")  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class RawRecord(Record):
    """Of a command with ``--raw``."""

    raw: str | None = field("The file of arrays that --raw wrote.", default=None, recorded=False)


@dataclass(frozen=True, kw_only=True)
class Line:
    """The fields of every line of ``--json``, of failures too."""

    schema: str = field("Version of this schema.", const=SCHEMA)
    command: str = field("Name of the command.")
    input: str | None = field("The input as named or found; - for standard input, a network's name without photos.")
    output: str | None = field("The file written; null where none was.")
    status: str = field("How it ended.", enum=["ok", "error", "partial", "missed"])
    error: str | None = field("What went wrong and what to do; null where nothing did.")
    network: str | None = field("Name of the network; null where it was not reached.")
    seconds: float = field("Time for this input, loading the network included.", minimum=0)
    seed: int = field("Seed of all randomness.", minimum=0)


@dataclass(frozen=True)
class Result(Generic[R]):
    """What a command made of one input.

    ``image``, a figure or uint8 (H, W, 3), is written to -o, or ``encode(recipe)``, the bytes of a file, instead;
    ``arrays`` to --raw; ``sheet`` to the option of a second image. ``text`` goes to standard output and ``notes`` to
    standard error, for a person. ``missed`` says why the method missed its aim: then -o is written only with
    --keep-failed. ``kept`` are the arrays that --resume continues from; ``partial``: the record is of unfinished work.
    ``recorded_files`` are options, and their files, that hold for this input alone. ``failed``: some files of an option
    could not be used, which was reported.
    """

    record: R
    image: "Picture | None" = None
    arrays: "Arrays | None" = None
    sheet: "Figure | None" = None
    encode: "Callable[[Recipe], bytes] | None" = None
    text: str = ""
    notes: tuple[str, ...] = ()
    missed: str = ""
    partial: bool = False
    kept: "Arrays | None" = None
    recorded_files: Recipe = dataclasses.field(default_factory=dict)
    failed: bool = False


def to_json(value: Any, *, recorded: bool = False) -> Any:
    """Return a record as JSON values; with ``recorded`` only the fields that a recipe holds."""
    if dataclasses.is_dataclass(value):
        items = [(item, getattr(value, item.name)) for item in dataclasses.fields(value)]
        return {item.name: to_json(own, recorded=recorded) for item, own in items
                if not (own is None and item.metadata.get("optional"))
                and (item.metadata.get("recorded", True) or not recorded)}  # fmt: skip
    if isinstance(value, Mapping):
        return {key: to_json(own, recorded=recorded) for key, own in value.items()}
    return [to_json(own, recorded=recorded) for own in value] if isinstance(value, list | tuple) else value


def is_unfinished(record: type[Record], numbers: Recipe) -> bool:
    """Return whether recorded numbers are those of work that was stopped."""
    return any(item.name in numbers for item in dataclasses.fields(record) if item.metadata.get("progress_of"))


def print_line(line: Recipe) -> None:
    """Print one JSON object as a line of standard output, and flush."""
    LINE.erase()  # standard output may be the same terminal
    sys.stdout.write(json.dumps(line, allow_nan=False) + "\n")
    sys.stdout.flush()


def schema(hint: Any) -> JsonObject:
    """Return the JSON Schema of a record class, or of the type of one of its fields."""
    args, origin = typing.get_args(hint), typing.get_origin(hint)
    if dataclasses.is_dataclass(hint):
        hints, fields = typing.get_type_hints(hint), dataclasses.fields(hint)
        properties = {item.name: schema(hints[item.name]) | item.metadata.get("schema", {}) for item in fields}
        for item in (item for item in fields if "help" in item.metadata):
            properties[item.name]["description"] = item.metadata["help"]
        required = [item.name for item in fields if not item.metadata.get("optional")]
        return {"type": "object", "required": required, "properties": properties}
    if origin in (types.UnionType, typing.Union):
        kinds = [schema(arg) for arg in args]
        simple = all(set(kind) == {"type"} for kind in kinds)
        return {"type": [kind["type"] for kind in kinds]} if simple else {"anyOf": kinds}
    if origin is typing.Literal:
        return {"enum": list(args)}
    if origin in (list, tuple):
        return {"type": "array", "items": schema(args[0])}
    return {"type": "object", "additionalProperties": schema(args[1])} if origin is dict else {"type": KINDS[hint]}
