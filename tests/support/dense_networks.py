"""Tiny classifiers whose answer at each place is known."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cnnviz import Network

SIDE = 64


class Residual(nn.Module):
    """Halves its maps twice, by a convolution and by a sum of a convolution and a pool."""

    def __init__(self, dilated: bool = False) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 8, 3, 2, 1)
        stride, dilation = (1, 2) if dilated else (2, 1)
        self.second = nn.Conv2d(8, 8, 3, stride, 1)
        self.beside = nn.MaxPool2d(3, stride, 1)
        self.third = nn.Conv2d(8, 8, 3, 1, dilation, dilation)
        self.fc = nn.Linear(8, 5)

    def features(self, x: Tensor) -> Tensor:
        """The maps before pooling."""
        y = F.relu(self.first(x))
        return F.relu6(self.third(F.relu(self.second(y) + self.beside(y))))

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(F.dropout(self.features(x).mean((2, 3)), training=self.training))


class FullyConnected(nn.Module):
    """Two fully connected layers over the maps of a quarter of the size, pooled to ``cells`` x ``cells``."""

    def __init__(self, cells: int = SIDE // 4, pooled: bool = True) -> None:
        super().__init__()
        self.features = nn.Sequential(nn.Conv2d(3, 6, 3, 2, 1), nn.ReLU(), nn.MaxPool2d(2))
        self.pool = nn.AdaptiveAvgPool2d(cells) if pooled else nn.Identity()
        self.one, self.two = nn.Linear(6 * cells**2, 7), nn.Linear(7, 4)

    def forward(self, x: Tensor) -> Tensor:
        return self.two(F.relu(self.one(self.pool(self.features(x)).flatten(1))))

    def convolutions(self, x: Tensor) -> Tensor:
        """The logits (1, classes, rows, columns) by convolutions with the reshaped weights."""
        maps = self.features(x)
        side = round((self.one.in_features / maps.shape[1]) ** 0.5)
        first = F.conv2d(maps, self.one.weight.view(-1, maps.shape[1], side, side), self.one.bias)
        return F.conv2d(F.relu(first), self.two.weight[..., None, None], self.two.bias)


class Headed(nn.Module):
    """A global pooling and ``head`` after it."""

    def __init__(self, head: nn.Module) -> None:
        super().__init__()
        self.conv, self.head = nn.Conv2d(3, 6, 3, 2, 1), head

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.conv(x).mean((2, 3)))


class Tokens(nn.Module):
    """Patches whose first answers for all, as the class token of a transformer."""

    def __init__(self) -> None:
        super().__init__()
        self.patches, self.fc = nn.Conv2d(3, 6, 16, 16), nn.Linear(6, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(self.patches(x).flatten(2).transpose(1, 2)[:, 0])


class Red(nn.Module):
    """The mean of red, and that of green, over tiles of 8 x 8 pixels, times ``scale``: places are evenly spaced."""

    def __init__(self, scale: float = 10.0) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 2, 8, 8, bias=False)
        self.conv.weight.data = torch.zeros(2, 3, 8, 8)
        self.conv.weight.data[0, 0] = self.conv.weight.data[1, 1] = scale / 64

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(x).mean((2, 3))


def dense_network(module: nn.Module, name: str = "own", double: bool = True) -> Network:
    """A network of 64 x 64 pixels with random weights of a fixed seed, in float64."""
    generator = torch.Generator().manual_seed(0)
    if not isinstance(module, Red):
        for weight in module.parameters():
            weight.data = (torch.rand(weight.shape, generator=generator) - 0.4) * (3 / weight[0].numel()) ** 0.5
    module = module.double() if double else module
    return Network.from_module(module, (SIDE, SIDE), (0.0,) * 3, (1.0,) * 3, ("red", "green"), name)


def random_input(height: int, width: int, double: bool = True) -> Tensor:
    """Noise of a fixed seed, (1, 3, h, w)."""
    x = torch.rand(1, 3, height, width, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    return x if double else x.float()
