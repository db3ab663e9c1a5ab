"""Lists of transforms, and regions of a photo, on the command line."""

import re
from pathlib import Path
from typing import Any

import click

from cnnviz.adversarial.catalog import TRANSFORMS
from cnnviz.text import printable

NUMBER = r"\d{1,6}(?:\.\d{1,3})?"


class TransformNames(click.ParamType):  # type: ignore[type-arg,unused-ignore]
    """Names of transforms, with commas between them."""

    name = "names"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, ...]:
        """Return the names, each once."""
        words = value if isinstance(value, tuple) else str(value).split(",")
        names = tuple(word.strip() for word in words if word.strip())
        if unknown := [name for name in names if name not in TRANSFORMS]:
            self.fail(f"{unknown[0]!r} is none of {', '.join(TRANSFORMS)}", param, ctx)
        return tuple(dict.fromkeys(names))


class PatchRegion(click.ParamType):  # type: ignore[type-arg,unused-ignore]
    """Corners x,y with spaces between them, or the name of an existing file."""

    name = "region"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str | Path:
        """Return the corners as text, or the mask's path."""
        if isinstance(value, Path):
            return value
        if len(words := value.split()) >= 3 and all(re.fullmatch(f"{NUMBER},{NUMBER}", word) for word in words):
            return " ".join(words)
        if not Path(value).is_file():
            kinds = "a file nor three or more corners x,y such as '40,60 200,60 120,180'"
            self.fail(f"{printable(value)!r} is neither {kinds}", param, ctx)
        return Path(value)
