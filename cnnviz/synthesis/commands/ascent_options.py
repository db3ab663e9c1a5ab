"""What the commands of this package share: settings from options, messages, intermediate results."""

from collections.abc import Callable
from dataclasses import fields
from typing import TYPE_CHECKING, Any, TypeVar, cast

from cnnviz.app.options import OutputOptions
from cnnviz.app.recorder import InputRecord
from cnnviz.app.session import Session
from cnnviz.app.snapshots import Snapshots

if TYPE_CHECKING:
    from cnnviz.synthesis.ascent import AscentStep

S = TypeVar("S")


def settings_of(settings: type[S], options: Any, **changes: Any) -> S:
    """Return an instance of a settings class with the values of the options of the same names."""
    names = [item.name for item in fields(settings) if hasattr(options, item.name)]  # type: ignore[arg-type]
    return settings(**{name: getattr(options, name) for name in names} | changes)


def stopped_note(done: int, of: int) -> tuple[str, ...]:
    """Return the note for a person about an optimisation that was stopped; none if it was not."""
    return () if done == of else (f"stopped after {done} of {of} steps; the image shows the state at that step",)


def snapshots(session: Session, output: str | None, source: InputRecord | None, every: int | None) -> (
    "Callable[[AscentStep], None] | None"
):  # fmt: skip
    """Return what writes every ``every``-th step beside the result; None without --save-every."""
    if every is None:
        return None
    overwrite = cast(OutputOptions, session.options).overwrite
    writer = Snapshots(str(output), every, overwrite, session.recipe(source))
    return lambda at: writer.write(at.step, at.of, at.tensor)
