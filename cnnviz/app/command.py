"""The click class of cnnviz's commands."""

from collections import Counter
from typing import Any

import click
from rich_click import RichCommand


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
