"""Options declared once, as fields of a frozen dataclass: click parameters, recipes and pages derive from them."""

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import MISSING, dataclass
from typing import Any, Literal, get_args, get_origin, get_type_hints

import click
from rich_click.rich_panel import RichOptionPanel

from cnnviz.app.command import Command

Declared = Any  # a dataclass field, which stands where the option's value will be
PANELS = ("Input", "Method", "Figure", "Network", "Output")


@dataclass(frozen=True)
class Spec:
    """Metadata of an option for the command line, beside its name and default.

    ``recorded``: the result's bytes depend on it, so the recipe holds it; ``file``: its value is a path, recorded as
    base name and sha256; ``excludes``, ``requires``: names of other options; ``beside``: ending of the second file
    that it asks for; ``attrs``: further arguments of click's class.
    """

    help: str
    flags: tuple[str, ...]
    panel: str
    recorded: bool
    file: bool
    excludes: tuple[str, ...]
    requires: str
    beside: str
    attrs: dict[str, Any]


def option(help: str, *flags: str, default: Any = MISSING, panel: str = "Method", recorded: bool = True,
           file: bool = False, excludes: Sequence[str] = (), requires: str = "", beside: str = "",
           **attrs: Any) -> Declared:  # fmt: skip
    """Declare an option: ``--field-name`` unless ``flags`` are given; required where it has no default."""
    spec = Spec(help, flags, panel, recorded, file, tuple(excludes), requires, beside, attrs)
    return dataclasses.field(default=default, metadata={"option": spec})


def argument(*, word: str = "", **attrs: Any) -> Declared:
    """Declare a positional argument; ``word`` is the input that stands for no photo, such as noise."""
    return dataclasses.field(metadata={"argument": attrs} | ({"word": word} if word else {}))


def parameter(item: "dataclasses.Field[Any]", hint: Any = str) -> click.Parameter:
    """Return the click parameter of a declared field; one of type Literal is a choice."""
    if "argument" in item.metadata:
        return click.Argument([item.name], **item.metadata["argument"])
    spec: Spec = item.metadata["option"]
    attrs: dict[str, Any] = {"required": True} if item.default is MISSING else {"default": item.default}
    attrs |= {"is_flag": True} if item.default is False else {"show_default": item.default not in (MISSING, None, ())}
    if get_origin(hint) is Literal:
        attrs["type"] = click.Choice(get_args(hint))
    flags = spec.flags or (f"--{item.name.replace('_', '-')}",)
    return click.Option([item.name, *flags], help=spec.help, **(attrs | spec.attrs))


def command(options: type, name: str, help: str, run: Callable[[Any], None]) -> Command:
    """Return the click command that calls ``run`` with an instance of ``options``."""
    fields, hints = dataclasses.fields(options), get_type_hints(options)
    params = {item.name: parameter(item, hints[item.name]) for item in fields}
    flags = {name: max(param.opts, key=len) for name, param in params.items()}

    def callback(**values: Any) -> None:
        given = {item.name for item in fields if "option" in item.metadata and values[item.name] != item.default}
        for item in (item for item in fields if item.name in given):
            spec: Spec = item.metadata["option"]
            for other in given.intersection(spec.excludes):
                raise click.UsageError(f"{flags[item.name]} and {flags[other]} exclude each other")
            if spec.requires and spec.requires not in given:
                raise click.UsageError(f"{flags[item.name]} requires {flags[spec.requires]}")
        run(options(**values))

    panels = [
        RichOptionPanel(panel, options=[flags[item.name] for item in fields
                                        if "option" in item.metadata and item.metadata["option"].panel == panel])
        for panel in PANELS
    ]  # fmt: skip
    made = Command(name=name, help=help, callback=callback, params=list(params.values()),
                   panels=[panel for panel in panels if panel.options])  # fmt: skip
    made.options, made.run = options, run
    return made
