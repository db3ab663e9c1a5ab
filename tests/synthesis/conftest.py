"""What the tests of this package share."""

import pytest
import torch
from torch import nn

from cnnviz.models.network import Network


@pytest.fixture(scope="session")
def network() -> Network:
    """Two convolutions, of which "0" gives six maps and "2" four, and their means as logits."""
    torch.manual_seed(0)
    body = [nn.Conv2d(3, 6, 3, padding=1), nn.ReLU(), nn.Conv2d(6, 4, 1), nn.AdaptiveAvgPool2d(1), nn.Flatten()]
    return Network.from_module(nn.Sequential(*body), (96, 96), (0.5,) * 3, (0.5,) * 3)
