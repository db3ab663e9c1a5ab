"""Backward optical flow with an occlusion mask, and warping.

Kroeger et al. 2016, "Fast optical flow using dense inverse search", section 2, in OpenCV's implementation; occlusions
by the forward-backward check, and motion boundaries, of Sundaram, Brox & Keutzer 2010, "Dense point trajectories by
GPU-accelerated large displacement optical flow", section 3.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnnviz.video.frame import Picture

Field = NDArray[np.float32]
SHARE, LEAST = 0.01, 0.5  # Sundaram's tolerances: share of the squared lengths, and squared pixels
EDGE_LEAST = 0.002  # squared gradient of the flow at which a still region has a motion boundary


def optical_flow(now: Picture, before: Picture) -> tuple[Field, NDArray[np.bool_]]:
    """Return the flow (H, W, 2) from ``now`` back to ``before``, and whether each pixel was visible there (H, W).

    Both frames are uint8 RGB (H, W, 3) of at least 16 pixels a side; the pixel (y, x) of ``now`` was at
    (y + flow[y, x, 1], x + flow[y, x, 0]) in ``before``. A pixel was not visible if it comes from outside the frame, or
    if the forward flow there does not lead back.
    """
    import cv2

    grey = [cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY) for picture in (now, before)]
    search: Any = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    search.setFinestScale(0)  # full resolution: a third of the error of the preset's half
    with _one_thread():  # the search gives strips to threads, and its result depends on the strips
        backward: Field = search.calc(grey[0], grey[1], None)
        forward: Field = search.calc(grey[1], grey[0], None)
    returned = warp(forward, backward, sharp=False)
    error = ((backward + returned) ** 2).sum(-1)
    lengths = (backward**2).sum(-1) + (returned**2).sum(-1)
    return backward, np.asarray(inside_frame(backward) & (error <= SHARE * lengths + LEAST))


def motion_boundaries(flow: Field) -> NDArray[np.bool_]:
    """Return whether the flow (H, W, 2) of each pixel changes sharply around it (H, W): it is unreliable there."""
    rows, columns = np.gradient(flow, axis=(0, 1))
    return np.asarray((rows**2 + columns**2).sum(-1) > SHARE * (flow**2).sum(-1) + EDGE_LEAST)


def inside_frame(flow: Field) -> NDArray[np.bool_]:
    """Return whether the flow (H, W, 2) of each pixel leads to a position inside the frame (H, W)."""
    x, y = _positions(flow)
    height, width = flow.shape[:2]
    # A pixel is one pixel wide: otherwise the smallest error would put the border of a still frame outside.
    return np.asarray((x >= -0.5) & (x <= width - 0.5) & (y >= -0.5) & (y <= height - 0.5))


def warp(values: Field, flow: Field, *, sharp: bool = True) -> Field:
    """Warp ``values`` (H, W) or (H, W, C) of the previous frame by the flow (H, W, 2) from now to before.

    ``sharp``: Lanczos over 8 x 8 pixels, which keeps fine detail over dozens of frames, unlike bilinear interpolation.
    Positions outside the frame take its nearest pixel.
    """
    import cv2

    x, y = _positions(flow)
    kind = cv2.INTER_LANCZOS4 if sharp else cv2.INTER_LINEAR
    return np.asarray(cv2.remap(values, x, y, kind, borderMode=cv2.BORDER_REPLICATE), np.float32)


def _positions(flow: Field) -> tuple[Field, Field]:
    height, width = flow.shape[:2]
    xs, ys = np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32)
    return flow[..., 0] + xs, flow[..., 1] + ys[:, None]


@contextmanager
def _one_thread() -> Iterator[None]:
    import cv2

    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        yield
    finally:
        cv2.setNumThreads(threads)
