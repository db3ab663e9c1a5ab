"""Networks and engines for the tests of occlusion."""

import torch
from torch import nn

from cnnviz.attribution.occlusion_engines import choose_engine
from cnnviz.attribution.windows import WindowGrid
from cnnviz.models.network import Network


class Plain(nn.Sequential):
    """Windows alone: three convolutions that keep the map large, and the mean."""

    def __init__(self) -> None:
        super().__init__(
            nn.Conv2d(3, 8, 5, 4), nn.ReLU(inplace=True), nn.Conv2d(8, 8, 3), nn.ReLU(inplace=True),
            nn.Conv2d(8, 8, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 5),
        )  # fmt: skip


def wrap(module: nn.Module, size: tuple[int, int] = (120, 152)) -> Network:
    return Network.from_module(module, size, (0.4, 0.5, 0.6), (0.2, 0.25, 0.3), name="mine")


def ask(kind, module, size=(120, 152), window=16, stride=12, layer=None):
    """Return an engine for a random picture, and its grid."""
    generator = torch.Generator().manual_seed(0)
    x, cover = (torch.rand(1, 3, *size, generator=generator) for _ in range(2))
    grid = WindowGrid.over(size, window, stride)
    network = module if isinstance(module, Network) else wrap(module, size)
    return choose_engine(kind, network, x, cover, grid, layer), grid


def plain(size: tuple[int, int] = (120, 152)) -> Network:
    torch.manual_seed(0)
    return wrap(Plain(), size)
