"""Lists of attribution methods on the command line."""

import click
from click.shell_completion import CompletionItem

from cnnviz.attribution.catalog import METHODS
from cnnviz.text import did_you_mean


class AttributionNames(click.ParamType):  # type: ignore[type-arg,unused-ignore]
    """Attribution methods separated by commas, each taken once."""

    name = "methods"

    def convert(
        self, value: str | tuple[str, ...], param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, ...]:
        """Return the names in order."""
        names = value if isinstance(value, tuple) else tuple(part.strip() for part in value.split(","))
        for name in names:
            if name not in METHODS:
                near = did_you_mean(name, list(METHODS), f"; take some of {', '.join(METHODS)}")
                self.fail(f"no method is named {name!r}{near}", param, ctx)
        return tuple(dict.fromkeys(names))

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        """Return the methods that continue from the last comma."""
        before, comma, begun = incomplete.rpartition(",")
        return [CompletionItem(before + comma + name) for name in METHODS if name.startswith(begun)]
