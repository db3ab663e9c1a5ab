"""Colours for a photo from its lightness alone, and how certain the network is of them.

Zhang, Isola & Efros, "Colorful Image Colorization", 2016 (arXiv:1603.08511), sections 2.1 to 2.3. The network
is given the photo at 256 x 256 pixels; the colours are brought back to the photo's pixels, and its lightness stays.
"""

from dataclasses import dataclass, field, replace
from math import log, log2

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cnnviz.errors import InvalidRequest
from cnnviz.io.color import Photo
from cnnviz.models.colorizer import Colorizer
from cnnviz.models.lab import lightness, shown_colours
from cnnviz.models.network import Network, require_finite
from cnnviz.models.preprocess import to_inputs
from cnnviz.models.result import NetworkResult

TEMPERATURE = 0.38  # the paper's
STRIP = 128  # rows of the photo that are computed at a time, to save memory
KEPT = 0.999  # share of the chroma below which it counts as reduced


@dataclass(frozen=True)
class Colorization(NetworkResult):
    """Colours predicted for a photo.

    ``image`` uint8 (H, W, 3), with the lightness of ``photo`` (H, W, 3); ``ab`` float32 (2, H, W), the a* and b* that
    were predicted; ``entropy`` float32 (H, W) of the distribution of colours, in bits, at most ``most``; ``reduced``
    the share of pixels whose chroma sRGB cannot show; ``temperature`` of the annealed mean.
    """

    image: Photo = field(repr=False)
    ab: NDArray[np.float32] = field(repr=False)
    entropy: NDArray[np.float32] = field(repr=False)
    most: float
    reduced: float
    temperature: float
    photo: Photo = field(repr=False, compare=False)

    @property
    def greys(self) -> Photo:
        """The lightness of the photo as greys, uint8 (H, W, 3)."""
        return _coloured(self.photo, np.zeros_like(self.ab))[0]

    def arrays(self) -> dict[str, NDArray[np.generic]]:
        """Return a*, b* and the entropy on the photo's pixels."""
        return {"ab": self.ab, "entropy": self.entropy}


def annealed_mean(logits: Tensor, centres: Tensor, temperature: float) -> Tensor:
    """Return the mean colour (2, ...) of a distribution of logits (bins, ...) over ``centres`` (bins, 2).

    Equation 5 of the paper: the distribution is sharpened by ``temperature``, 1 for the mean, towards 0 for the mode,
    which 0 itself gives.
    """
    if temperature == 0:
        return centres[logits.argmax(0)].movedim(-1, 0)
    return torch.einsum("q...,qc->c...", (logits / temperature).softmax(0), centres)


def entropy(logits: Tensor) -> Tensor:
    """Return the entropy (...) of a distribution of logits (bins, ...), in bits."""
    logs = logits.log_softmax(0)
    return (-(logs.exp() * logs).sum(0) / log(2)).clamp(min=0)


def colorize(network: Network, photo: Photo, *, temperature: float = TEMPERATURE) -> Colorization:
    """Predict the colours of a photo from its lightness.

    Parameters
    ----------
    network : Colorizer
        The network of ``cnnviz.load_colorizer``.
    photo : ndarray of uint8, shape (H, W, 3)
        RGB; its own colours are ignored.
    temperature : float, default 0.38
        0 takes the most probable colour at each place, 1 the mean of all.

    Returns
    -------
    Colorization
        The coloured photo, the predicted a* and b*, and the entropy of the colours, at the photo's own pixels.

    Raises
    ------
    InvalidRequest
        For a network that predicts no colours, and a temperature outside 0 to 1.
    MethodError
        If its logits are not finite.

    Notes
    -----
    Where sRGB has no colour of that lightness and chroma, the chroma is reduced and the lightness kept: it differs from
    the photo's by less than 1/255 of its range, which is the rounding to 8 bits.

    Examples
    --------
    >>> network = cnnviz.load_colorizer("colorization_release_v2-9b330a0b.pth")
    >>> found = cnnviz.colorize(network, cnnviz.read_photo("sample_images/coffee.jpg"))
    >>> found.image.shape, found.entropy.shape
    ((400, 600, 3), (400, 600))
    """
    if not isinstance(network, Colorizer):
        raise InvalidRequest(f"{network.name} predicts no colours; load a network with load_colorizer")
    if not 0 <= temperature <= 1:
        raise InvalidRequest(f"temperature {temperature:g}: take 0 to 1")
    geometry = network.geometry((photo.shape[0], photo.shape[1]))
    with torch.inference_mode():
        logits = network(to_inputs([geometry.see(photo)]))[0].cpu()
        require_finite(network.name, logits)
        colours = torch.cat([annealed_mean(logits, network.centres, temperature), entropy(logits)[None]]).numpy()
    own = (colours.shape[1], colours.shape[2])
    maps = replace(geometry, resized=own, size=own).to_photo(colours)
    image, reduced = _coloured(photo, maps[:2])
    return Colorization(image, maps[:2], maps[2], log2(len(network.centres)), reduced, temperature, photo,
                        network=network)  # fmt: skip


def _coloured(photo: Photo, ab: NDArray[np.float32]) -> tuple[Photo, float]:
    """Return the photo's lightness in other colours, and the share of pixels whose chroma was reduced."""
    image, reduced = np.empty_like(photo), 0
    for top in range(0, len(photo), STRIP):
        rows = slice(top, top + STRIP)
        light = lightness(to_inputs([photo[rows]])[0]).flatten(1)
        rgb, kept = shown_colours(light, torch.from_numpy(np.ascontiguousarray(ab[:, rows])).flatten(1))
        image[rows] = (255 * rgb).round().T.reshape(photo[rows].shape).numpy()
        reduced += int((kept < KEPT).sum())
    return image, reduced / (photo.shape[0] * photo.shape[1])
