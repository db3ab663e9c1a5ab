"""A clip through a picture function, frame by frame and yet of one piece: what it adds is carried along by the flow.

After Ruder, Dosovitskiy & Brox 2016, "Artistic style transfer for videos", sections 4 and 5: each frame begins with
the one before, warped by the optical flow, where that could be seen. Here it is the hallucination alone (what the
function added to a frame) that is warped, decayed and renewed with a few steps, so that the frame itself is never
blurred, and no temporal loss is needed.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cnnviz.video import optical_flow

Picture = NDArray[np.uint8]
Field = NDArray[np.float32]
# dream(start, frame, steps, number): the picture that ``steps`` steps from ``start`` lead to, where ``frame`` is the
# clip's own picture and ``number`` counts its frames from 0 (for seeds, and for layers that change along the clip).
# All pictures are RGB (1, 3, H, W) in [0, 1]. It must not remember anything from call to call.
FrameStylizer = Callable[[Tensor, Tensor, int, int], Tensor]

CUT = 0.4  # a frame of which less than this share was to be seen before begins anew, as after a cut
GAIN = 1.05  # how much of a hallucination's lost strength is given back in one frame at most


@dataclass(frozen=True)
class CoherenceState:
    """What the next frame is made from; with it a film goes on where it stopped, to the same bytes.

    ``number``: the frame done last; ``frame``: the clip's own, uint8 (H, W, 3); ``hallucination``: what was added to
    it, float32 (H, W, 3), on the scale of 0 to 1; ``owed`` (H, W): the share of all steps that each pixel still lacks;
    ``strength`` and ``shift`` (3,): rms and mean of the hallucination of the first frame, or the first after a cut.
    """

    number: int
    frame: Picture
    hallucination: Field
    owed: Field
    strength: float
    shift: Field

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return the state as named arrays, to be kept on disk."""
        return {field.name: np.asarray(getattr(self, field.name)) for field in fields(self)}

    @classmethod
    def restored(cls, arrays: Mapping[str, NDArray[Any]]) -> "CoherenceState":
        """Return the state that ``arrays`` were made of."""
        number, strength = int(arrays["number"]), float(arrays["strength"])
        return cls(
            number, arrays["frame"], arrays["hallucination"], arrays["owed"], strength=strength, shift=arrays["shift"]
        )


@dataclass(frozen=True)
class StylizedFrame:
    """A finished frame: uint8 RGB (H, W, 3), and the state after it."""

    picture: Picture
    state: CoherenceState


def stylize_clip(
    frames: Iterable[Picture],
    dream: FrameStylizer,
    *,
    steps: int = 10,
    renew: int = 2,
    refresh: float = 0.1,
    decay: float = 0.98,
    state: CoherenceState | None = None,
    device: torch.device | None = None,
) -> Iterator[StylizedFrame]:
    """Yield a clip's frames with what ``dream`` adds to them, coherent over time and of constant strength.

    ``frames``: uint8 RGB (H, W, 3), all of one size, 16 pixels a side or more. The first, and the first after a cut,
    get all ``steps``; each other one gets ``renew`` steps from the warped hallucination: what could not be seen before
    takes all of their change until it has had its ``steps``, what could be seen takes a share ``refresh`` of it and
    keeps ``decay`` of its own. Mean and strength are then those of the first frame. With ``state`` the ``frames`` given
    are those after ``state.number``.
    """
    for frame in frames:
        if state is None:
            state = _begin(frame, dream, steps, 0, device)
        else:
            state = _go_on(frame, dream, state, steps, renew, (refresh, decay), device)
        yield StylizedFrame(_picture(state), state)


def _begin(
    frame: Picture, dream: FrameStylizer, steps: int, number: int, device: torch.device | None
) -> CoherenceState:
    clean = _clean(frame)
    added = _call(dream, clean, clean, steps, number, device) - clean
    shift = added.mean((0, 1))
    return CoherenceState(number, frame, added, np.zeros(frame.shape[:2], np.float32), _rms(added), shift)


def _go_on(
    frame: Picture, dream: FrameStylizer, last: CoherenceState, steps: int, renew: int, rates: tuple[float, float],
    device: torch.device | None,
) -> CoherenceState:  # fmt: skip
    refresh, decay = rates
    number = last.number + 1
    back, seen = optical_flow.optical_flow(frame, last.frame)
    if seen.mean() < CUT:
        return _begin(frame, dream, steps, number, device)
    clean = _clean(frame)
    carried = decay * optical_flow.warp(last.hallucination, back) * seen[..., None]
    owed = np.where(seen, np.clip(optical_flow.warp(last.owed, back, sharp=False), 0, 1), 1).astype(np.float32)
    start = np.clip(clean + carried, 0, 1)
    change = _call(dream, start, clean, renew, number, device) - start
    share = np.where(owed > 0, np.maximum(owed, refresh), refresh)[..., None]
    owed = np.maximum(owed - renew / steps, 0).astype(np.float32)
    state = replace(last, number=number, frame=frame, hallucination=carried + share * change, owed=owed)
    return _held(state)


def _held(state: CoherenceState) -> CoherenceState:
    """Return a state whose hallucination has the first one's mean and strength, as it shows between black and white."""
    added, clean = state.hallucination, _clean(state.frame)
    settled = state.owed == 0
    strength = _rms(added[settled]) if settled.any() else state.strength
    added = added * np.float32(np.clip(state.strength / max(strength, 1e-6), 1 / GAIN, GAIN))
    for _ in range(2):  # a second time, for what the first pushed past black and white
        shown = np.clip(clean + added, 0, 1) - clean
        added = added + (state.shift - shown.mean((0, 1)))
    return replace(state, hallucination=np.asarray(added, np.float32))


def _clean(frame: Picture) -> Field:
    return frame.astype(np.float32) / np.float32(255)


def _picture(state: CoherenceState) -> Picture:
    shown: Field = np.clip(state.frame + 255 * state.hallucination, 0, 255)
    return np.rint(shown).astype(np.uint8)


def _call(
    dream: FrameStylizer, start: Field, frame: Field, steps: int, number: int, device: torch.device | None
) -> Field:
    inputs = [torch.from_numpy(np.ascontiguousarray(x.transpose(2, 0, 1)))[None].to(device) for x in (start, frame)]
    result = dream(inputs[0], inputs[1], steps, number)[0].detach().float().cpu().numpy()
    return np.ascontiguousarray(result.transpose(1, 2, 0))


def _rms(values: Field) -> float:
    return float(np.sqrt(np.mean(np.square(values, dtype=np.float64))))
