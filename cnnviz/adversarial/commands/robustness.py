"""``cnnviz robustness``: accuracy of a network against the size of a change."""

import os
from dataclasses import dataclass
from dataclasses import field as data_field
from typing import TYPE_CHECKING

from cnnviz.adversarial.commands import messages
from cnnviz.adversarial.commands.records import GroundTruthOptions, RobustnessRecord, RobustnessSummary
from cnnviz.app.jobs import Job, find_inputs, plan_network_job, refuse_clashes
from cnnviz.app.options import OutputOptions, PhotoOptions, SeedOptions, eps_option
from cnnviz.app.photo_command import open_session, plain_command
from cnnviz.app.recorder import InputRecord, collective_name, collective_record
from cnnviz.app.records import Result, to_json
from cnnviz.app.runner import Outcome, finish, prepare_output, run_jobs
from cnnviz.app.session import Session
from cnnviz.errors import InvalidRequest

if TYPE_CHECKING:
    from cnnviz.adversarial.robustness import PhotoRobustness


@dataclass(frozen=True, kw_only=True)
class Options(PhotoOptions, GroundTruthOptions, SeedOptions, OutputOptions):
    """Options of ``cnnviz robustness``."""

    eps: int = eps_option(8)


@plain_command(Options, RobustnessRecord, RobustnessSummary)
def robustness(options: Options) -> int:
    """Measure accuracy as the allowed change grows.

    Each photo is attacked as adversarial does it, at one level of 1/255, then at two, up to --eps; no changed photo is
    written. The figure shows for each level the share of photos whose class is unchanged, beside random noise of that
    level. The network's own class of each unchanged photo counts as right, unless --ground-truth names the class that
    the photos show. INPUTS are photos, folders of photos, or -.

    \b
    Examples:
      cnnviz robustness photos/
      cnnviz robustness photos/ --eps 16 -o curve.png
      cnnviz robustness photos/ --json | jq -c 'select(.accuracy) | .accuracy'
    """
    session, name = open_session("robustness", options), collective_name(options.inputs)
    [figure] = plan_network_job(name, options.output, "-robustness.png")
    target = os.path.realpath(str(figure.output))
    jobs = find_inputs(options.inputs, lambda path: os.path.realpath(path) == target)
    if figure.output == "-" and options.json:
        raise InvalidRequest("standard output takes the picture (-o -) or the lines of --json, not both")
    refuse_clashes([*jobs, figure])
    prepare_output(session, figure, str(figure.output))
    run = RobustnessRun(session, options, len(jobs))
    status = run_jobs(session, jobs, run.measure)
    if run.rows:
        run_jobs(session, [Job(", ".join(options.inputs), output=figure.output)], lambda job: run.finish(job, name))
    return status


@dataclass(frozen=True)
class RobustnessRun:
    """The photos measured so far, of ``count``."""

    session: Session
    options: Options
    count: int
    rows: "list[PhotoRobustness]" = data_field(default_factory=list)
    sources: list[InputRecord] = data_field(default_factory=list)

    def measure(self, job: Job) -> Outcome:
        """Measure one photo, and return what is reported."""
        photo, network = self.session.read_stored(job), self.session.network

        from cnnviz.adversarial.robustness import photo_robustness

        with self.session.progress(f"attacking {len(self.rows) + 1} of {self.count}", "passes") as control:
            row = photo_robustness(
                network, photo.image, eps=self.options.eps, ground_truth=self.options.ground_truth,
                fit=self.options.fit, seed=self.options.seed, control=control,
            )  # fmt: skip
        messages.note_diagnostics(self.session, job, row.warnings)
        self.rows.append(row)
        self.sources.append(photo.record)
        record = RobustnessRecord(fooled=row.fooled, **vars(row))
        text = "" if self.options.output == "-" else messages.level_text(job, record)
        return Outcome(to_json(record), written=False, text=text)

    def finish(self, job: Job, name: str) -> Outcome:
        """Write the figure of all photos, and return what is reported."""
        from cnnviz.adversarial.figures.robustness import draw_curve
        from cnnviz.adversarial.robustness import robustness_curve

        curve = robustness_curve(self.rows, self.options.eps)
        summary = RobustnessSummary(**vars(curve))
        recipe = self.session.recipe(collective_record(name, self.sources))
        return finish(self.session, job, recipe, Result(summary, draw_curve(curve), text=messages.table_text(summary)))
