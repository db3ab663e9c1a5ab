"""Frozen convolutions against torch's own, both ways."""

import pytest
import torch
from torch import nn

from cnnviz.frozen import FrozenConv2d, Overwriting, quicken
from cnnviz.models.efficientnet_lite import SameConv2d

CONVOLUTIONS = [
    nn.Conv2d(6, 8, 1),
    nn.Conv2d(6, 8, 1, bias=False),
    nn.Conv2d(6, 6, 3, padding=1, groups=6),
    nn.Conv2d(6, 6, (3, 5), padding=(2, 0), dilation=(2, 1), groups=6),
    nn.Conv2d(6, 6, 3, 2, padding=1, groups=6),
    nn.Conv2d(6, 6, 1, padding=1, groups=6),
    nn.Conv2d(6, 6, 4, 3, groups=6),
    SameConv2d(6, 6, 3, 1, groups=6),
    SameConv2d(6, 6, 3, 2, groups=6),
    SameConv2d(6, 6, 5, 2, groups=6),
]


@pytest.mark.parametrize("conv", CONVOLUTIONS, ids=str)
@pytest.mark.parametrize("size", [(16, 16), (17, 16), (16, 17), (13, 19)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_convolutions_and_their_derivatives_are_torchs(conv, size, dtype):
    torch.manual_seed(0)
    conv = conv.to(dtype).requires_grad_(False)
    x = torch.rand(2, 6, *size, dtype=dtype, requires_grad=True)
    mine, theirs = FrozenConv2d(conv)(x), conv(x)
    torch.testing.assert_close(mine, theirs)
    signal = torch.randn_like(theirs)
    torch.testing.assert_close(*(torch.autograd.grad(out, x, signal)[0] for out in (mine, theirs)))


def test_relu6_in_place_keeps_its_derivative():
    x = torch.linspace(-3, 9, 60).view(1, 3, 4, 5).requires_grad_()
    mine = Overwriting()(x * 1)
    torch.testing.assert_close(mine, x.clamp(0, 6))
    torch.testing.assert_close(torch.autograd.grad(mine.sum(), x)[0], ((x > 0) & (x < 6)).float())


def test_only_what_nobody_else_reads_is_overwritten_and_dense_filters_stay():
    plain = nn.Sequential(nn.Conv2d(3, 4, 1), nn.ReLU6(), nn.Conv2d(4, 4, 3), nn.ReLU6(inplace=True))
    module = nn.Sequential(*plain)
    quicken(module, plain)
    assert [type(child) for child in module] == [FrozenConv2d, nn.ReLU6, nn.Conv2d, Overwriting]
