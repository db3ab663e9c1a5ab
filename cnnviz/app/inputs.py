"""The photos of a command, read with their record in the recipe."""

from typing import TYPE_CHECKING, Any

from cnnviz.app.console import Console
from cnnviz.app.jobs import Job
from cnnviz.app.options import ReadingOptions
from cnnviz.app.recorder import InputRecord
from cnnviz.text import printable

if TYPE_CHECKING:
    from cnnviz.io.color import Photo
    from cnnviz.io.stored_image import StoredImage


def read_photo_input(
    job: Job, options: ReadingOptions, console: Console, name: str | None = None
) -> "tuple[Photo, InputRecord]":
    """Read a job's photo, upright, sRGB, without alpha; ``name`` is what the recipe calls it, by default the file's."""
    data, reading = _read(job, options, console)
    from cnnviz.io.photo import decode_photo

    return decode_photo(data, **reading), _record(job, data, name)


def read_stored_input(
    job: Job, options: ReadingOptions, console: Console, name: str | None = None
) -> "tuple[StoredImage, InputRecord]":
    """Read a job's photo as its file stores it; ``name`` as in ``read_photo_input``."""
    data, reading = _read(job, options, console)
    from cnnviz.io.stored_image import decode_stored

    return decode_stored(data, **reading), _record(job, data, name)


def _read(job: Job, options: ReadingOptions, console: Console) -> tuple[bytes, dict[str, Any]]:
    """Return a file's bytes, and the keywords of how it is decoded."""
    from cnnviz.io.color import parse_color
    from cnnviz.io.source import read_bytes

    parse_color(options.background)
    data = read_bytes(job.source, options.max_pixels)
    reading = {key: getattr(options, key) for key in ("frame", "max_pixels", "background")}
    return data, reading | {"note": lambda text: console.once(f"{printable(job.source)}: {text}")}


def _record(job: Job, data: bytes, name: str | None) -> InputRecord:
    import hashlib

    return InputRecord(name or job.name, hashlib.sha256(data).hexdigest())
