"""What is written on a command line beside plain numbers and words: names, triples, boxes, weights; completion."""

import contextlib
import math
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

import click
from click.shell_completion import CompletionItem

from cnnviz import __version__
from cnnviz.errors import CnnvizError, InvalidRequest
from cnnviz.io import write
from cnnviz.models.catalog import DEFAULT, Task, find_entry, imagenet_classes, names
from cnnviz.text import did_you_mean

TAKE_FEATURES = "activations, deconv, dream, kernels, layers, style, top-images and visualize"


class ModelName(click.ParamType):  # type: ignore[type-arg,unused-ignore]
    """A network's name, refused before anything heavy is loaded; ``tasks``: what it may be for, the first proposed."""

    name = "name"

    def __init__(self, *tasks: Task) -> None:
        self.tasks = tasks or ("classification",)

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the name if the catalogue knows it as one for the task."""
        entry = find_entry(value)
        if entry is None:
            near = did_you_mean(value, [name for task in self.tasks for name in names(task)], "; see cnnviz models")
            self.fail(f"no network is named {value!r}{near}", param, ctx)
        if entry.task == "features" and entry.task not in self.tasks:
            self.fail(f"{value} has no classes; {TAKE_FEATURES} take it", param, ctx)
        if entry.task not in self.tasks:
            self.fail(f"{value} is for {entry.task}, this command needs one for {self.tasks[0]}", param, ctx)
        return value

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        """Return the networks that begin so."""
        return [CompletionItem(name) for task in self.tasks for name in names(task) if name.startswith(incomplete)]


def complete_class(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[str]:
    """Return the ImageNet classes that begin so."""
    return [name for name in imagenet_classes() if name.lower().startswith(incomplete.lower())]


class Names(click.ParamType):  # type: ignore[type-arg,unused-ignore]
    """Some of a command's own ``names``, separated by commas, each taken once; ``what`` is the word for one."""

    name = "names"

    def __init__(self, names: Sequence[str], what: str) -> None:
        self.names, self.what = tuple(names), what

    def convert(
        self, value: str | tuple[str, ...], param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, ...]:
        """Return the names in order."""
        words = value if isinstance(value, tuple) else tuple(part.strip() for part in value.split(","))
        for word in words:
            if word not in self.names:
                near = did_you_mean(word, list(self.names), f"; take some of {', '.join(self.names)}")
                self.fail(f"no {self.what} is named {word!r}{near}", param, ctx)
        return tuple(dict.fromkeys(words))

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        """Return the names that continue from the last comma."""
        before, comma, begun = incomplete.rpartition(",")
        return [CompletionItem(before + comma + name) for name in self.names if name.startswith(begun)]


def joined(_ctx: click.Context, _param: click.Parameter, value: tuple[tuple[str, ...], ...]) -> tuple[str, ...]:
    """Return the names of an option that is given several times, or with commas, as one list."""
    return tuple(dict.fromkeys(name for names in value for name in names))


class Triple(click.ParamType):  # type: ignore[type-arg,unused-ignore]
    """Three numbers for red, green and blue, such as 0.5,0.5,0.5; one number stands for all three."""

    name = "r,g,b"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[float, ...]:
        """Return three floats."""
        if isinstance(value, tuple):
            return value
        try:
            numbers = tuple(float(part) for part in str(value).split(","))
        except ValueError:
            numbers = ()
        if len(numbers) not in (1, 3):
            self.fail(f"{value!r} is not three numbers such as 0.485,0.456,0.406", param, ctx)
        return numbers * 3 if len(numbers) == 1 else numbers


class Shape(click.ParamType):  # type: ignore[type-arg,unused-ignore]
    """Width to height, such as 4:3."""

    name = "w:h"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, int]:
        """Return both."""
        parts = value if isinstance(value, tuple) else str(value).replace(",", ":").split(":")  # as a recipe has it
        if len(parts) != 2 or not all(str(part).strip().isdecimal() and 0 < int(part) < 10_000 for part in parts):
            self.fail(f"{value!r} is not width to height such as 4:3", param, ctx)
        return int(parts[0]), int(parts[1])


