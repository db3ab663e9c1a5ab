"""Scene cuts of a clip: where the colour histograms of two frames differ much more than those of their neighbours.

Differences of histograms: Nagasaka & Tanaka 1992, section 2; a threshold that adapts to the neighbouring frames: Yeo &
Liu 1995, section III.
"""

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from cnnviz.io.color import Photo

WIDTH = 160  # of the copies of frames, in pixels
BINS = 32
REACH = 7  # frames on both sides of a cut that are compared with it
LEAST = 0.1  # difference of a cut, at least
RATIO = 3.0  # of the difference of a cut to the median of its neighbours, at least


def color_histogram(image: Photo) -> NDArray[np.float64]:
    """Return the shares of an image's pixels (H, W, 3) by hue, saturation and value: (3, 33), rows sum to 1.

    A pixel counts for its hue as far as it has any colour, saturation times value; the rest is in the last bin.
    """
    size = WIDTH, max(1, round(WIDTH * image.shape[0] / image.shape[1]))
    hsv = cv2.cvtColor(cv2.resize(image, size, interpolation=cv2.INTER_AREA), cv2.COLOR_RGB2HSV).reshape(-1, 3)
    hue, saturation, value = hsv.T.astype(np.intp)
    rows = [
        np.bincount(hue * BINS // 180, saturation * value / 255**2, BINS + 1),
        np.bincount(saturation * BINS // 256, minlength=BINS + 1),
        np.bincount(value * BINS // 256, minlength=BINS + 1),
    ]
    shares: NDArray[np.float64] = np.stack(rows) / len(hsv)
    shares[0, -1] = 1 - shares[0].sum()
    return shares


def histogram_difference(first: NDArray[np.float64], second: NDArray[np.float64]) -> float:
    """Return the share of pixels that changed their bin, at least, as the mean of the three histograms: 0 to 1."""
    return float(np.abs(first - second).sum() / 2 / len(first))


def scene_cuts(differences: Sequence[float]) -> list[int]:
    """Return the frames that begin a new scene; ``differences``: of each frame from the one before, 0 for the first.

    A cut has the largest difference within REACH frames on both sides. A fade or a fast movement has no cut, since its
    differences are like those of its neighbours.
    """
    values, cuts = np.asarray(differences, float), list[int]()
    for frame in np.flatnonzero(values >= LEAST).tolist():
        near = values[max(1, frame - REACH) : frame + REACH + 1]
        others = np.delete(near, frame - max(1, frame - REACH))
        median = float(np.median(others)) if len(others) else 0.0
        if values[frame] == near.max() and values[frame] >= RATIO * median and (not cuts or frame > cuts[-1] + 1):
            cuts.append(frame)
    return cuts
