"""Options declared once, as fields of a frozen dataclass: click parameters, recipes and pages derive from them."""

import dataclasses
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import MISSING, dataclass
from typing import Any, Literal, get_args, get_origin, get_type_hints

import click
from rich_click import RichCommand
from rich_click.rich_panel import RichOptionPanel

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


class Command(RichCommand):
    """A command made of an options class; it refuses an option of one value given twice, and misplaced arguments."""

    options: type
    run: Any

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse, and fail where the last of two values would silently win, or a class is given as an argument."""
        if not ctx.resilient_parsing:
            _, rest, order = self.make_parser(ctx).parse_args(list(args))
            for param, count in Counter(order).items():
                if count > 1 and isinstance(param, click.Option) and not (param.multiple or param.is_flag):
                    ctx.fail(f"{max(param.opts, key=len)} is given {count} times")
            if rest and any("--class" in param.opts for param in self.params) and not any(
                isinstance(param, click.Argument) for param in self.params
            ):  # fmt: skip
                ctx.fail(f"unexpected argument {rest[0]!r}; did you mean --class {rest[0]}?")
        return super().parse_args(ctx, args)


def command(options: type, name: str, help: str, run: Callable[[Any], None]) -> Command:
    """Return the click command that calls ``run`` with an instance of ``options``."""
    fields, hints = dataclasses.fields(options), get_type_hints(options)
    specs: dict[str, Spec] = {item.name: item.metadata["option"] for item in fields if "option" in item.metadata}
    params = {item.name: parameter(item, hints[item.name]) for item in fields}
    flags = {name: max(param.opts, key=len) for name, param in params.items()}

    def callback(**values: Any) -> None:
        given = [item.name for item in fields if item.name in specs and values[item.name] != item.default]
        for own in given:
            for other in set(given).intersection(specs[own].excludes):
                raise click.UsageError(f"{flags[own]} and {flags[other]} exclude each other")
            if specs[own].requires and specs[own].requires not in given:
                raise click.UsageError(f"{flags[own]} requires {flags[specs[own].requires]}")
        run(options(**values))

    panels = [RichOptionPanel(panel, options=[flags[name] for name, spec in specs.items() if spec.panel == panel])
              for panel in PANELS]  # fmt: skip
    made = Command(name=name, help=help, callback=callback, params=list(params.values()),
                   panels=[panel for panel in panels if panel.options])  # fmt: skip
    made.options, made.run = options, run
    return made
