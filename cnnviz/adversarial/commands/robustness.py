"""``cnnviz robustness``: up to which level of change a network's answers stand."""

import os
import time
from typing import Any

import click

from cnnviz.adversarial import diagnostics
from cnnviz.adversarial.robustness import attacked, print_row, ready, summary, tell
from cnnviz.app import options as shared
from cnnviz.app.jobs import Job, Line, find_inputs, plan_network_job
from cnnviz.app.session import InputRecord, Session, collective_name, collective_record


@click.command()
@shared.inputs
@shared.output
@shared.eps(8)
@shared.true_class
@shared.photo
@shared.network
@shared.seed
@shared.json_lines
@shared.talk
def robustness(inputs: tuple[str, ...], output: str | None, eps: int, fit: str, **options: Any) -> None:
    """Measure how small a change of each photo fools a network: accuracy against level.

    Each photo is attacked as adversarial does it, at one level of 255, then at two, up to --eps; no changed photo is
    written. The picture shows for each level the share of photos whose answer stands, beside random noise of that
    level. The network's answers for the photos as they are count as right, unless --true-class says what the photos
    show. INPUTS are photos, folders of photos, or -.

    \b
    Examples:
      cnnviz robustness photos/
      cnnviz robustness photos/ --eps 16 -o curve.png
      cnnviz robustness photos/ --json | jq -c 'select(.accuracy) | .accuracy'
    """
    name = collective_name(inputs)
    [result] = plan_network_job(name, output, "-robustness.png")
    target = str(result.output)
    jobs = find_inputs(inputs, lambda path: os.path.realpath(path) == os.path.realpath(target))
    ready(jobs, result, options)
    run, started = Session(jobs), time.monotonic()
    sources: list[InputRecord] = []
    lines: list[Line] = []

    def one(job: Job) -> Line:
        original, source = run.original(job)
        with run.console.progress(f"attacking {len(lines) + 1} of {len(jobs)}", "passes") as tick:
            line = attacked(original, run.trunk(run.network), fit, eps, options["seed"], tick, options["true"])
        diagnostics.say(run.console, job, line["warnings"])
        sources.append(source)
        lines.append(line)
        return line

    table = None if target == "-" else print_row
    status = run.each(one, table)
    if lines:
        numbers = summary(lines, eps)
        tell(run, target, numbers, collective_record(name, sources), time.monotonic() - started)
    run.context.exit(int(status))
