"""The photos of ``visualize --examples``: found, searched for each channel's strongest patches, and reported."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from cnnviz.app.jobs import Job, find_inputs
from cnnviz.app.records import field
from cnnviz.app.session import Session
from cnnviz.control import Control
from cnnviz.io.recipe import read_recipe
from cnnviz.text import printable

if TYPE_CHECKING:
    from cnnviz.features.top_images import TopImages

PATCHES = 3  # of each channel


@dataclass(frozen=True, kw_only=True)
class PatchRecord:
    """JSON fields of one patch."""

    file: str = field("The photo as found.", recorded=False)
    sha256: str = field("Its digest.")
    position: list[int] = field("Position of its strongest unit on the map: y, x.", minItems=2, maxItems=2)
    activation: float = field("Activation of the unit, after rectification.", minimum=0)
    box: list[int] = field("The part shown: top, left, bottom, right on the input.", minItems=4, maxItems=4)


@dataclass(frozen=True)
class Examples:
    """Photos that were searched: ``jobs`` by number, and what was ``found`` in them."""

    jobs: Sequence[Job]
    found: "TopImages"

    @property
    def used(self) -> list[Path]:
        """The photos that could be read: the result depends on them."""
        return [Path(job.source) for number, job in enumerate(self.jobs) if number not in self.found.failures]

    def records(self, channels: Sequence[int]) -> list[list[PatchRecord]]:
        """Return the JSON fields of the channels' patches."""
        from cnnviz.models.weights import sha256

        return [[
            PatchRecord(file=self.jobs[hit.number].source, sha256=sha256(Path(self.jobs[hit.number].source)),
                        position=list(hit.position), activation=round(hit.activation, 6), box=list(hit.region.box))
            for hit in self.found.channels[channel]
        ] for channel in channels]  # fmt: skip


def search_examples(
    session: Session, paths: Sequence[str], layer: str, channels: Sequence[int], control: Control
) -> Examples | None:
    """Search photos and folders for the strongest patches of channels; None where ``control`` asked to stop.

    Photos that cannot be read are reported and left out; in folders, so are results of cnnviz. Raises as ``top_images``
    does.
    """
    from cnnviz.features.projections import ProjectionSettings
    from cnnviz.features.top_images import top_images

    jobs = find_inputs(paths, lambda path: read_recipe(path) is not None)
    settings = ProjectionSettings(layer, "deconvnet", other_activations="gradient", receptive_field="effective")
    with session.console.progress("searching", "photos") as progress:
        found = top_images(
            session.network, [job.source for job in jobs], layer=layer, channels=channels, k=PATCHES, settings=settings,
            control=replace(progress, stopped=control.stopped),
        )  # fmt: skip
    for number, reason in found.failures.items():
        session.console.error(f"{printable(jobs[number].source)}: {jobs[number].trouble or reason}")
    return Examples(jobs, found) if found.channels else None
