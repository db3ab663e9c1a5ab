"""How ``cnnviz inceptionism`` runs: which classes, in which files, and networks checked before the first step."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cnnviz.app.jobs import Job, is_folder, plan_network_job
from cnnviz.app.photo_command import Runner, open_session
from cnnviz.app.runner import Outcome, run_jobs
from cnnviz.app.session import Session
from cnnviz.errors import InvalidRequest
from cnnviz.synthesis.commands.inceptionism_options import Options
from cnnviz.synthesis.held_out import check_same_classes

if TYPE_CHECKING:
    from cnnviz.models.network import Network

ALL = "all"


@dataclass(frozen=True)
class ClassRunner(Runner):
    """Runs one job for a file, or one for each class for a folder; the networks are checked before the first step."""

    def __call__(self, options: Options) -> None:
        """Run, and leave with the exit status."""
        session = open_session("inceptionism", options)
        check_held_out(session, options)
        chosen = choose_classes(session.network, options)
        work = dict(plan_classes(session.network, options, chosen))

        def process(job: Job) -> Outcome:
            own = replace(options, targets=tuple(map(str, work[job])), random=None, output=job.output)
            return self.process(session.with_options(own), job)

        click.get_current_context().exit(int(run_jobs(session, list(work), process)))


def check_held_out(session: Session, options: Options) -> None:
    """Load the networks of --check-with, before any work: their weights may be unavailable, their classes others."""
    for name in options.check_with:
        check_same_classes(session.load_network(name), session.network)


def choose_classes(network: "Network", options: Options) -> list[int]:
    """Return the classes of --class or --random, each once; those drawn in the order of the draw."""
    import torch

    with torch.inference_mode():
        count = network(torch.full((1, 3, *network.size), 0.5)).shape[1]
    if options.random is not None:
        if options.random > count:
            raise InvalidRequest(f"--random {options.random}: {network.name} has {count} classes")
        order: list[int] = torch.randperm(count, generator=torch.Generator().manual_seed(options.seed)).tolist()
        return order[: options.random]
    if ALL in options.targets:
        return list(range(count))
    chosen = list(dict.fromkeys(map(network.class_index, options.targets)))
    if missing := [index for index in chosen if index >= count]:
        raise InvalidRequest(f"no class {missing[0]}: {network.name} has {count}, counted from 0")
    return chosen


def plan_classes(network: "Network", options: Options, chosen: Sequence[int]) -> list[tuple[Job, list[int]]]:
    """Return the jobs and the classes of each: one job for a file, one for each class for a folder."""
    (job,) = plan_network_job(options.model, options.output, "-inceptionism.png")
    if options.output is None or not is_folder(options.output):
        return [(job, list(chosen))]
    folder = Path(str(job.output)).parent
    return [
        (
            Job(options.model, output=str(folder / f"{index:03}-{_slug(network.class_name(index))}.png"), tree=True),
            [index],
        )
        for index in chosen
    ]


def _slug(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", name.lower())
