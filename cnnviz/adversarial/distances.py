"""Distances between two arrays of stored values."""

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from cnnviz.adversarial.results import Distances


def distances(before: NDArray[np.uint8], after: NDArray[np.uint8]) -> Distances:
    """Return the distances of two arrays of values (H, W, C)."""
    change = after.astype(np.int16) - before
    squares = int(np.square(change, dtype=np.int64).sum())
    return Distances(
        levels=int(np.abs(change).max(initial=0)),
        l0=int(np.count_nonzero(change)),
        l1=int(np.abs(change).sum(dtype=np.int64)),
        l2=round(squares**0.5, 4),
        changed=round(float((change != 0).mean()), 6),
        psnr=round(10 * float(np.log10(255**2 * change.size / squares)), 2) if squares else None,
        ssim=round(ssim(before, after), 6),
    )


def ssim(before: NDArray[Any], after: NDArray[Any]) -> float:
    """Return the structural similarity of two arrays (H, W, C) of levels, the mean over windows and channels.

    Wang et al. 2004, "Image Quality Assessment", section III.B: Gaussian windows of deviation 1.5.
    """

    def mean(values: NDArray[np.float32]) -> NDArray[np.float32]:
        return np.asarray(cv2.GaussianBlur(values, (11, 11), 1.5, borderType=cv2.BORDER_REFLECT), np.float32)

    channels = []
    for channel in range(before.shape[2]):
        x, y = (part[..., channel].astype(np.float32) for part in (before, after))
        mx, my = mean(x), mean(y)
        xx, yy, xy = mean(x * x) - mx * mx, mean(y * y) - my * my, mean(x * y) - mx * my
        c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
        index = (2 * mx * my + c1) * (2 * xy + c2) / ((mx**2 + my**2 + c1) * (xx + yy + c2))
        channels.append(float(index.mean()))
    return sum(channels) / len(channels)
