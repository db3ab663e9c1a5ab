"""Temporally coherent stylization of a clip: what a stylizer adds to a frame is carried along by the optical flow.

After Ruder, Dosovitskiy & Brox 2016, "Artistic style transfer for videos", sections 4 and 5: each frame starts from the
last one, warped by the optical flow, where that was visible. Departure: only what the stylizer added to a frame is
warped, decayed and renewed with a few steps, so that the frame is never blurred, and no temporal loss is needed.
"""

from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cnnviz.video import optical_flow
from cnnviz.video.clip_state import ClipState
from cnnviz.video.frame import Picture

Field = NDArray[np.float32]

CUT = 0.4  # a frame of which less than this share was visible in the last one starts anew, as after a cut
RENEW_SHARE = 1 / 5  # of the steps, for a frame that continues from the last one
REFRESH = 0.1  # share of a new change that known pixels take
DECAY = 0.98  # share of their change that they keep
MAX_GAIN = 1.05  # largest factor per frame by which a weakened change is amplified again


class FrameStylizer(Protocol):
    """Stylizes one frame of a clip, such as a dream or a style transfer. Must not keep state between calls."""

    def __call__(self, start: Tensor, frame: Tensor, steps: int, number: int, /) -> Tensor:
        """Return the result of ``steps`` steps from ``start``, where ``frame`` is frame ``number`` of the clip.

        All three images are RGB (1, 3, H, W) in [0, 1]; numbers count from 0.
        """


@dataclass(frozen=True)
class CoherenceState(ClipState):
    """A stylized frame, and the change that the next one carries along.

    ``frame``: the clip's own, uint8 (H, W, 3); ``change``: what was added to it, float32 (H, W, 3), range 0 to 1;
    ``owed`` (H, W): the share of all steps that each pixel still lacks; ``strength`` and ``shift`` (3,): root mean
    square and mean of the change of the first frame, or the first after a cut.
    """

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


def renewal_steps(steps: int) -> int:
    """Return the steps of a frame that continues from the last one, where the first frame has ``steps``."""
    return max(1, round(steps * RENEW_SHARE))


def stylize_frame(
    frame: Picture, stylizer: FrameStylizer, steps: int, last: CoherenceState | None, device: torch.device | None = None
) -> CoherenceState:
    """Return the stylized frame, uint8 RGB (H, W, 3) of 16 pixels a side or more, after ``last``.

    ``steps`` for the first frame, where ``last`` is None, and the first after a cut; ``renewal_steps`` for others, of
    whose change known pixels take a share REFRESH and keep DECAY of their own, while newly visible pixels take all of
    it until they have had ``steps`` steps.
    """
    number = last.number + 1 if last else 0
    clean = frame.astype(np.float32) / np.float32(255)
    if last:
        flow, visible = optical_flow.optical_flow(frame, last.frame)
    if last is None or visible.mean() < CUT:
        change = _stylize(stylizer, clean, clean, steps, number, device) - clean
        owed = np.zeros(frame.shape[:2], np.float32)
        return CoherenceState(number, frame, change, owed, _rms(change), change.mean((0, 1)))
    carried = DECAY * optical_flow.warp(last.change, flow) * visible[..., None]
    owed = np.where(visible, np.clip(optical_flow.warp(last.owed, flow, sharp=False), 0, 1), 1).astype(np.float32)
    start, renew = np.clip(clean + carried, 0, 1), renewal_steps(steps)
    update = _stylize(stylizer, start, clean, renew, number, device) - start
    change = carried + np.where(owed > 0, np.maximum(owed, REFRESH), REFRESH)[..., None] * update
    owed = np.maximum(owed - renew / steps, 0).astype(np.float32)
    change = _normalize(change, clean, owed, last)
    return replace(last, number=number, frame=frame, change=change, owed=owed)


def _normalize(change: Field, clean: Field, owed: Field, last: CoherenceState) -> Field:
    """Return a change of a frame in 0 to 1 that, clipped to this range, has the first one's mean and strength."""
    settled = owed == 0
    strength = _rms(change[settled]) if settled.any() else last.strength
    change = change * np.float32(np.clip(last.strength / max(strength, 1e-6), 1 / MAX_GAIN, MAX_GAIN))
    for _ in range(2):  # the first shift clips other pixels
        clipped = np.clip(clean + change, 0, 1) - clean
        change = change + (last.shift - clipped.mean((0, 1)))
    return np.asarray(change, np.float32)


def _stylize(
    stylizer: FrameStylizer, start: Field, frame: Field, steps: int, number: int, device: torch.device | None
) -> Field:
    inputs = [torch.from_numpy(np.ascontiguousarray(x.transpose(2, 0, 1)))[None].to(device) for x in (start, frame)]
    result = stylizer(inputs[0], inputs[1], steps, number)[0].detach().float().cpu().numpy()
    return np.ascontiguousarray(result.transpose(1, 2, 0))


def _rms(values: Field) -> float:
    return float(np.sqrt(np.mean(np.square(values, dtype=np.float64))))
