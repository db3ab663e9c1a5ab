"""``cnnviz classify``: what a network takes a photograph for."""

from typing import Any

import click

from cnnviz import batch
from cnnviz.batch import Job, Line
from cnnviz.commands import _options as shared
from cnnviz.commands._run import Run
from cnnviz.errors import shown


@click.command()
@shared.inputs
@click.option(
    "--top",
    type=click.IntRange(1),
    default=5,
    show_default=True,
    metavar="K",
    help="How many classes to print, the most probable first.",
)
@shared.photo
@shared.network
@shared.json_lines
@shared.talk
def classify(inputs: tuple[str, ...], top: int, fit: str, **_: Any) -> None:
    """Print what a network takes a photograph for.

    One table for each input: class, index and probability. INPUTS are photos, folders of photos, or - for
    standard input.

    \b
    Examples:
      cnnviz classify cat.jpg
      cnnviz classify photos/ --json | jq -r '[.input, .top[0].name] | @tsv'
    """
    run = Run(batch.find(inputs))

    def one(job: Job) -> Line:
        from cnnviz import images

        photo, _ = run.read(job)
        x, _ = images.fit(photo, run.network, fit)
        import torch  # seconds, which a photo or weights that are not there need not cost

        with torch.inference_mode():
            best = run.network.top(run.network(x)[0].cpu(), top)
        return {"network": run.network.name, "top": best}

    run.over(one, _print_table)


def _print_table(job: Job, line: Line) -> None:
    names = [shown(row["name"]) for row in line["top"]]
    width = max(map(len, names))
    click.echo(shown(job.source))
    for name, row in zip(names, line["top"], strict=True):
        click.echo(f"  {name:<{width}}  {row['index']:>4}  {row['probability']:>7.2%}")
