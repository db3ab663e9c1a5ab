"""Temporally coherent stylization of a clip: what a stylizer adds to a frame is carried along by the optical flow.

After Ruder, Dosovitskiy & Brox 2016, "Artistic style transfer for videos", sections 4 and 5: each frame starts from the
last one, warped by the optical flow, where that was visible. Departure: only the change (what the stylizer added to a
frame) is warped, decayed and renewed with a few steps, so that the frame itself is never blurred, and no temporal loss
is needed.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cnnviz.video import optical_flow

Picture = NDArray[np.uint8]
Field = NDArray[np.float32]

CUT = 0.4  # a frame of which less than this share was visible in the last one starts anew, as after a cut
MAX_GAIN = 1.05  # largest factor per frame by which a weakened change is amplified again


class FrameStylizer(Protocol):
    """Stylizes one frame of a clip, such as a dream or a style transfer. Must not keep state between calls."""

    def __call__(self, start: Tensor, frame: Tensor, steps: int, number: int, /) -> Tensor:
        """Return the result of ``steps`` steps from ``start``, where ``frame`` is frame ``number`` of the clip.

        All three images are RGB (1, 3, H, W) in [0, 1]; numbers count from 0.
        """


@dataclass(frozen=True)
class CoherenceSettings:
    """How the change is carried from frame to frame.

    ``steps`` for the first frame, and the first after a cut; ``renew`` steps for every other frame, of whose change
    known pixels take a share ``refresh`` and keep ``decay`` of their own, while newly visible pixels take all of it
    until they have had ``steps`` steps.
    """

    steps: int = 10
    renew: int = 2
    refresh: float = 0.1
    decay: float = 0.98


@dataclass(frozen=True)
class CoherenceState:
    """A stylized frame, and all that the next one is computed from: a clip can be continued from it, bit for bit.

    ``number`` of the frame; ``frame``: the clip's own, uint8 (H, W, 3); ``change``: what was added to it, float32
    (H, W, 3), range 0 to 1; ``owed`` (H, W): the share of all steps that each pixel still lacks; ``strength`` and
    ``shift`` (3,): root mean square and mean of the change of the first frame, or the first after a cut.
    """

    number: int
    frame: Picture
    change: Field
    owed: Field
    strength: float
    shift: Field

    @property
    def image(self) -> Picture:
        """The stylized frame, uint8 RGB (H, W, 3)."""
        values: Field = np.clip(self.frame + 255 * self.change, 0, 255)
        return np.rint(values).astype(np.uint8)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return the state as named arrays, to be stored."""
        return {field.name: np.asarray(getattr(self, field.name)) for field in fields(self)}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> "CoherenceState":
        """Return the state that ``arrays()`` stored."""
        number, strength = int(arrays["number"]), float(arrays["strength"])
        return cls(number, arrays["frame"], arrays["change"], arrays["owed"], strength=strength, shift=arrays["shift"])


STATE_ARRAYS = tuple(field.name for field in fields(CoherenceState))


def stylize_clip(
    frames: Iterable[Picture],
    stylizer: FrameStylizer,
    settings: CoherenceSettings = CoherenceSettings(),
    *,
    state: CoherenceState | None = None,
    device: torch.device | None = None,
) -> Iterator[CoherenceState]:
    """Yield a clip's stylized frames, coherent over time and of constant strength.

    ``frames``: uint8 RGB (H, W, 3), all of one size, 16 pixels a side or more. With ``state`` they are the frames after
    ``state.number``.
    """
    for frame in frames:
        state = stylize_frame(frame, stylizer, settings, state, device)
        yield state


def stylize_frame(
    frame: Picture,
    stylizer: FrameStylizer,
    settings: CoherenceSettings,
    last: CoherenceState | None,
    device: torch.device | None = None,
) -> CoherenceState:
    """Return the stylized frame after ``last``; the first frame of a clip if that is None."""
    if last is None:
        return _start(frame, stylizer, settings.steps, 0, device)
    number = last.number + 1
    flow, visible = optical_flow.optical_flow(frame, last.frame)
    if visible.mean() < CUT:
        return _start(frame, stylizer, settings.steps, number, device)
    clean = _unit_range(frame)
    carried = settings.decay * optical_flow.warp(last.change, flow) * visible[..., None]
    owed = np.where(visible, np.clip(optical_flow.warp(last.owed, flow, sharp=False), 0, 1), 1).astype(np.float32)
    start = np.clip(clean + carried, 0, 1)
    update = _stylize(stylizer, start, clean, settings.renew, number, device) - start
    share = np.where(owed > 0, np.maximum(owed, settings.refresh), settings.refresh)[..., None]
    owed = np.maximum(owed - settings.renew / settings.steps, 0).astype(np.float32)
    return _normalize(replace(last, number=number, frame=frame, change=carried + share * update, owed=owed))


def _start(
    frame: Picture, stylizer: FrameStylizer, steps: int, number: int, device: torch.device | None
) -> CoherenceState:
    clean = _unit_range(frame)
    change = _stylize(stylizer, clean, clean, steps, number, device) - clean
    shift = change.mean((0, 1))
    return CoherenceState(number, frame, change, np.zeros(frame.shape[:2], np.float32), _rms(change), shift)


def _normalize(state: CoherenceState) -> CoherenceState:
    """Return a state whose change, clipped to the range of the image, has the first one's mean and strength."""
    change, clean = state.change, _unit_range(state.frame)
    settled = state.owed == 0
    strength = _rms(change[settled]) if settled.any() else state.strength
    change = change * np.float32(np.clip(state.strength / max(strength, 1e-6), 1 / MAX_GAIN, MAX_GAIN))
    for _ in range(2):  # the first shift clips other pixels
        clipped = np.clip(clean + change, 0, 1) - clean
        change = change + (state.shift - clipped.mean((0, 1)))
    return replace(state, change=np.asarray(change, np.float32))


def _unit_range(frame: Picture) -> Field:
    return frame.astype(np.float32) / np.float32(255)


def _stylize(
    stylizer: FrameStylizer, start: Field, frame: Field, steps: int, number: int, device: torch.device | None
) -> Field:
    inputs = [torch.from_numpy(np.ascontiguousarray(x.transpose(2, 0, 1)))[None].to(device) for x in (start, frame)]
    result = stylizer(inputs[0], inputs[1], steps, number)[0].detach().float().cpu().numpy()
    return np.ascontiguousarray(result.transpose(1, 2, 0))


def _rms(values: Field) -> float:
    return float(np.sqrt(np.mean(np.square(values, dtype=np.float64))))
