"""The inputs of a command and where each result goes."""

import contextlib
import os
import re
import stat
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from cnnviz.errors import InvalidRequest
from cnnviz.io import write
from cnnviz.io.recipe import read_recipe
from cnnviz.text import printable

ENDINGS = frozenset({
    ".jpg", ".jpeg", ".jpe", ".jfif", ".mpo", ".png", ".apng", ".webp", ".gif", ".tif", ".tiff", ".bmp", ".dib",
    ".ppm", ".pgm", ".pbm", ".pnm", ".pfm", ".jp2", ".j2k", ".jpx", ".avif", ".ico", ".heic", ".heif",
})  # fmt: skip
VIDEOS = (".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".mpg", ".mpeg", ".ts", ".ogv", ".flv", ".wmv")
FIGURES = (*write.FORMATS, *write.VECTOR_FORMATS)
STREAM = re.compile(r"-|/dev/stdin|(?:/dev|/proc/self)/fd/\d+")


@dataclass(frozen=True)
class Job:
    """One input and where its result goes.

    ``source`` the path as it was found, "-" for standard input, or a network's name; ``folder`` its place below the
    folder that was named; ``output`` the file, "-" for standard output, None where nothing is written; ``second`` a
    second file; ``tree`` whether the folders of both are made when they are missing; ``trouble`` why it cannot be
    read; ``clip`` whether the result is a clip.
    """

    source: str
    folder: str = ""
    output: str | None = None
    second: str | None = None
    tree: bool = False
    trouble: str = ""
    clip: bool = False

    @property
    def stem(self) -> str:
        """The input's name without its ending; "stdin" for a stream."""
        return "stdin" if STREAM.fullmatch(self.source) else Path(self.source).stem

    @property
    def name(self) -> str:
        """The input's base name; "-" for a stream."""
        return "-" if STREAM.fullmatch(self.source) else Path(self.source).name


def find_inputs(inputs: Iterable[str], skip: Callable[[Path], bool] = lambda _: False) -> list[Job]:
    """Return a job for every input: files as given, folders walked in order of names.

    From a folder are taken the files that end like a picture or begin like one; hidden ones are left out, and so
    are those that ``skip`` names. A path given twice is taken once.
    """
    jobs: dict[str, Job] = {}
    for given in inputs:
        if not given:
            raise InvalidRequest("the name of an input is empty")
        if not os.path.isdir(given):
            jobs.setdefault(given, Job(given))
            continue
        found = [(path, trouble) for path, trouble in _walk(Path(given)) if trouble or not skip(path)]
        if not found:
            raise InvalidRequest(f"{printable(given)}: holds no pictures")
        for path, trouble in found:
            folder = "" if trouble else str(path.parent.relative_to(given))
            jobs.setdefault(str(path), Job(str(path), folder, trouble=trouble))
    return list(jobs.values())


def _walk(folder: Path) -> Iterator[tuple[Path, str]]:
    """Yield the pictures below a folder, and the folders that cannot be read with the reason."""
    closed: list[OSError] = []
    for root, folders, files in os.walk(folder, onerror=closed.append):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(files):
            path = Path(root) / name
            if not name.startswith(".") and (path.suffix.lower() in ENDINGS or _begins_like_picture(path)):
                yield path, ""
    for error in closed:
        yield Path(error.filename), (error.strerror or str(error)).lower()


def _begins_like_picture(path: Path) -> bool:
    from cnnviz.io.image_file import START, may_be_picture

    with contextlib.suppress(OSError):
        if stat.S_ISREG(path.stat().st_mode):
            with path.open("rb") as file:
                return may_be_picture(file.read(START))
    return False


def plan_jobs(
    inputs: Sequence[str], target: str | None, ending: str, endings: Sequence[str] = tuple(write.FORMATS)
) -> list[Job]:
    """Return a job for every input with its output: ``target`` is a file, a folder, "-" or None for here.

    Under a folder the input tree is mirrored, and a result is named after its input: STEM + ``ending``. Two inputs
    of one stem keep their whole names. ``endings`` are those a file may have. Results of an earlier run in an input
    folder are left out.
    """
    root = Path(target or ".")
    jobs = find_inputs(inputs, lambda path: is_folder(target) and _is_result(path, root, ending))
    return _name(jobs, target, ending, "-o", endings)


def plan_network_job(
    name: str, target: str | None, ending: str, endings: Sequence[str] = tuple(write.FORMATS)
) -> list[Job]:
    """Return the one job of a command over a network, which ``source`` names; its result is called after it."""
    if not is_folder(target):
        return _name([Job(name)], target, ending, "-o", endings)
    plain = re.sub(r"[^\w.-]", "-", name)  # timm:NAME has what some file systems lack
    return [Job(name, output=str(Path(target or ".") / (plain + ending)), tree=True)]


def add_second_file(jobs: Sequence[Job], target: str, ending: str, option: str) -> list[Job]:
    """Return the jobs with a second file each, planned as the first; ``option`` is what the user asked with."""
    pairs = zip(jobs, _name(jobs, target, ending, option, FIGURES), strict=True)
    return [replace(job, second=other.output, tree=job.tree or other.tree) for job, other in pairs]


def is_folder(target: str | None) -> bool:
    """Return whether results go to a folder: none is named, one that exists, or a name that ends in a slash."""
    return target is None or target.endswith("/") or os.path.isdir(target)


def _name(
    jobs: Sequence[Job], target: str | None, ending: str, option: str, endings: Sequence[str] = tuple(write.FORMATS)
) -> list[Job]:
    if not is_folder(target):
        asked = f"{option} {printable(str(target))}"
        if len(jobs) > 1:
            raise InvalidRequest(f"{asked}: {len(jobs)} inputs need a folder; end it with a slash")
        endings = (Path(ending).suffix,) if not ending.endswith((".png", ".mp4", ".mkv")) else endings
        if target not in write.STDOUT and not str(target).lower().endswith(tuple(endings)):
            raise InvalidRequest(f"{asked}: end the name in {', '.join(endings)}")
        return [replace(job, output="-" if target in write.STDOUT else target) for job in jobs]
    outputs = [Path(target or ".") / job.folder / (job.stem + ending) for job in jobs]
    times = Counter(outputs)
    named = []
    for job, path in zip(jobs, outputs, strict=True):
        own = path if times[path] == 1 else path.with_name(Path(job.source).name + ending)
        named.append(replace(job, output=str(own), tree=True))
    return named


def _is_result(path: Path, root: Path, ending: str) -> bool:
    """Return whether a file in an input folder is a result of an earlier run of the same command."""
    inside = Path(os.path.realpath(root)) in Path(os.path.realpath(path)).parents
    return inside and path.name.endswith(ending) and read_recipe(path) is not None


def refuse_clashes(jobs: Sequence[Job]) -> None:
    """Refuse, before any work, to write to an input or to write one file twice, whatever links lead there."""
    inputs = {mark for job in jobs for mark in _marks(job.source, 0)}
    taken: dict[str, str] = {}
    for job in jobs:
        for path in filter(None, (job.output, job.second)):
            if inputs & _marks(path, 1):
                raise InvalidRequest(f"{printable(path)}: is an input, and an input is never written to")
            place = path if path == "-" else os.path.realpath(path)
            if place in taken:
                both = f"{taken[place]} and {printable(job.source)}"
                raise InvalidRequest(f"{both} would both be written to {printable(path)}; run them apart")
            taken[place] = printable(job.source)


def _marks(path: str, stream: int) -> set[Any]:
    """Return what a file is known by: its real path, and its number on its disk, which hard links share."""
    known: set[Any] = set() if path == "-" else {os.path.realpath(path)}
    try:
        found = os.stat(stream if path == "-" else path)
    except OSError:
        return known
    return known | {(found.st_dev, found.st_ino)} if stat.S_ISREG(found.st_mode) else known


def numbered_files(output: str | None, count: int, *, overwrite: bool) -> list[str]:
    """Return the JPEG files beside a figure, best first, which may be written; none beside standard output."""
    if output is None or output in write.STDOUT:
        return []
    place = Path(output)
    files = [str(place.with_name(f"{place.stem}-{number}.jpg")) for number in range(1, count + 1)]
    for file in files:
        write.check_output(file, overwrite=overwrite)
    return files
