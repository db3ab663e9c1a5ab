"""Temporal consistency of a stylized clip: what its last frames predict for the next one, and where that is reliable.

Ruder, Dosovitskiy & Brox 2016, "Artistic style transfer for videos": warped frames (section 4.1), disoccluded regions
and motion boundaries (4.2), long-term consistency (4.3).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cnnviz.video import optical_flow
from cnnviz.video.clip_state import ClipState
from cnnviz.video.frame import Picture

Field = NDArray[np.float32]

OFFSETS = (1, 2, 4)  # J of section 4.3: how many frames before the warped ones are


@dataclass(frozen=True)
class FrameHistory(ClipState):
    """The last frames of a clip, K of them, the latest first: its own ``frames`` and the stylized ``images``.

    Both uint8 (K, H, W, 3); K is at most the largest of OFFSETS.
    """

    frames: Picture
    images: Picture

    @property
    def image(self) -> Picture:
        """The latest stylized frame, uint8 RGB (H, W, 3)."""
        return np.asarray(self.images[0], np.uint8)

    def followed_by(self, frame: Picture, image: Picture) -> "FrameHistory":
        """Return the history with one more frame, uint8 (H, W, 3), and its stylized image."""
        kept = max(OFFSETS) - 1
        frames, images = (np.concatenate([new[None], old[:kept]]) for new, old in
                          ((frame, self.frames), (image, self.images)))  # fmt: skip
        return FrameHistory(self.number + 1, frames, images)


@dataclass(frozen=True)
class Prediction:
    """What stylized frames, warped by the optical flow, predict for the next one.

    ``image``: float32 RGB (H, W, 3) in [0, 1]; ``reliable`` (H, W): c of eq. 7, whether a pixel was visible in one of
    the frames and is at no motion boundary. Elsewhere the image is black.
    """

    image: Field
    reliable: NDArray[np.bool_]


def predict(frame: Picture, history: FrameHistory) -> Prediction:
    """Return what the history predicts for ``frame``, the clip's next one, uint8 (H, W, 3) of 16 pixels a side or more.

    A pixel follows the latest of the frames in which it is reliable (section 4.3).
    """
    image, reliable = np.zeros(frame.shape, np.float32), np.zeros(frame.shape[:2], bool)
    for offset in (offset for offset in OFFSETS if offset <= len(history.frames)):
        flow, visible = optical_flow.optical_flow(frame, history.frames[offset - 1])
        new = visible & ~optical_flow.motion_boundaries(flow) & ~reliable
        image[new] = optical_flow.warp(history.images[offset - 1].astype(np.float32) / 255, flow)[new]
        reliable |= new
    return Prediction(image.clip(0, 1), reliable)
