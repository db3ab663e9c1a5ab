"""Technical quality of an image without a reference: sharpness without noise, exposure, compression.

Sharpness is the variance of the Laplacian (Pech-Pacheco et al. 2000, section 3.3), of an image that is blurred a little
and of one common size; what noise adds to it is estimated (Immerkaer 1996, section 3) and subtracted.
"""

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from cnnviz.io.color import Photo

SIDE = 480  # longer side at which sharpness is measured, in pixels
BLUR = 1.0  # standard deviation of the blur before the Laplacian, in pixels
NOISE_GAIN = 0.112  # variance of the blurred Laplacian of white noise of variance 1: the sum of the squared kernel
NOISE_WEIGHT = 8.0  # of the variance that noise adds: details count where they exceed noise about three times
NOISE_KERNEL = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], np.float32)  # removes structure of second order
BLOCK = 8  # pixels of a block of JPEG
VISIBLE_BLOCKS = 1.4  # ratio of differences from which on blocks count
FLOOR = 0.01, 0.1  # added to confidence and sharpness, so that their logarithms stay finite


@dataclass(frozen=True)
class Quality:
    """Measures of one image, of its luma in levels of 1/255.

    ``sharpness`` variance of the Laplacian above what noise adds, at least 0; ``noise`` standard deviation; ``clipped``
    share of the pixels that are black or white; ``blocking`` mean difference of neighbours across the borders of
    JPEG's blocks, divided by the median of that elsewhere: about 1 without visible blocks.
    """

    sharpness: float
    noise: float
    clipped: float
    blocking: float

    def score(self, confidence: float, weight: float = 0.5) -> float:
        """Return log confidence + weight * log sharpness + log(1 - clipped) - log of visible blocking.

        Logarithms are natural. ``confidence``: probability of the network's top class, 0 to 1.
        """
        return (
            math.log(confidence + FLOOR[0])
            + weight * math.log(self.sharpness + FLOOR[1])
            + math.log(1 + FLOOR[0] - self.clipped)
            - math.log(max(self.blocking / VISIBLE_BLOCKS, 1.0))
        )


def measure_quality(image: Photo, side: int = SIDE) -> Quality:
    """Measure the technical quality of an image, uint8 RGB (H, W, 3), its sharpness at ``side`` pixels."""
    luma = cv2.cvtColor(small_copy(image, side), cv2.COLOR_RGB2GRAY).astype(np.float32)
    noise = noise_level(luma)
    details = float(cv2.Laplacian(cv2.GaussianBlur(luma, (0, 0), BLUR), cv2.CV_32F).var())
    sharpness = max(details - NOISE_WEIGHT * NOISE_GAIN * noise**2, 0.0)
    clipped = float(((image >= 254).all(2) | (image <= 1).all(2)).mean())
    return Quality(sharpness, noise, clipped, blocking(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)))


def small_copy(image: Photo, side: int = SIDE) -> Photo:
    """Return an image (H, W, 3) at a longer side of ``side`` pixels."""
    height, width = image.shape[:2]
    scale = side / max(height, width)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    kind = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(image, size, interpolation=kind), np.uint8)


def noise_level(luma: NDArray[np.float32]) -> float:
    """Return the standard deviation of white noise in an image (H, W), after Immerkaer 1996, equation 4."""
    residue = cv2.filter2D(luma, -1, NOISE_KERNEL)
    return float(math.sqrt(math.pi / 2) / 6 * np.abs(residue).mean())


def blocking(luma: NDArray[np.uint8]) -> float:
    """Return how much stronger neighbours (H, W) differ across the borders of blocks of 8 than elsewhere."""
    if min(luma.shape) < 4 * BLOCK:
        return 1.0
    borders = inside = 0.0
    for axis in (0, 1):
        differences = np.abs(np.diff(luma.astype(np.int16), axis=axis)).mean(1 - axis)
        means = [float(differences[phase::BLOCK].mean()) for phase in range(BLOCK)]
        borders += means.pop()
        inside += float(np.median(means))
    return borders / (inside + 1e-3)
