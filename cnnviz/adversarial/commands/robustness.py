"""``cnnviz robustness``: accuracy of a network against the size of a change."""

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cnnviz.adversarial.commands.records import (
    KINDS,
    ComparedRecord,
    GroundTruthOptions,
    QueryRecord,
    label,
    note_diagnostics,
)
from cnnviz.app.jobs import Job
from cnnviz.app.options import FigureOptions, OutputOptions, PhotoOptions, SeedOptions, eps_option
from cnnviz.app.photo_command import open_session, plain_command
from cnnviz.app.recorder import InputRecord, collective_name, collective_record
from cnnviz.app.records import Result, field, to_json
from cnnviz.app.runner import Outcome, finish, plan_collection, run_jobs
from cnnviz.app.session import Session
from cnnviz.text import printable

if TYPE_CHECKING:
    from cnnviz.adversarial.robustness import PhotoRobustness


@dataclass(frozen=True, kw_only=True)
class Options(PhotoOptions, GroundTruthOptions, FigureOptions, SeedOptions, OutputOptions):
    """Options of ``cnnviz robustness``."""

    eps: int = eps_option(8)


@dataclass(frozen=True, kw_only=True)
class RobustnessRecord(ComparedRecord):
    """JSON fields of one photo of ``cnnviz robustness``; ``top`` are the classes at ``levels``, or nearest to it."""

    fooled: bool = field("Whether a change of at most eps levels was found that fools.")
    levels: int | None = field("Smallest level found that fools; null for none.", minimum=0)
    noise_levels: int | None = field("The same of random noise.", minimum=0)
    warnings: dict[str, str] = field("What weakens the result, a sentence for each kind.", propertyNames=KINDS)


@dataclass(frozen=True, kw_only=True)
class RobustnessSummary(QueryRecord):
    """JSON fields of the last line of ``cnnviz robustness``, about all photos."""

    photos: int = field("Number of photos.", minimum=1)
    eps: int = field("Largest level tried.", minimum=1, maximum=255)
    accuracy: list[float] = field("Share of the photos whose class is unchanged up to each level, from 0 to eps.")
    noise_accuracy: list[float] = field("The same under random noise.")
    median_levels: int | None = field("Median of the photos' levels; null where it is beyond eps.", minimum=0)
    warned: dict[str, int] = field("Number of photos with each kind of warning.", propertyNames=KINDS)
    ground_truth: int | None = field("Index of the class of --ground-truth; null without it.", minimum=0)
    class_name: str | None = field("Its name.")


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
    session = open_session("robustness", options)
    jobs, figure = plan_collection(session, options.inputs, options.output, "-robustness.png")
    run = RobustnessRun(session, options, len(jobs))
    status = run_jobs(session, jobs, run.measure)
    if run.rows:
        run_jobs(session, [Job(", ".join(options.inputs), output=figure.output)], run.finish)
    return status


@dataclass(frozen=True)
class RobustnessRun:
    """The photos measured so far, of ``count``."""

    session: Session
    options: Options
    count: int
    rows: "list[PhotoRobustness]" = dataclasses.field(default_factory=list)
    sources: list[InputRecord] = dataclasses.field(default_factory=list)

    def measure(self, job: Job) -> Outcome:
        """Measure one photo, and return what is reported."""
        photo, network = self.session.read_stored(job), self.session.network

        from cnnviz.adversarial.robustness import photo_robustness

        label = f"attacking {len(self.rows) + 1} of {self.count}"
        with self.session.console.progress(label, "passes") as control:
            row = photo_robustness(
                network, photo.image, eps=self.options.eps, ground_truth=self.options.ground_truth,
                fit=self.options.fit, seed=self.options.seed, control=control,
            )  # fmt: skip
        note_diagnostics(self.session, job.source, row.warnings)
        self.rows.append(row)
        self.sources.append(photo.record)
        record = RobustnessRecord(fooled=row.fooled, **vars(row))
        text = "" if self.options.output == "-" else level_text(job, record)
        return Outcome(to_json(record), written=False, text=text)

    def finish(self, job: Job) -> Outcome:
        """Write the figure of all photos, and return what is reported."""
        from cnnviz.adversarial.figures.robustness import draw_curve
        from cnnviz.adversarial.robustness import robustness_curve

        curve = robustness_curve(self.session.network, self.rows, self.options.eps, self.options.ground_truth)
        summary = RobustnessSummary(**vars(curve))
        recipe = self.session.recipe(collective_record(collective_name(self.options.inputs), self.sources))
        figure = draw_curve(curve, self.options.look)
        return finish(self.session, job, recipe, Result(summary, figure, text=table_text(summary)))


def level_text(job: Job, record: RobustnessRecord) -> str:
    """Return a photo's smallest level, and its class before and there."""
    level = "-" if record.levels is None else record.levels
    change = f" -> {label(record.top)}" if record.levels else ""
    return f"{level:>4}  {printable(job.source)}: {label(record.clean_top)}{change}"


def table_text(summary: RobustnessSummary) -> str:
    """Return accuracy against level as a table."""
    rows = enumerate(zip(summary.accuracy, summary.noise_accuracy, strict=True))
    return "\n".join(["", "level  accuracy  random noise",
                      *(f"{level:>5}  {share:>8.1%}  {noise:>12.1%}" for level, (share, noise) in rows)])  # fmt: skip
