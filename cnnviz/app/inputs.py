"""The photos of a command, read with their record in the recipe."""

import hashlib
from typing import TYPE_CHECKING, Any

from cnnviz.app.console import Console
from cnnviz.app.jobs import Job
from cnnviz.app.options import ReadingOptions
from cnnviz.app.recorder import InputRecord
from cnnviz.text import printable

if TYPE_CHECKING:
    from cnnviz.io.color import Photo
    from cnnviz.io.photo import StoredImage
    from cnnviz.video.frame import Clip


def read_photo_input(
    job: Job, options: ReadingOptions, console: Console, name: str | None = None
) -> "tuple[Photo, InputRecord]":
    """Read a job's photo, upright, sRGB, without alpha; ``name`` is what the recipe calls it, by default the file's."""
    data, reading, record = _read(job, options, console, name)
    from cnnviz.io.photo import decode_photo

    return decode_photo(data, **reading), record


def read_stored_input(
    job: Job, options: ReadingOptions, console: Console, name: str | None = None
) -> "tuple[StoredImage, InputRecord]":
    """Read a job's photo as its file stores it; ``name`` as in ``read_photo_input``."""
    data, reading, record = _read(job, options, console, name)
    from cnnviz.io.photo import decode_stored

    return decode_stored(data, **reading), record


def read_clip_input(job: Job, options: ReadingOptions) -> "Clip":
    """Open a job's clip."""
    from cnnviz.video.clip import read_clip

    return read_clip(job.source, max_pixels=options.max_pixels)


def _read(
    job: Job, options: ReadingOptions, console: Console, name: str | None
) -> tuple[bytes, dict[str, Any], InputRecord]:
    """Return a file's bytes, the keywords of how it is decoded, and its record."""
    from cnnviz.io.color import parse_color
    from cnnviz.io.image_file import read_bytes

    parse_color(options.background)
    data = read_bytes(job.source, options.max_pixels)
    reading = {key: getattr(options, key) for key in ("frame", "max_pixels", "background")}
    reading["note"] = lambda text: console.once(f"{printable(job.source)}: {text}")
    return data, reading, InputRecord(name or job.name, hashlib.sha256(data).hexdigest())
