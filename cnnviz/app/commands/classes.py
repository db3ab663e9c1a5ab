"""``cnnviz classes``: the class names that ``--class`` takes."""

import json
from dataclasses import dataclass

import click

from cnnviz.app.declare import argument, option
from cnnviz.app.photo_command import plain_command
from cnnviz.models.catalog import imagenet_classes
from cnnviz.text import did_you_mean


@dataclass(frozen=True, kw_only=True)
class Options:
    """Options of ``cnnviz classes``."""

    word: str = argument(default="")
    json: bool = option("Print one JSON object per class, one per line.", default=False, panel="Output")


@plain_command(Options)
def classes(options: Options) -> None:
    """List the ImageNet classes: index and name.

    With WORD, only classes whose name contains it, in any case.

    \b
    Examples:
      cnnviz classes cat
      cnnviz classes --json | jq -r .name
    """
    names, word = imagenet_classes(), options.word.lower()
    found = [(index, name) for index, name in enumerate(names) if word in name.lower()]
    for index, name in found:
        click.echo(json.dumps({"index": index, "name": name}) if options.json else f"{index:>4}  {name}")
    if not found:
        near = did_you_mean(word, [name.lower() for name in names])
        raise click.UsageError(f"no class name contains {options.word!r}{near}")
