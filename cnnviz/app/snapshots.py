"""Intermediate results of an optimisation, written beside the last one: ``--save-every``."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cnnviz.errors import InvalidRequest
from cnnviz.io import write

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Snapshots:
    """Writes every ``every``-th step beside ``output``, the result's file, with the ``recipe`` and the step in it."""

    output: str
    every: int
    overwrite: bool
    recipe: Mapping[str, Any]

    def write(self, step: int, of: int, tensor: "Callable[[], Tensor]") -> None:
        """Write the image that ``tensor`` returns, (1, 3, H, W) in [0, 1], if the step is an N-th one, but the last."""
        if step % self.every or step == of:
            return
        from cnnviz.io.convert import to_image

        path = snapshot_path(self.output, step, of)
        write.check_output(path, overwrite=self.overwrite)
        write.write_image(path, to_image(tensor()), {**self.recipe, "numbers": {"steps_done": step}})


def snapshot_path(path: str, step: int, of: int) -> str:
    """Return the file of a step: that of cat-dream.png at step 8 of 40 is cat-dream-08.png."""
    place = Path(path)
    return str(place.with_name(f"{place.stem}-{step:0{len(str(of))}}{place.suffix}"))


def check_snapshots(every: int | None, output: str | None) -> None:
    """Raise InvalidRequest for intermediate results of a result that goes to standard output."""
    if every is not None and output in write.STDOUT:
        raise InvalidRequest("--save-every writes files beside the result, which -o - does not have")
