"""``cnnviz models``: the networks by name."""

import json
from dataclasses import dataclass

import click

from cnnviz.app.declare import argument, option
from cnnviz.app.photo_command import plain_command
from cnnviz.models import weights
from cnnviz.models.catalog import NetworkEntry, entries, feature_networks, segmenters
from cnnviz.text import did_you_mean


@dataclass(frozen=True, kw_only=True)
class Options:
    """Options of ``cnnviz models``."""

    word: str = argument(default="")
    json: bool = option("Print one JSON object per network, one per line.", default=False, panel="Output")


@plain_command(Options)
def models(options: Options) -> None:
    """List the networks that are available by name.

    With WORD, only names that contain it. Weights are "here", "to fetch" (once), "in cnnviz[EXTRA]" (a package to
    install) or "--weights" (a file of yours). A thousand more networks are available as timm:NAME.

    \b
    Examples:
      cnnviz models
      cnnviz models resnet --json
    """
    known = [*entries().values(), *segmenters().values(), *feature_networks().values()]
    found = [entry for entry in known if options.word.lower() in entry.name]
    for entry in found:
        line = {
            "name": entry.name, "task": entry.task, "source": entry.source, "weights": _weights(entry),
            "file": entry.file, "sha256": entry.sha256, "size": entry.size, "parameters": round(entry.parameters * 1e6),
        }  # fmt: skip
        text = f"{entry.name:<20}  {_weights(entry):<15}  {entry.size:>3} px  {entry.parameters:>6.1f} M parameters"
        text += f"  {entry.task}" if entry.task != "classification" else ""
        click.echo(json.dumps(line) if options.json else text)
    if not found:
        near = did_you_mean(options.word, [entry.name for entry in known], "; timm's are named timm:NAME")
        raise click.UsageError(f"no network name contains {options.word!r}{near}")


def _weights(entry: NetworkEntry) -> str:
    path = weights.weights_path(entry)
    if path is not None and path.is_file():
        return "here"
    if entry.source == "torchvision":
        return "to fetch"
    return f"in cnnviz[{entry.extra}]" if entry.extra else "package missing" if entry.file else "--weights"