class Sizes(click.ParamType):  # type: ignore[type-arg,unused-ignore]
    """Whole numbers of at least ``lowest``, separated by commas, each taken once."""

    name = "pixels,pixels,..."

    def __init__(self, lowest: int) -> None:
        self.lowest = lowest

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, ...]:
        """Return the numbers in order."""
        if isinstance(value, tuple):
            return value
        parts = str(value).split(",")
        if not all(part.strip().isdecimal() and len(part) < 10 and int(part) >= self.lowest for part in parts):
            self.fail(f"{value!r} is not a list of sizes of at least {self.lowest}, such as 320,448", param, ctx)
        return tuple(dict.fromkeys(map(int, parts)))


class Finite(click.FloatRange):
    """A number in a range; click's own takes NaN for one in every range."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Return a float that is a number and not infinite."""
        number = float(super().convert(value, param, ctx))
        if not math.isfinite(number):
            self.fail(f"{value!r} is not a finite number", param, ctx)
        return number


class Rectangle(click.ParamType):  # type: ignore[type-arg,unused-ignore]
    """A rectangle: x and y of its top left corner, width and height, in whole pixels, such as 40,60,200,120."""

    name = "x,y,w,h"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, ...]:
        """Return four integers."""
        if isinstance(value, tuple):
            return value
        parts = str(value).split(",")
        if len(parts) != 4 or not all(part.strip().isdecimal() and len(part) < 10 for part in parts):
            self.fail(f"{value!r} is not four whole numbers such as 40,60,200,120", param, ctx)
        numbers = tuple(map(int, parts))
        if 0 in numbers[2:]:
            self.fail(f"{value!r} has no width or no height", param, ctx)
        return numbers


class Weighted(click.ParamType):  # type: ignore[type-arg,unused-ignore]
    """A name and its weight, such as blocks.4=0.5; a name alone weighs 1. The text stays as it is: see ``weighted``."""

    name = "name=weight"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the text if its weight is a number other than 0."""
        name, weight = weighted(value)
        if not name or not math.isfinite(weight) or not weight:
            self.fail(f"{value!r} is not a name, =, and a number other than 0", param, ctx)
        return value


def weighted(text: str) -> tuple[str, float]:
    """Return a name and its weight: 1 where there is none."""
    name, equals, number = text.rpartition("=")
    try:
        return (name, float(number)) if equals else (text, 1.0)
    except ValueError:
        return text, math.nan


class ChannelRange(click.ParamType):  # type: ignore[type-arg,unused-ignore]
    """Channels: numbers and ranges such as 3,5-7, or all; checked against the layer later."""

    name = "channels"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the text if it can be read."""
        for part in value.split(",") if value != "all" else ():
            low, dash, high = part.partition("-")
            if not low.isdecimal() or (dash and not high.isdecimal()) or (high and int(high) < int(low)):
                self.fail(f"{value!r} is neither a number, a range such as 3-7, nor all", param, ctx)
        return value


def expand_channels(texts: Sequence[str], count: int, layer: str) -> list[int]:
    """Return the channels of a layer with ``count`` channels that ``--channel`` asks for, each once.

    The end of a range beyond the last channel is the last. Raises InvalidRequest for a channel the layer lacks.
    """
    chosen: dict[int, None] = {}
    for part in (part for text in texts for part in text.split(",")):
        if part == "all":
            chosen |= dict.fromkeys(range(count))
            continue
        low, _, high = part.partition("-")
        if int(low) >= count:
            raise InvalidRequest(f"--channel {low}: {layer} has {count} channels, 0 to {count - 1}")
        chosen |= dict.fromkeys(range(int(low), min(int(high or low), count - 1) + 1))
    return list(chosen)


def complete_layer(ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[str]:
    """Return the layers of ``--model`` that begin with what was typed."""
    return [name for name in layer_names(ctx.params.get("model") or DEFAULT) if name.startswith(incomplete)]


def layer_names(model: str) -> list[str]:
    """Return the names of a network's layers in the order of definition; an empty list if it cannot be built.

    They are cached in XDG_CACHE_HOME or ~/.cache, by version of cnnviz, since building a network loads torch.
    """
    cache = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser()
    path = cache / "cnnviz" / __version__ / f"layers-{quote(model, safe='')}.txt"
    with contextlib.suppress(OSError):
        return path.read_text("utf-8").splitlines()
    from cnnviz.models.loader import build_blank

    try:
        names = [name for name, _ in build_blank(model).named_modules() if name]
    except CnnvizError:
        return []
    with contextlib.suppress(CnnvizError):
        write.make_folder(path.parent)
        write.write_text(str(path), "\n".join(names))
    return names
