"""The search of ``cnnviz top-images``: photos in folders, those that fail reported, results kept for --resume."""

import hashlib
import os
import time
from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cnnviz.app.jobs import Job, find_inputs
from cnnviz.app.recorder import InputRecord
from cnnviz.app.records import print_line
from cnnviz.app.resume import StopRequest, find_partial, keep_partial
from cnnviz.app.runner import json_line
from cnnviz.app.session import Session
from cnnviz.errors import CnnvizError, MethodError, Status
from cnnviz.features.commands.projection_options import FolderOptions, ProjectionMethod, folder_name
from cnnviz.io.recipe import read_recipe
from cnnviz.text import printable

if TYPE_CHECKING:
    from torch import Tensor

    from cnnviz.features.top_activations import TopActivations

KEPT = ("values", "numbers", "places", "widths", "taken")
DRAWING = ("channel", "method", "other_activations", "receptive_field")  # options that the search does not depend on
KEEP_EVERY = 30.0  # seconds


class FolderImages:
    """Photos of folders as inputs of the network, in the order of their paths.

    ``jobs`` are the photos; ``digests`` the sha256 of those that were read. Results of cnnviz below ``results`` are
    left out.
    """

    def __init__(self, session: Session, folders: Sequence[str], results: Path) -> None:
        inside = Path(os.path.realpath(results))

        def is_result(path: Path) -> bool:
            return inside in Path(os.path.realpath(path)).parents and read_recipe(path) is not None

        self.session, self.folders = session, folders
        self.jobs = sorted(find_inputs(folders, is_result), key=lambda job: job.source)
        self.digests: dict[int, str] = {}

    def read(self, number: int) -> "Tensor":
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


def _size(job: Job) -> int:
    try:
        return os.stat(job.source).st_size
    except OSError:
        return -1


class FolderSearch:
    """One search: ``images`` in folders, the folder of results ``root``, and the exit ``statuses`` so far.

    ``method`` of the projections: that of the options, until it is known which one the network has by default.
    """

    def __init__(self, session: Session, options: FolderOptions) -> None:
        self.session, self.options = session, options
        self.method: ProjectionMethod = options.method or "deconvnet"
        self.root = options.result_folder()
        self.images = FolderImages(session, options.inputs, self.root)
        self.record = self.images.record()
        self.statuses: set[Status] = {Status.OK}
        self.failed = 0
        self._kept = time.monotonic()

    @cached_property
    def layer(self) -> str:
        """The layer of --layer, or the network's default."""
        return self.session.deep_layer(self.options.layer)

    def file(self, ending: str) -> Path:
        """Return the path of a result: the layer's name, and an ending."""
        return self.root / f"{self.layer}{ending}"

    def recipe(self, numbers: dict[str, Any]) -> dict[str, Any]:
        """Return the recipe of a result of all photos."""
        return self.session.recipe(self.record) | {"numbers": numbers}

    def _search_recipe(self) -> dict[str, Any]:
        """Return the recipe of the search alone, whatever is drawn of it."""
        recipe = self.recipe({})
        return recipe | {"options": {key: value for key, value in recipe["options"].items() if key not in DRAWING}}

    def best(self, stop: StopRequest) -> "TopActivations | None":
        """Return each channel's strongest photos, continuing a stopped search with --resume; None without any."""
        from cnnviz.features.top_activations import top_activations
        from cnnviz.features.top_images import readable_images

        known, count = self._known(), len(self.images.jobs)
        self._kept = time.monotonic()
        images = readable_images(self.images.read, range(known.last + 1 if known else 0, count), self.fail)
        with self.session.console.progress("searching", "photos") as control:
            return top_activations(
                self.session.network, images, layer=self.layer, top=self.options.top, known=known, total=count,
                on_batch=self._keep_sometimes, on_failure=self.fail, control=replace(control, stopped=stop),
            )  # fmt: skip

    def _known(self) -> "TopActivations | None":
        if not self.options.resume:
            return None
        kept = find_partial(self.file(".partial.npz"), self._search_recipe(), self.session.console, KEPT)
        if kept is None:
            return None
        import torch

        from cnnviz.features.top_activations import TopActivations

        values, numbers, places, widths, taken = (torch.from_numpy(kept[key]) for key in KEPT)
        done, last, self.failed = taken.tolist()
        if self.failed:
            self.statuses.add(Status.FAILED)
            self.session.console.note(f"{self.failed} photos failed before")
        return TopActivations(values, numbers, places, widths, done, last)

    def keep(self, best: "TopActivations") -> None:
        """Keep what is found so far, for --resume."""
        import numpy as np

        arrays = {key: getattr(best, key).numpy() for key in KEPT[:4]}
        arrays["taken"] = np.array([best.done, best.last, self.failed])
        keep_partial(self.file(".partial.npz"), arrays, self._search_recipe())

    def _keep_sometimes(self, best: "TopActivations") -> None:
        if time.monotonic() - self._kept > KEEP_EVERY:
            self.keep(best)
            self._kept = time.monotonic()

    def fail(self, number: int, error: CnnvizError) -> None:
        """Report a photo that failed; the search goes on."""
        self.statuses.add(error.status)
        self.failed += 1
        job = self.images.jobs[number]
        text = f"{printable(job.source)}: {error}"
        self.session.console.error(text)
        if self.options.json:
            print_line(json_line(self.session, job, error=text))
