"""The search of ``cnnviz top-images``: photos that fail are reported, results kept for --resume."""

import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cnnviz.app.records import print_line
from cnnviz.app.resume import StopRequest, find_partial, keep_partial
from cnnviz.app.runner import json_line
from cnnviz.app.session import Session
from cnnviz.errors import CnnvizError, Status
from cnnviz.features.commands.folder_images import FolderImages, result_folder
from cnnviz.features.commands.projection_options import FolderOptions
from cnnviz.text import printable

if TYPE_CHECKING:
    from cnnviz.features.top_activations import TopActivations

KEPT = ("values", "numbers", "places", "widths", "taken")
DRAWING = ("channel", "method", "other_activations", "receptive_field")  # options that the search does not depend on
KEEP_EVERY = 30.0  # seconds


class FolderSearch:
    """One search: ``images`` in folders, the folder of results ``root``, and the exit ``statuses`` so far."""

    def __init__(self, session: Session, options: FolderOptions) -> None:
        self.session, self.options = session, options
        self.layer = str(options.layer)
        self.root = result_folder(options.inputs, options.output)
        self.images = FolderImages(session, options.inputs, self.root)
        self.record = self.images.record()
        self.statuses: set[Status] = {Status.OK}
        self.failed = 0
        self._kept = time.monotonic()

    def file(self, ending: str) -> Path:
        """Return the path of a result: the layer's name, and an ending."""
        return self.root / f"{self.layer}{ending}"

    def recipe(self, numbers: dict[str, Any]) -> dict[str, Any]:
        """Return the recipe of a result of all photos."""
        return self.session.recipe(self.record, numbers)

    def _search_recipe(self) -> dict[str, Any]:
        """Return the recipe of the search alone, whatever is drawn of it."""
        recipe = self.recipe({})
        return recipe | {"options": {key: value for key, value in recipe["options"].items() if key not in DRAWING}}

    def best(self, stop: StopRequest) -> "TopActivations | None":
        """Return each map's strongest photos, continuing a stopped search with --resume; None where there are none."""
        from cnnviz.features.top_images import search_images

        known = self._known()
        self._kept = time.monotonic()
        with self.session.progress("searching", "photos") as control:
            return search_images(
                self.session.network, self.images, layer=self.layer, k=self.options.top, known=known,
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

        arrays = [torch.from_numpy(kept[key]) for key in KEPT]
        done, last, self.failed = arrays[4].tolist()
        if self.failed:
            self.statuses.add(Status.FAILED)
            self.session.console.note(f"{self.failed} photos failed before")
        return TopActivations(arrays[0], arrays[1], arrays[2], arrays[3], done, last)

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
