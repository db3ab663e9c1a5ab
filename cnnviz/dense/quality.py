"""Technical quality of an image without a reference: sharpness without noise, exposure, compression.

Sharpness is the variance of the Laplacian (Pech-Pacheco et al. 2000, section 3.3), of an image that is blurred a little
and of one common size. Noise is estimated where an image is smoothest (Immerkaer 1996, section 3): elsewhere the
estimate counts texture. It lowers the score itself, since a noisy copy is as sharp as its photo.
"""

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from cnnviz.io.color import Photo

SIDE = 640  # longer side at which sharpness is measured, in pixels
LARGEST = 1600  # longest side at which noise is measured, in pixels: that of larger photos is not seen
BLUR = 1.0  # standard deviation of the blur before the Laplacian, in pixels
NOISE_GAIN = 0.112  # variance of the blurred Laplacian of white noise of variance 1: the sum of the squared kernel
NOISE_WEIGHT = 2.0  # of the variance that noise adds: details count where they exceed the noise
NOISE_KERNEL = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], np.float32)  # removes structure of second order
NOISE_CELL = 16  # pixels of a cell in which noise is estimated
SMOOTHEST = 0.1  # quantile of the cells' estimates that counts
VISIBLE_NOISE = 2.0  # standard deviation from which on noise counts
BLOCK = 8  # pixels of a block of JPEG
VISIBLE_BLOCKS = 1.4  # ratio of differences from which on blocks count
FLOOR = 0.1  # added to confidence and sharpness: differences of what is small do not count


@dataclass(frozen=True)
class Quality:
    """Measures of one image, of its luma in levels of 1/255.

    ``sharpness`` variance of the Laplacian above what noise adds, at least 0; ``noise`` standard deviation; ``clipped``
    share of the pixels that are black, or of which a channel is at its maximum; ``blocking`` mean difference of
    neighbours across the borders of JPEG's blocks, divided by the median of that elsewhere: about 1 without visible
    blocks.
    """

    sharpness: float
    noise: float
    clipped: float
    blocking: float

    def score(self, confidence: float) -> float:
        """Return log confidence + log sharpness - 1.5 log noise + 2 log(1 - clipped) - 2 log blocking, where visible.

        Logarithms are natural. ``confidence``: probability of the network's top class, 0 to 1.
        """
        return (
            math.log(confidence + FLOOR)
            + math.log(self.sharpness + FLOOR)
            - 1.5 * math.log(1 + self.noise / VISIBLE_NOISE)
            + 2 * math.log(1.01 - self.clipped)
            - 2 * math.log(max(self.blocking / VISIBLE_BLOCKS, 1.0))
        )


def measure_quality(image: Photo, side: int = SIDE) -> Quality:
    """Measure the technical quality of an image, uint8 RGB (H, W, 3), its sharpness at ``side`` pixels."""
    luma = _luma(small_copy(image, side))
    details = float(cv2.Laplacian(cv2.GaussianBlur(luma, (0, 0), BLUR), cv2.CV_32F).var())
    sharpness = max(details - NOISE_WEIGHT * NOISE_GAIN * noise_level(luma) ** 2, 0.0)
    noise = noise_level(_luma(small_copy(image, min(LARGEST, max(image.shape[:2])))))
    clipped = float(((image >= 254).any(2) | (image <= 1).all(2)).mean())
    return Quality(sharpness, noise, clipped, blocking(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)))


def _luma(image: Photo) -> NDArray[np.float32]:
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), np.float32)


def small_copy(image: Photo, side: int = SIDE) -> Photo:
    """Return an image (H, W, 3) at a longer side of ``side`` pixels."""
    height, width = image.shape[:2]
    scale = side / max(height, width)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    kind = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(image, size, interpolation=kind), np.uint8)


def noise_level(luma: NDArray[np.float32]) -> float:
    """Return the standard deviation of white noise in an image (H, W), after Immerkaer 1996, equation 4.

    It is estimated in cells of 16 pixels; the lower decile of the cells is that of places without texture.
    """
    residue = np.abs(cv2.filter2D(luma, -1, NOISE_KERNEL))
    rows, columns = (max(1, side // NOISE_CELL) for side in luma.shape)
    cells = cv2.resize(residue, (columns, rows), interpolation=cv2.INTER_AREA)
    return math.sqrt(math.pi / 2) / 6 * float(np.quantile(cells, SMOOTHEST))


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
