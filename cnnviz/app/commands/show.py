"""``cnnviz show``: the recipe inside a file, and the same file made again from it."""

import json
import tempfile
from dataclasses import dataclass
from pathlib import Path

import click

from cnnviz.app.declare import argument, option
from cnnviz.app.photo_command import plain_command
from cnnviz.app.rerun import output_words, rerun


@dataclass(frozen=True, kw_only=True)
class Options:
    """Options of ``cnnviz show``."""

    file: str = argument(type=click.Path())
    rerun: bool = option("Make the file again by its recipe.", default=False)
    input: str | None = option("The photo that the recipe was made from. [default: looked for beside FILE and here]",
                               default=None, type=click.Path(), metavar="PHOTO", requires="rerun")  # fmt: skip
    output: str | None = option("Where the file made again goes: with --rerun.", "-o", "--output", default=None,
                                type=click.Path(allow_dash=True), metavar="FILE|-", panel="Output",
                                requires="rerun")  # fmt: skip
    overwrite: bool = option("Replace files that cnnviz did not write.", default=False, panel="Output")


@plain_command(Options)
def show(options: Options) -> None:
    """Print the recipe inside FILE, as JSON: command, options, input, versions, numbers.

    With --rerun the same command runs again on the same photo, which must have the recorded sha256; on the same machine
    and versions this gives the same bytes.

    \b
    Examples:
      cnnviz show cat-occlude.png
      cnnviz show --rerun cat-occlude.png --input cat.jpg -o again.png
    """
    from cnnviz.io.recipe import read_required

    file = Path(options.file)
    recipe = read_required(file)
    if not options.rerun:
        click.echo(_printable(json.dumps(recipe, indent=2, ensure_ascii=False)))
        return
    if options.output is None:
        raise click.UsageError("--rerun needs -o: where the file made again goes")
    with tempfile.TemporaryDirectory() as spare:
        words = output_words(file, recipe, options.output, Path(spare))
        rerun(file, recipe, options.input, words + ["--overwrite"] * options.overwrite)


def _printable(text: str) -> str:
    """Return JSON whose strings can do nothing to a terminal: what does not print is escaped, letters stay."""
    return "".join(c if c.isprintable() or c == "\n" else json.dumps(c)[1:-1] for c in text)
