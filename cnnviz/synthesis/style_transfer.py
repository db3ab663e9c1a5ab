"""Style transfer: the content of one image in the style of others, by optimisation from coarse to fine.

Gatys, Ecker & Bethge 2016, "Image Style Transfer Using Convolutional Neural Networks". Departures: see
``style_transfer``. Images are RGB (1, 3, h, w) in [0, 1].
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cnnviz.control import Control
from cnnviz.io.convert import to_image
from cnnviz.models.network import Network
from cnnviz.synthesis.ascent import OnStep, StepObserver
from cnnviz.synthesis.coarse_to_fine import SizeResult
from cnnviz.synthesis.style_images import Image, prepare_images
from cnnviz.synthesis.style_layers import StyleLayers
from cnnviz.synthesis.style_methods import make_method, transfer
from cnnviz.synthesis.style_settings import StyleSettings


@dataclass(frozen=True)
class StyleResult:
    """The picture: ``tensor`` (1, 3, H, W), RGB in [0, 1], after ``done`` of ``of`` steps.

    ``layers`` and their weights; ``sizes`` with the loss before each step, from coarse to fine.
    """

    tensor: Tensor
    layers: StyleLayers
    sizes: tuple[SizeResult, ...]
    of: int

    @property
    def image(self) -> NDArray[np.uint8]:
        """The picture, uint8 RGB (H, W, 3)."""
        return to_image(self.tensor)

    @property
    def done(self) -> int:
        """Number of steps done."""
        return sum(len(size.losses) for size in self.sizes)


def style_transfer(
    network: Network,
    content: Image,
    styles: Sequence[Image],
    *,
    style_weights: Sequence[float] = (),
    style_masks: Sequence[Image] = (),
    settings: StyleSettings = StyleSettings(),
    seed: int = 0,
    control: Control = Control(),
    on_step: OnStep | None = None,
) -> StyleResult:
    """Draw the content of one image in the style of others.

    Parameters
    ----------
    network : Network
    content : ndarray or Tensor
        uint8 RGB (H, W, 3), or a tensor (1, 3, H, W), uint8 or in [0, 1].
    styles : sequence of ndarray or Tensor
        Style images of any size.
    style_weights : sequence of float, default ()
        The share of each style, by default equal.
    style_masks : sequence of ndarray or Tensor, default ()
        Where each style applies: uint8 (H, W), or a tensor (1, 1, H, W) in [0, 1]. By default the styles are mixed
        everywhere. What no mask covers stays as it is.
    settings : StyleSettings, default StyleSettings()
        Layers, weights, size and the like.
    seed : int, default 0
        Seeds the random rolls and the noise.
    control : Control, default Control()
        Gets the progress; once ``control.stopped()`` the result so far is returned.
    on_step : callable, optional
        Called after every step with an ``AscentStep``.

    Returns
    -------
    StyleResult
        ``image``, uint8 RGB (H, W, 3), and ``tensor`` (1, 3, H, W), RGB in [0, 1].

    Raises
    ------
    InvalidRequest
        For a layer that the network lacks, or numbers of weights or masks that do not fit the styles.
    MethodError
        For a size that the network cannot take, or a loss that is not finite.

    Notes
    -----
    Departures from [1]_: means and covariances are compared by the Wasserstein distance of Gaussians in place of Gram
    matrices; filters of 3 x 3 pixels are one more style layer; Adam optimises at several sizes, the image rolled by a
    few pixels at each step; the start is the content in the style's colours.

    References
    ----------
    .. [1] Gatys, Ecker & Bethge, "Image Style Transfer Using Convolutional Neural Networks", 2016.

    Examples
    --------
    >>> cat, cup = (cnnviz.read_photo(f"sample_images/{name}.jpg") for name in ("chelsea", "coffee"))
    >>> settings = cnnviz.StyleSettings(long_side=96, steps=8)
    >>> image = cnnviz.style_transfer(cnnviz.load_network(), cat, [cup], settings=settings).image
    """
    images = prepare_images(
        content if isinstance(content, np.ndarray) else content.to(network.device), styles, style_weights, style_masks,
        long_side=settings.long_side, style_scale=settings.style_scale, original_colors=settings.original_colors,
        control=control,
    )  # fmt: skip
    method, generator = make_method(network, images, settings), torch.Generator().manual_seed(seed)
    observer = StepObserver(control, on_step, quantity="loss", render=images.finish)
    image, sizes = transfer(method, images, settings, generator, observer)
    return StyleResult(images.finish(image), method.layers, tuple(sizes), settings.schedule.total(images.content))
