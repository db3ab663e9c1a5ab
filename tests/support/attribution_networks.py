"""Tiny networks for attribution: linear, as captum wants them, and as it does not."""

import warnings

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cnnviz import Network

SIZE = (10, 12)


class Linear(nn.Module):
    """A convolution of 1 x 1 and a mean: linear, and with maps for Grad-CAM."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.fc = nn.Conv2d(3, 4, 1), nn.Linear(4, 5)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(self.conv(x).mean((2, 3)))


class Rectified(nn.Module):
    """Two convolutions with rectifiers as modules, none in place, used once each: as captum wants them."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.relu1 = nn.Conv2d(3, 6, 3, padding=1), nn.ReLU()
        self.conv2, self.relu2 = nn.Conv2d(6, 8, 3, stride=2), nn.ReLU()
        self.pool, self.fc = nn.AvgPool2d(2), nn.LazyLinear(5)

    def forward(self, x: Tensor) -> Tensor:
        y = self.relu2(self.conv2(self.relu1(self.conv1(x))))
        return self.fc(self.pool(y).flatten(1))


class Awkward(nn.Module):
    """The same with what captum's hooks miss: functions, in place, ReLU6, a max pool, one module used twice."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.conv2, self.conv3 = (nn.Conv2d(c, 6, 3, padding=1) for c in (3, 6, 6))
        self.act, self.fc = nn.ReLU6(inplace=True), nn.LazyLinear(5)

    def forward(self, x: Tensor) -> Tensor:
        y = F.max_pool2d(F.relu(self.conv1(x), inplace=True), 3, 2, 1)
        y = y + self.act(self.conv2(y)) * 1.5
        return self.fc(self.act(self.conv3(y)).flatten(1))


class Gated(Awkward):
    """One map times another: not linear, and no rule for differences."""

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(
            (self.conv1(x).sigmoid() * self.conv1(x)[..., :5, :6].mean((2, 3), True))[..., :5, :6].flatten(1)
        )


def tiny(kind: type[nn.Module]) -> tuple[Network, Tensor]:
    """Return a network of a kind, in float64, and an input."""
    torch.manual_seed(0)
    module, x = kind().double(), torch.rand(1, 3, *SIZE, dtype=torch.float64)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        module(x)  # lazy layers take their shape
    return Network.from_module(module, size=SIZE, mean=(0.2, 0.3, 0.4), std=(0.5, 0.25, 0.125)), x


def close(found: Tensor, wanted: Tensor, part: float = 1e-6) -> bool:
    """Return whether all values agree within a part of the largest wanted one."""
    return bool((found - wanted).abs().max() <= part * wanted.abs().max())


class Squared(nn.Module):
    """A network whose derivative is linear in its input."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, x: Tensor) -> Tensor:
        return self.inner(x).square()
