"""The photos of ``cnnviz top-images``: found in folders, read when they are needed."""

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from cnnviz.app.jobs import Job, find_inputs
from cnnviz.app.recorder import InputRecord
from cnnviz.app.session import Session
from cnnviz.errors import InvalidRequest, MethodError
from cnnviz.io.recipe import read_recipe
from cnnviz.io.write import FORMATS, STDOUT
from cnnviz.text import printable

if TYPE_CHECKING:
    from torch import Tensor


class FolderImages:
    """Photos of folders as inputs of the network, in the order of their paths.

    ``jobs`` are the photos; ``digests`` the sha256 of those that were read. Results of cnnviz below ``results`` are
    left out.
    """

    def __init__(self, session: Session, folders: Sequence[str], results: Path) -> None:
        inside = Path(os.path.realpath(results))
        found = find_inputs(
            folders, lambda p: inside in Path(os.path.realpath(p)).parents and read_recipe(p) is not None
        )
        self.session, self.folders = session, folders
        self.jobs = sorted(found, key=lambda job: job.source)
        self.digests: dict[int, str] = {}

    def __len__(self) -> int:
        """Return how many photos there are."""
        return len(self.jobs)

    def __getitem__(self, number: int) -> "Tensor":
        """Return a photo as the network's input, (1, 3, h, w). Raises CnnvizError where it cannot be read."""
        job = self.jobs[number]
        if job.trouble:
            raise MethodError(job.trouble)
        photo = self.session.read(job)
        self.digests[number] = photo.record.sha256
        return self.session.fit(photo.image)[0]

    def record(self) -> InputRecord:
        """Return how a recipe records the photos: the first folder's name, the digest of all names and sizes."""
        listing = "".join(f"{job.folder}/{job.name}\0{_size(job)}\n" for job in self.jobs)
        digest = hashlib.sha256(listing.encode("utf-8", "surrogateescape")).hexdigest()
        return InputRecord(folder_name(self.folders), digest, len(self.jobs))


def folder_name(folders: Sequence[str]) -> str:
    """Return the name of the first folder."""
    return Path(os.path.realpath(folders[0])).name


def result_folder(folders: Sequence[str], output: str | None) -> Path:
    """Return the folder of the results. Raises InvalidRequest for a name that is not a folder's."""
    if output and (output in STDOUT or Path(output).suffix.lower() in FORMATS):
        raise InvalidRequest(f"-o {printable(output)}: there are several results; name a folder, such as figure-2/")
    return Path(output or f"{folder_name(folders)}-top-images")


def _size(job: Job) -> int:
    try:
        return os.stat(job.source).st_size
    except OSError:
        return -1
