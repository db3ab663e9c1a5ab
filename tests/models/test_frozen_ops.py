"""Frozen convolutions against torch's own, both ways."""

from copy import deepcopy

import pytest
import torch
from torch import nn

from cnnviz.models.efficientnet_lite import SameConv2d
from cnnviz.models.frozen_ops import FrozenConv2d, InplaceReLU6, fuse, unfuse

CONVOLUTIONS = [
    nn.Conv2d(6, 8, 1),
    nn.Conv2d(6, 8, 1, bias=False),
    nn.Conv2d(6, 6, 3, padding=1, groups=6),
    nn.Conv2d(6, 6, (3, 5), padding=(2, 0), dilation=(2, 1), groups=6),
    nn.Conv2d(6, 6, 3, 2, padding=1, groups=6),
    nn.Conv2d(6, 6, 1, padding=1, groups=6),
    nn.Conv2d(6, 6, 4, 3, groups=6),
    nn.Conv2d(3, 8, 3, padding=1),
    nn.Conv2d(3, 8, 7, 2, padding=3, bias=False),
    nn.Conv2d(4, 8, (2, 5), (3, 2), padding=(1, 0)),
    nn.Conv2d(1, 8, 1, 4),
    nn.Conv2d(3, 8, 1, padding=1),
    SameConv2d(3, 8, 3, 2),
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
    x = torch.rand(2, conv.in_channels, *size, dtype=dtype, requires_grad=True)
    mine, theirs = FrozenConv2d(conv)(x), conv(x)
    torch.testing.assert_close(mine, theirs)
    signal = torch.randn_like(theirs)
    torch.testing.assert_close(*(torch.autograd.grad(out, x, signal)[0] for out in (mine, theirs)))


def test_relu6_in_place_keeps_its_derivative():
    x = torch.linspace(-3, 9, 60).view(1, 3, 4, 5).requires_grad_()
    mine = InplaceReLU6()(x * 1)
    torch.testing.assert_close(mine, x.clamp(0, 6))
    torch.testing.assert_close(torch.autograd.grad(mine.sum(), x)[0], ((x > 0) & (x < 6)).float())


class Forked(nn.Module):
    """What the first convolution gives is read by one rectifier alone, what the second gives by two."""

    def __init__(self) -> None:
        super().__init__()
        self.one, self.gap, self.clip = nn.Conv2d(6, 6, 1), nn.Identity(), nn.ReLU6()
        self.two, self.other = nn.Conv2d(6, 6, 3, padding=1, groups=6), nn.ReLU6()
        self.dense, self.last = nn.Conv2d(6, 6, 3), nn.ReLU6(inplace=True)

    def forward(self, x):
        x = self.two(self.clip(self.gap(self.one(x))))
        return self.last(self.dense(self.other(x) + x))


def kinds(module: nn.Module) -> dict[str, type]:
    return {name: type(child) for name, child in module.named_children()}


def test_only_what_nobody_else_reads_is_overwritten_and_dense_filters_stay():
    torch.manual_seed(0)
    module = Forked().requires_grad_(False)
    plain = deepcopy(module)
    fuse(module)
    assert kinds(module) == kinds(plain) | {
        "one": FrozenConv2d, "clip": InplaceReLU6, "two": FrozenConv2d, "last": InplaceReLU6
    }  # fmt: skip
    x = 10 * torch.randn(2, 6, 9, 8, requires_grad=True)
    mine, theirs = module(x), plain(x)
    torch.testing.assert_close(mine, theirs)
    signal = torch.randn_like(theirs)
    torch.testing.assert_close(*(torch.autograd.grad(out, x, signal)[0] for out in (mine, theirs)))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_what_nobody_else_reads_is_one_operator_until_it_is_parted(dtype):
    torch.manual_seed(0)
    module = Forked().requires_grad_(False).to(dtype)
    x = 10 * torch.randn(2, 6, 9, 8, dtype=dtype)
    plain, second = module.one(x), module.two(module.clip(module.one(x)))
    assert plain.min() < 0
    assert plain.max() > 6
    fuse(module)
    assert module.clip(module.one(x)) is x
    torch.testing.assert_close(module.two(x), second)
    whole = module(x)
    unfuse(module)
    torch.testing.assert_close(module.one(x), plain)
    torch.testing.assert_close(module(x), whole)


@pytest.mark.parametrize("name", ["one", "gap"])
def test_a_layer_that_is_kept_gives_what_it_gave(name):
    module = Forked().requires_grad_(False)
    x = 10 * torch.randn(2, 6, 9, 8)
    plain = module.gap(module.one(x))
    fuse(module, [name])
    torch.testing.assert_close(module.gap(module.one(x)), plain)


def test_large_maps_go_back_some_places_at_a_time(monkeypatch):
    torch.manual_seed(0)
    module = nn.Sequential(nn.Conv2d(6, 8, 1), nn.ReLU6()).requires_grad_(False)
    x = 10 * torch.randn(2, 6, 9, 8, requires_grad=True)
    (wanted,) = torch.autograd.grad(module(x).square().sum(), x)
    monkeypatch.setattr("cnnviz.models.frozen_ops.STRIP", 8 * 10)
    fuse(module)
    torch.testing.assert_close(torch.autograd.grad(module(x).square().sum(), x)[0], wanted)
