"""``cnnviz classify``: what a network takes a photograph for."""

from typing import Any

import click

from cnnviz.app import jobs, options
from cnnviz.app.jobs import Job, Line
from cnnviz.app.session import Session
from cnnviz.errors import printable


@click.command()
@options.inputs
@click.option(
    "--top",
    type=click.IntRange(1),
    default=5,
    show_default=True,
    metavar="K",
    help="How many classes to print, the most probable first.",
)
@options.photo
@options.network
@options.json_lines
@options.talk
def classify(inputs: tuple[str, ...], top: int, fit: str, **_: Any) -> None:
    """Print what a network takes a photograph for.

    One table for each input: class, index and probability. INPUTS are photos, folders of photos, or - for
    standard input.

    \b
    Examples:
      cnnviz classify cat.jpg
      cnnviz classify photos/ --json | jq -r '[.input, .top[0].name] | @tsv'
    """
    run = Session(jobs.find_inputs(inputs))

    def one(job: Job) -> Line:
        from cnnviz.models import preprocess

        photo, _ = run.read(job)
        x, _ = preprocess.fit(photo, run.network, fit)
        import torch  # seconds, which a photo or weights that are not there need not cost

        with torch.inference_mode():
            best = run.network.top(run.network(x)[0].cpu(), top)
        return {"network": run.network.name, "top": best}

    run.over(one, _print_table)


def _print_table(job: Job, line: Line) -> None:
    names = [printable(row["name"]) for row in line["top"]]
    width = max(map(len, names))
    click.echo(printable(job.source))
    for name, row in zip(names, line["top"], strict=True):
        click.echo(f"  {name:<{width}}  {row['index']:>4}  {row['probability']:>7.2%}")
