"""``cnnviz rank``: photos in the order of their technical quality."""

import dataclasses
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from click import IntRange

from cnnviz.app.declare import option
from cnnviz.app.jobs import Job
from cnnviz.app.options import FigureOptions, OutputOptions, PhotoOptions, RatingOptions
from cnnviz.app.photo_command import open_session, plain_command
from cnnviz.app.recorder import InputRecord, collective_name, collective_record
from cnnviz.app.records import PhotoRecord, Result, field, print_line, to_json
from cnnviz.app.records import Record as NetworkRecord
from cnnviz.app.runner import Outcome, finish, json_line, plan_collection, run_jobs
from cnnviz.app.session import Session
from cnnviz.errors import final_status
from cnnviz.text import plural, printable

if TYPE_CHECKING:
    from cnnviz.dense.rank import RankedPhoto


@dataclass(frozen=True, kw_only=True)
class Options(PhotoOptions, RatingOptions, FigureOptions, OutputOptions):
    """Options of ``cnnviz rank``."""

    top: int = option("Number of photos on the contact sheet, the best.", default=48, type=IntRange(1, 500),
                      metavar="N", panel="Figure")  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Record(PhotoRecord):
    """JSON fields of ``cnnviz rank``, a line for each photo, best first."""

    rank: int = field("Place of the photo, from 1 for the best.", minimum=1)
    score: float = field("What the order is made by: of technical quality, or the network's rating.")
    confidence: float | None = field("Probability of the top class; null of a rating network.", minimum=0, maximum=1)
    sharpness: float = field("Variance of the Laplacian above what noise adds, at one size.", minimum=0)
    noise: float = field("Standard deviation of the noise, in levels of 1/255.", minimum=0)
    clipped: float = field("Share of the pixels that are black or have a channel at its maximum.", minimum=0, maximum=1)
    blocking: float = field("Differences across the borders of JPEG's blocks, divided by those elsewhere.", minimum=0)


@dataclass(frozen=True, kw_only=True)
class SheetRecord(NetworkRecord):
    """What the recipe of a contact sheet holds of its photos."""

    photos: int = field("Number of photos in order.")
    scores: dict[str, float] = field("Scores of the photos on the sheet, best first, by rank and name.")


@plain_command(Options, Record)
def rank(options: Options) -> int:
    """Order photos by their technical quality.

    The order is that of log confidence + log sharpness, less for noisy, clipped and blocky photos. With --rating and
    --weights, it is that of a network that was trained to rate photos. The figure is a contact sheet, best first.
    INPUTS are photos, folders of photos, or -.

    \b
    Examples:
      cnnviz rank photos/
      cnnviz rank photos/ --json | jq -r 'select(.rank <= 10) | .input'
      cnnviz rank selfies/ --rating -m vgg16 --weights ratings.safetensors
    """
    session = open_session("rank", options)
    jobs, figure = plan_collection(session, options.inputs, options.output, "-rank.png")
    run = RankRun(session, options, len(jobs))
    statuses = {run_jobs(session, jobs, run.measure)}
    if run.rows:
        statuses.add(run_jobs(session, [replace(figure, source=plural(len(run.rows), "photo"))], run.finish))
    return int(final_status(statuses))


@dataclass(frozen=True)
class RankRun:
    """The photos measured so far, of ``count``."""

    session: Session
    options: Options
    count: int
    rows: "list[tuple[RankedPhoto, Job, float]]" = dataclasses.field(default_factory=list)
    sources: list[InputRecord] = dataclasses.field(default_factory=list)

    def measure(self, job: Job) -> Outcome:
        """Measure one photo; its line is printed when the order is known."""
        started, photo, network = time.monotonic(), self.session.read(job), self.session.network

        from cnnviz.dense.rank import score_photo

        with self.session.console.progress("measuring", "photos") as control:
            control.report(len(self.rows), self.count)
            row = score_photo(network, photo.image, rating=self.options.rating, fit=self.options.fit)
        self.rows.append((replace(row, index=len(self.rows), name=job.name), job, time.monotonic() - started))
        self.sources.append(photo.record)
        self._drop_thumbnails()
        return Outcome(None, written=False)

    def _drop_thumbnails(self) -> None:
        """Sort the photos best first, and drop the thumbnails of those that will not be drawn, to save memory."""
        self.rows.sort(key=lambda entry: -entry[0].score)
        for place, (row, job, seconds) in enumerate(self.rows[self.options.top :], self.options.top):
            self.rows[place] = (replace(row, thumbnail=None), job, seconds)

    def finish(self, figure: Job) -> Outcome:
        """Write the contact sheet, then print a line for each photo, best first."""
        from cnnviz.dense.figures.contact_sheet import draw_contact_sheet

        name, shown = self.session.network.name, [row for row, _, _ in self.rows[: self.options.top]]
        record = SheetRecord(network=name, photos=len(self.rows), scores={
            f"{place} {row.name}": round(row.score, 6) for place, row in enumerate(shown, 1)})  # fmt: skip
        recipe = self.session.recipe(collective_record(collective_name(self.options.inputs), self.sources))
        sheet = draw_contact_sheet(shown, name, len(self.rows), self.options.look)
        finish(self.session, figure, recipe, Result(record, sheet))
        for place, (row, job, seconds) in enumerate(self.rows, 1) if self.options.json else ():
            fields = to_json(record_of(row, place, name))
            print_line(json_line(self.session, replace(job, output=figure.output), Outcome(fields), seconds=seconds))
        return Outcome(None, text="" if self.options.output == "-" else self.table())

    def table(self) -> str:
        """Return the order as text for a person."""
        lines = ["rank   score  confidence  sharpness  noise  photo"]
        for place, (row, job, _) in enumerate(self.rows, 1):
            confidence = f"{row.top[0].probability:.1%}" if row.rating is None else "-"
            measured = f"{row.quality.sharpness:>9.1f}  {row.quality.noise:>5.1f}"
            lines.append(f"{place:>4}  {row.score:>6.2f}  {confidence:>10}  {measured}  {printable(job.source)}")
        return "\n".join(lines)


def record_of(row: "RankedPhoto", place: int, network: str) -> Record:
    """Return the JSON fields of a photo at a place of the order."""
    numbers = {key: round(value, 6) for key, value in vars(row.quality).items()}
    return Record(network=network, rank=place, score=round(row.score, 6), top=list(row.top),
                  confidence=row.top[0].probability if row.rating is None else None, **numbers)  # fmt: skip
