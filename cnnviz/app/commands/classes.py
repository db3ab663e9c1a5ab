"""``cnnviz classes``: the class names that ``--class`` takes."""

import json

import click

from cnnviz.models import catalog


@click.command()
@click.argument("word", default="")
@click.option("--json", "lines", is_flag=True, help="Print one JSON object a line for every class.")
def classes(word: str, lines: bool) -> None:
    """List the ImageNet classes: index and name.

    With WORD, those whose name holds it, in any case.

    \b
    Examples:
      cnnviz classes cat
      cnnviz classes --json | jq -r .name
    """
    names = catalog.imagenet_classes()
    found = [(index, name) for index, name in enumerate(names) if word.lower() in name.lower()]
    for index, name in found:
        click.echo(json.dumps({"index": index, "name": name}) if lines else f"{index:>4}  {name}")
    if not found:
        near = catalog.did_you_mean(word, [name.lower() for name in names])
        raise click.UsageError(f"no class's name holds {word!r}{near}")
