"""``cnnviz thumbnail``: frames that stand for a clip."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import click
from click import IntRange

from cnnviz.app.declare import argument, option
from cnnviz.app.jobs import numbered_files
from cnnviz.app.options import FigureOptions, FitOptions, OutputOptions, ReadingOptions
from cnnviz.app.photo_command import photo_command
from cnnviz.app.records import Record as NetworkRecord
from cnnviz.app.records import Result, field
from cnnviz.app.session import Input, Session
from cnnviz.control import Control
from cnnviz.io import write
from cnnviz.text import plural

if TYPE_CHECKING:
    from cnnviz.dense.thumbnail import Thumbnail
    from cnnviz.video.frame import Clip


@dataclass(frozen=True, kw_only=True)
class Options(FitOptions, FigureOptions, OutputOptions):
    """Options of ``cnnviz thumbnail``."""

    inputs: tuple[str, ...] = argument(nargs=-1, required=True, metavar="CLIPS...", type=click.Path(dir_okay=False))
    count: int = option("Number of frames; fewer if the clip has fewer that differ.", "-n", "--count", default=5,
                        type=IntRange(1, 100), metavar="N")  # fmt: skip
    max_pixels: int = ReadingOptions.__dataclass_fields__["max_pixels"]  # type: ignore[assignment]


@dataclass(frozen=True, kw_only=True)
class FrameRecord:
    """JSON fields of one frame."""

    time: float = field("When it is shown, in seconds.", minimum=0)
    index: int = field("Its number, counted from 0.", minimum=0)
    score: float = field("log confidence + log sharpness, less for noise and clipped pixels.")
    file: str | None = field("The JPEG file; null where the figure goes to standard output.", recorded=False)


@dataclass(frozen=True, kw_only=True)
class Record(NetworkRecord):
    """JSON fields of ``cnnviz thumbnail``."""

    frames: list[FrameRecord] = field("The frames, best first.", minItems=1)
    cuts: list[float] = field("Times at which scenes begin, in seconds.")
    duration: float = field("Duration of the clip in seconds.", minimum=0)


@photo_command(Options, Record, suffix="-thumbnail.png", clips=True, progress=("choosing", "frames"))
def thumbnail(session: Session, clip: "Input[Clip]", options: Options, control: Control) -> Result[Record]:
    """Choose frames that stand for a clip.

    Sharp frames, without noise, that the network recognises, and that differ from each other. They are written as JPEG
    files beside the figure, a film strip with their times: STEM-thumbnail-1.jpg is the best. CLIPS are videos or
    animated images.

    \b
    Examples:
      cnnviz thumbnail clip.mp4
      cnnviz thumbnail clip.mp4 -n 1 -o cover.png
      cnnviz thumbnail *.mp4 -o covers/ --json | jq -r '.frames[0].file'
    """
    files = numbered_files(clip.job.output, options.count, overwrite=options.overwrite)
    from cnnviz.dense.figures.film_strip import draw_film_strip
    from cnnviz.dense.thumbnail import thumbnail as choose

    found = choose(session.network, clip.image, count=options.count, fit=options.fit, control=control)
    recipe = session.recipe(clip.record, moving=True) | {"sheet": {"option": "frame"}}
    rows = []
    for number, one in enumerate(found.frames):
        file = files[number] if files else None
        rows.append(frame_record(one, file))
        if file and one.image is not None:
            write.write_image(file, one.image, recipe | {"numbers": {"frame": number + 1, "index": one.index}})
    record = Record(network=session.network.name, frames=rows, duration=round(found.duration, 6),
                    cuts=[round(cut, 6) for cut in found.cuts])  # fmt: skip
    few = f"only {plural(len(rows), 'frame')} chosen: the others are like these" if len(rows) < options.count else ""
    text = "\n".join(f"{row.time:9.3f} s  score {row.score:6.2f}  {row.file or f'frame {row.index}'}" for row in rows)
    figure = draw_film_strip(found, session.network.name, options.look)
    return Result(record, figure, text=text, notes=(few,) if few else ())


def frame_record(one: "Thumbnail", path: str | None) -> FrameRecord:
    """Return the JSON fields of a frame in a file."""
    return FrameRecord(time=round(one.time, 6), index=one.index, score=round(one.score, 6), file=path)
