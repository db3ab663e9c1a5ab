"""Clips made frame by frame, each frame from the state that the one before left."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, Self, TypeVar

import numpy as np
from numpy.typing import NDArray

from cnnviz.control import Control
from cnnviz.errors import PhotoError
from cnnviz.io.convert import resize_long_side
from cnnviz.io.image_file import MAX_PIXELS
from cnnviz.video.clip import read_clip, write_clip
from cnnviz.video.frame import Clip, Frame, Picture

MIN_SIDE = 16  # pixels of a frame's shorter side that optical flow requires


@dataclass(frozen=True)
class ClipState(ABC):
    """A finished frame, and all that the next one is computed from: a clip can be continued from it, bit for bit.

    The fields are numbers and arrays; ``number`` of the frame, from 0.
    """

    number: int

    @property
    @abstractmethod
    def image(self) -> Picture:
        """The finished frame, uint8 RGB (H, W, 3)."""

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return the state as named arrays, to be stored."""
        return {name: np.asarray(getattr(self, name)) for name in self.names()}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> Self:
        """Return the state that ``arrays()`` stored."""
        values: dict[str, Any] = {name: arrays[name] for name in cls.names()}
        return cls(**{name: value if value.ndim else value.item() for name, value in values.items()})

    @classmethod
    def names(cls) -> tuple[str, ...]:
        """Return the names of the arrays."""
        return tuple(field.name for field in fields(cls))


S = TypeVar("S", bound=ClipState)
# A frame of the clip, uint8 RGB (H, W, 3), and the state before it, None for the first -> the state after it.
Advance = Callable[[Picture, S | None], S]


def open_clip(path: str | Path, long_side: int | None, *, max_pixels: int = MAX_PIXELS) -> tuple[Clip, Picture]:
    """Return the clip in a file, and its first frame, resized.

    Raises PhotoError if it is not a clip, or its frames are larger than ``max_pixels`` or too small for optical flow.
    """
    clip = read_clip(path, max_pixels=max_pixels)
    image = resize_long_side(next(clip.frames()).picture, long_side)
    if (side := min(image.shape[:2])) < MIN_SIDE:
        raise PhotoError(f"has frames of {side} pixels a side; a clip needs {MIN_SIDE}: see --long-side")
    return clip, image


def make_clip_file(path: str | Path, output: str | Path, advance: Advance[S], control: Control = Control()) -> None:
    """Write the clip of the states' images, with the times and the sound of the clip in ``path``.

    Reports (done, frames) to ``control``; after ``control.stopped()`` the clip ends there. Raises PhotoError if
    ``path`` is not a clip, OutputError if the result cannot be written, InvalidRequest for another ending.
    """
    clip = read_clip(path)
    count = clip.count or sum(1 for _ in clip.frames())

    def frames() -> Iterator[Frame]:
        state: S | None = None
        for done, frame in enumerate(clip.frames(), 1):
            state = advance(frame.picture, state)
            control.report(done, count)
            yield replace(frame, picture=state.image)
            if control.stopped():
                return

    sound = Path(path) if clip.sound else None
    write_clip(str(output), frames(), rate=clip.rate, time_base=clip.time_base, recipe={}, sound_from=sound,
               note=control.note)  # fmt: skip
