"""Class heat maps of a clip, without flicker: each map is averaged with the one before, carried along by the flow.

Long, Shelhamer & Darrell 2015 for a map (see ``heat``); warped frames and where they are reliable as in Ruder,
Dosovitskiy & Brox 2016, "Artistic style transfer for videos", sections 4.1 and 4.2.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cnnviz.dense.heat import HeatGrid, combine_grids, heat_grid, whole_geometry
from cnnviz.errors import PhotoError
from cnnviz.io.convert import resize_long_side
from cnnviz.models.network import Network, require_finite
from cnnviz.models.preprocess import fit, to_inputs
from cnnviz.video import optical_flow
from cnnviz.video.clip_state import MIN_SIDE, ClipState
from cnnviz.video.coherence import CUT
from cnnviz.video.frame import Clip, Picture

Maps = NDArray[np.float32]

KEEP = 0.75  # share of the earlier maps in a smoothed one
SURVEYED = 12  # frames, evenly spaced, that the classes and the scale of a clip are taken from
FLOW_SIDE = 512  # longer side, in pixels, of the frames of the flow and of the maps, which have no finer detail


@dataclass(frozen=True)
class HeatState(ClipState):
    """A frame with its maps over it, and what the next one is smoothed with.

    ``small``: the frame as the flow takes it, uint8 (h, w, 3); ``maps``: smoothed, (targets, h, w); ``drawn``: uint8.
    """

    small: Picture
    maps: Maps
    drawn: Picture

    @property
    def image(self) -> Picture:
        """The frame with its maps over it, uint8 RGB."""
        return self.drawn


@dataclass(frozen=True)
class HeatSurvey:
    """What holds for a whole clip.

    ``probabilities`` (classes,): the mean over frames, of the ordinary input; ``targets``: those given, or the most
    probable class; ``largest``: absolute value of the maps; ``grids`` of one frame.
    """

    probabilities: Tensor
    targets: tuple[int, ...]
    largest: float
    grids: tuple[HeatGrid, ...]


@dataclass(frozen=True)
class HeatClip:
    """Computes the maps of a clip's frames, one after the other, and lets ``draw`` draw them over the frame.

    ``targets``, ``sizes`` and ``stride`` as in ``heat``; ``draw`` gets a frame (H, W, 3) and maps (targets, h, w).
    """

    network: Network
    targets: Sequence[int]
    draw: Callable[[Picture, Maps], Picture]
    sizes: Sequence[int] = (448,)
    stride: int | None = None

    def __call__(self, frame: Picture, last: HeatState | None) -> HeatState:
        """Return the state of the next frame, uint8 (H, W, 3)."""
        small = small_frame(frame)
        maps = combine_grids(frame_grids(self.network, frame, self.targets, self.sizes, self.stride), small.shape[:2])
        maps = smooth_maps(maps, small, last) if last else maps
        return HeatState(last.number + 1 if last else 0, small, maps, self.draw(frame, maps))


def smooth_maps(maps: Maps, small: Picture, last: HeatState) -> Maps:
    """Return maps (targets, h, w) averaged with the last ones, warped, where the flow to those is reliable.

    Where it is for less than a share CUT of the frame, as after a cut, the maps are the frame's own.
    """
    flow, visible = optical_flow.optical_flow(small, last.small)
    reliable = visible & ~optical_flow.motion_boundaries(flow)
    if reliable.mean() < CUT:
        return maps
    earlier = np.stack([optical_flow.warp(values, flow, sharp=False) for values in last.maps])
    return maps + np.float32(KEEP) * reliable * (earlier - maps)


def survey_clip(
    network: Network, clip: Clip, targets: Sequence[int] | None, sizes: Sequence[int], stride: int | None, fit_mode: str
) -> HeatSurvey:
    """Return the classes and the largest value of a clip, from SURVEYED of its frames; arguments as in ``heat``."""
    frames = _surveyed(clip)
    if min(small_frame(frames[0]).shape[:2]) < MIN_SIDE:
        height, width = frames[0].shape[:2]
        raise PhotoError(f"has frames of {width}x{height} pixels, too narrow for the optical flow of a clip")
    with torch.inference_mode():
        logits = torch.cat([network(fit(frame, network, fit_mode)[0]).cpu() for frame in frames])
    require_finite(network.name, logits)
    probabilities = logits.double().softmax(1).mean(0)
    chosen = tuple(targets) if targets else (int(probabilities.argmax()),)
    found = [frame_grids(network, frame, chosen, sizes, stride) for frame in frames]
    largest = max(float(np.abs(combine_grids(grids, small_frame(frames[0]).shape[:2])).max()) for grids in found)
    return HeatSurvey(probabilities, chosen, largest, tuple(found[0]))


def frame_grids(
    network: Network, frame: Picture, targets: Sequence[int], sizes: Sequence[int], stride: int | None
) -> list[HeatGrid]:
    """Return the logits at the places of each scale of a frame."""
    inputs = [to_inputs([whole_geometry(network, frame, size).see(frame)]) for size in sizes]
    return [heat_grid(network, one, targets, stride) for one in inputs]


def small_frame(frame: Picture) -> Picture:
    """Return a frame whose longer side is at most FLOW_SIDE."""
    return resize_long_side(frame, min(FLOW_SIDE, max(frame.shape[:2])))


def _surveyed(clip: Clip) -> list[Picture]:
    """Return the first of a clip's frames in each of SURVEYED equal parts."""
    count = clip.count or sum(1 for _ in clip.frames())
    wanted = {count * part // SURVEYED for part in range(SURVEYED)}
    return [frame.picture for number, frame in enumerate(clip.frames()) if number in wanted]
