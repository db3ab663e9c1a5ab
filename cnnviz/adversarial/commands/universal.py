"""``cnnviz universal``: one change that fools a network on most photos, and a file of each photo with it."""

from dataclasses import dataclass

import click

from cnnviz.adversarial.commands.records import AttackOptions, UniversalRecord, UniversalSummary
from cnnviz.adversarial.commands.universal_run import SUFFIX, UniversalRun
from cnnviz.app.declare import option
from cnnviz.app.jobs import Job, plan_jobs
from cnnviz.app.options import eps_option, steps_option
from cnnviz.app.photo_command import open_session, plain_command, plan_second_files
from cnnviz.app.runner import run_jobs
from cnnviz.errors import InvalidRequest, Status


@dataclass(frozen=True, kw_only=True)
class Options(AttackOptions):
    """Options of ``cnnviz universal``."""

    eps: int = eps_option(10)
    steps: int = steps_option(10, "through all photos of the search")
    report: str | None = option("Also draw each photo, the change made visible, and the result, with their classes.",
                                default=None, type=click.Path(), metavar="FOLDER/", panel="Output", recorded=False,
                                beside="-report.png")  # fmt: skip


@plain_command(Options, UniversalRecord, UniversalSummary)
def universal(options: Options) -> int:
    """Search for one change that fools a network on most photos.

    The change is searched on two of three photos, in whole levels of 1/255, and added to all of them; each file is
    written where it fools, and verified. The change itself, made visible, is NAME-pattern-universal.png. Where at most
    half of the files fool, the exit status is 4. INPUTS are photos or folders of photos, at least two photos.

    \b
    Examples:
      cnnviz universal photos/ -o fooled/
      cnnviz universal photos/ --eps 6 --report reports/ -o fooled/
      cnnviz universal photos/ -o fooled/ --json | jq -c 'select(.photos) | .fooling_rates'
    """
    if options.fit == "whole":
        raise InvalidRequest("a universal change needs inputs of one size: --fit crop, squash or pad")
    jobs = plan_second_files(plan_jobs(options.inputs, options.output, SUFFIX), options, SUFFIX)
    if len(jobs) < 2 or any(job.name == "-" for job in jobs):
        raise InvalidRequest("a universal change needs several photos in files: they are read twice")
    run = UniversalRun(open_session("universal", options), options, jobs, options.eps, options.steps)
    run.check_pattern()
    status = run_jobs(run.session, jobs, run.process)
    if not run.records:
        return status
    missed = run_jobs(run.session, [Job(", ".join(options.inputs), output=run.pattern)], run.finish)
    return missed if status in (Status.OK, Status.MISSED) else status
