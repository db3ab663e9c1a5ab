"""What the commands of this package share: settings from options, messages, intermediate results."""

from collections.abc import Callable, Sequence
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

from cnnviz.app.options import OutputOptions, ReadingOptions
from cnnviz.app.recorder import InputRecord
from cnnviz.app.session import Session
from cnnviz.errors import InvalidRequest, MethodError, PhotoError
from cnnviz.io import write
from cnnviz.text import printable

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from cnnviz.synthesis.ascent import AscentStep

S = TypeVar("S")


def settings_of(settings: type[S], options: Any) -> S:
    """Return an instance of a settings class with the values of the options of the same names."""
    names = [item.name for item in fields(settings) if hasattr(options, item.name)]  # type: ignore[arg-type]
    return settings(**{name: getattr(options, name) for name in names})


def read_images(paths: Sequence[str], options: ReadingOptions) -> "list[NDArray[np.uint8]]":
    """Return images that an option names, (H, W, 3). Raises MethodError with the name of one that cannot be read."""
    from cnnviz.io.photo import read_photo

    images = []
    for path in paths:
        try:
            images.append(read_photo(path, max_pixels=options.max_pixels, background=options.background))
        except PhotoError as error:
            raise MethodError(f"{printable(path)}: {error}") from error
    return images


def stopped_note(done: int, of: int) -> tuple[str, ...]:
    """Return the note for a person about an optimisation that was stopped; none if it was not."""
    return () if done == of else (f"stopped after {done} of {of} steps; the image shows the state at that step",)


def snapshots(session: Session, output: str | None, source: InputRecord | None, every: int | None) -> (
    "Callable[[AscentStep], None] | None"
):  # fmt: skip
    """Return what writes every ``every``-th step but the last beside the result; None without --save-every."""
    if every is None:
        return None
    overwrite, recipe = cast(OutputOptions, session.options).overwrite, session.recipe(source)

    def write_step(at: "AscentStep") -> None:
        if at.step % every or at.step == at.of:
            return
        from cnnviz.io.convert import to_image

        path = snapshot_path(str(output), at.step, at.of)
        write.check_output(path, overwrite=overwrite)
        write.write_image(path, to_image(at.tensor()), recipe | {"numbers": {"steps_done": at.step}})

    return write_step


def snapshot_path(path: str, step: int, of: int) -> str:
    """Return the file of a step: that of cat-dream.png at step 8 of 40 is cat-dream-08.png."""
    place = Path(path)
    return str(place.with_name(f"{place.stem}-{step:0{len(str(of))}}{place.suffix}"))


def check_snapshots(every: int | None, output: str | None) -> None:
    """Raise InvalidRequest for intermediate results of a result that goes to standard output."""
    if every is not None and output in write.STDOUT:
        raise InvalidRequest("--save-every writes files beside the result, which -o - does not have")
    if every is not None and str(output).lower().endswith(write.VECTOR_FORMATS):
        raise InvalidRequest("--save-every writes images: end the name of -o in .png, .jpg or .webp")
