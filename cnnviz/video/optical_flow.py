"""Where each pixel of a frame was in the frame before, which of them could be seen there, and values carried along.

Kroeger et al. 2016, "Fast optical flow using dense inverse search", section 2, as OpenCV has it; what could not be seen
is found as in Sundaram, Brox & Keutzer 2010, "Dense point trajectories by GPU-accelerated large displacement optical
flow", section 3.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.uint8]
Field = NDArray[np.float32]
SHARE, LEAST = 0.01, 0.5  # Sundaram's: of the squared lengths, and squared pixels


def optical_flow(now: Picture, before: Picture) -> tuple[Field, NDArray[np.bool_]]:
    """Return the flow (H, W, 2) from ``now`` back to ``before``, and whether each pixel could be seen there (H, W).

    Both frames are uint8 RGB (H, W, 3) of at least 16 pixels a side; the flow is x and y in pixels: what is at (y, x)
    now was at (y + flow[y, x, 1], x + flow[y, x, 0]) before. A pixel was not seen where it comes from outside the
    frame, or where the flow from there does not lead back. The same on every machine, however many threads it has.
    """
    import cv2

    grey = [cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY) for picture in (now, before)]
    search: Any = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    with _one_thread():  # the search hands strips to threads, and what it finds depends on the strips
        back: Field = search.calc(grey[0], grey[1], None)
        forth: Field = search.calc(grey[1], grey[0], None)
    returned = warp(forth, back, sharp=False)
    apart = ((back + returned) ** 2).sum(-1)
    lengths = (back**2).sum(-1) + (returned**2).sum(-1)
    return back, np.asarray(inside(back) & (apart <= SHARE * lengths + LEAST))


def inside(flow: Field) -> NDArray[np.bool_]:
    """Return whether each pixel's flow (H, W, 2) leads to a place within the frame (H, W)."""
    x, y = _places(flow)
    height, width = flow.shape[:2]
    # A pixel is one pixel wide: else the least error of a flow would take the border of a still frame for new.
    return np.asarray((x >= -0.5) & (x <= width - 0.5) & (y >= -0.5) & (y <= height - 0.5))


def warp(values: Field, flow: Field, *, sharp: bool = True) -> Field:
    """Return ``values`` (H, W) or (H, W, C) as they lie now, by the flow (H, W, 2) from now to before.

    ``sharp``: Lanczos over 8 x 8 pixels, which keeps fine detail over dozens of frames, where bilinear interpolation
    (otherwise) loses it. Places outside the frame take its nearest pixel.
    """
    import cv2

    x, y = _places(flow)
    kind = cv2.INTER_LANCZOS4 if sharp else cv2.INTER_LINEAR
    return np.asarray(cv2.remap(values, x, y, kind, borderMode=cv2.BORDER_REPLICATE), np.float32)


def _places(flow: Field) -> tuple[Field, Field]:
    height, width = flow.shape[:2]
    across, down = np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32)
    return flow[..., 0] + across, flow[..., 1] + down[:, None]


@contextmanager
def _one_thread() -> Iterator[None]:
    import cv2

    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        yield
    finally:
        cv2.setNumThreads(threads)
