"""Linear colour transfer: an image's mean colour and colour covariance made those of another image.

Pitié & Kokaram 2007, "The linear Monge-Kantorovitch linear colour mapping for example-based colour transfer",
section 3: of the linear maps that do so, the one that changes colours least.
"""

import torch
from torch import Tensor

from cnnviz.video.coherence import FrameStylizer


class ColorMatchedStylizer:
    """A stylizer whose results keep the mean colour and the colour covariance of ``reference``, (1, 3, H, W).

    Without it a zoom, which stylizes its own results again and again, drifts to full contrast and garish colours.
    """

    def __init__(self, stylizer: FrameStylizer, reference: Tensor) -> None:
        self._stylizer = stylizer
        self._mean, self._covariance = color_statistics(reference)

    def __call__(self, start: Tensor, frame: Tensor, steps: int, number: int, /) -> Tensor:
        """Return the stylized frame with the reference's colour statistics."""
        return match_colors(self._stylizer(start, frame, steps, number), self._mean, self._covariance)


def match_colors(image: Tensor, mean: Tensor, covariance: Tensor) -> Tensor:
    """Return an image (1, 3, H, W) in [0, 1] with mean colour ``mean`` (1, 3, 1, 1) and ``covariance`` (3, 3)."""
    root = _matrix_power(covariance, 0.5)
    own_mean, own = color_statistics(image)
    transfer = root @ _matrix_power(root @ own @ root, -0.5) @ root
    matched = torch.einsum("ij,njhw->nihw", transfer, image - own_mean) + mean
    matched = matched.clamp(0, 1)
    return (matched + mean - matched.mean((-2, -1), keepdim=True)).clamp(0, 1)  # undoes the shift by the first clamp


def color_statistics(image: Tensor) -> tuple[Tensor, Tensor]:
    """Return the mean (1, 3, 1, 1) and the covariance (3, 3) of an image's colours (1, 3, H, W)."""
    return image.mean((-2, -1), keepdim=True), image[0].flatten(1).cov()


def _matrix_power(matrix: Tensor, exponent: float) -> Tensor:
    """Return a power of a symmetric matrix; eigenvalues near 0, as of a grey image, are raised to 1e-8."""
    values, vectors = torch.linalg.eigh(matrix.double())
    powered: Tensor = (vectors * values.clamp_min(1e-8) ** exponent) @ vectors.T
    return powered.to(matrix.dtype)
