"""The fill of an occluding window, and of deleted pixels: what captum calls the baseline."""

from typing import Literal, get_args

import torch
import torch.nn.functional as F
from torch import Tensor

from cnnviz.models.network import Network

Fill = Literal["grey", "mean", "black", "white", "blur", "noise"]
FILLS: tuple[str, ...] = get_args(Fill)


def occluder(x: Tensor, fill: Fill, network: Network, seed: int = 0) -> Tensor:
    """Return the image (1, 3, h, w) whose pixels replace those of ``x`` (1, 3, h, w), RGB in [0, 1].

    ``fill``: grey (0.5), the network's mean colour, black, white, ``x`` blurred, or uniform noise drawn from ``seed``.
    """
    if fill == "blur":
        return _blur(x)
    if fill == "noise":
        generator = torch.Generator().manual_seed(seed)
        return torch.rand(x.shape, generator=generator).to(x)
    levels = {"grey": (0.5,) * 3, "black": (0.0,) * 3, "white": (1.0,) * 3, "mean": network.preprocessing.mean}
    return x.new_tensor(levels[fill]).view(1, 3, 1, 1).expand_as(x)


def fill_label(fill: str) -> str:
    """Return the adjective for what a fill covers: "noise" makes it noisy."""
    adjectives = {"blur": "blurred", "noise": "noisy", "mean": "mean-coloured"}
    return adjectives.get(fill, fill)


def _blur(x: Tensor) -> Tensor:
    """Blur with a Gaussian whose deviation is a twentieth of the shorter side: colours stay, details do not."""
    sigma = min(x.shape[-2:]) / 20
    radius = min(int(3 * sigma), min(x.shape[-2:]) - 1)
    steps = torch.arange(-radius, radius + 1, device=x.device, dtype=x.dtype)
    kernel = torch.exp(-0.5 * (steps / sigma) ** 2)
    kernel = (kernel / kernel.sum()).expand(3, 1, -1)
    x = F.conv2d(F.pad(x, (radius, radius, 0, 0), "reflect"), kernel[:, :, None, :], groups=3)
    return F.conv2d(F.pad(x, (0, 0, radius, radius), "reflect"), kernel[:, :, :, None], groups=3)
