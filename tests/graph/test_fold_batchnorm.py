"""Folding against the network itself."""

import pytest
import torch
import torchvision
from torch import nn

from cnnviz.graph.fold_batchnorm import fold_batchnorm, single_consumers


@pytest.mark.parametrize("name", ["resnet18", "mobilenet_v2", "densenet121", "googlenet", "shufflenet_v2_x0_5"])
def test_folding_leaves_the_answer_and_the_network(name):
    torch.manual_seed(0)
    special = {"init_weights": False} if name == "googlenet" else {}
    module = torchvision.models.get_model(name, weights=None, **special).eval()
    for child in module.modules():
        if isinstance(child, nn.BatchNorm2d):
            child.running_mean.normal_(0, 0.1)
            child.running_var.uniform_(0.5, 1.5)
    before = {key: value.clone() for key, value in module.state_dict().items()}
    folded = fold_batchnorm(module)
    norms = [sum(isinstance(m, nn.BatchNorm2d) for m in net.modules()) for net in (module, folded)]
    assert norms[1] < norms[0] * 0.6
    with torch.no_grad():
        x = torch.rand(2, 3, 64, 64)
        plain, fast = module(x), folded(x)
    assert torch.isfinite(plain).all()
    assert (plain - fast).abs().max() <= 1e-5 * plain.abs().max()
    assert all(torch.equal(before[key], value) for key, value in module.state_dict().items())


def test_folding_stops_where_it_would_be_wrong():
    class Shared(nn.Module):
        """The convolution's own output is used beside the normalised one, and one norm serves twice."""

        def __init__(self) -> None:
            super().__init__()
            self.conv, self.norm = nn.Conv2d(3, 3, 3), nn.BatchNorm2d(3)
            self.other, self.twice = nn.Conv2d(3, 3, 3), nn.BatchNorm2d(3)

        def forward(self, x):
            y = self.conv(x)
            return self.twice(self.other(y + self.norm(y))) + self.twice(y[..., 2:, 2:])

    module = Shared().eval()
    module.norm.running_var.fill_(3)
    module.twice.running_mean.fill_(1)
    x = torch.rand(1, 3, 12, 12)
    torch.testing.assert_close(fold_batchnorm(module)(x), module(x))


def test_a_convolution_that_is_kept_gives_what_it_gave():
    torch.manual_seed(0)
    module = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Conv2d(4, 5, 1), nn.BatchNorm2d(5)).eval()
    module[1].running_var.fill_(3)
    module[3].running_mean.fill_(1)
    x = torch.rand(1, 3, 8, 8)
    kept = fold_batchnorm(module, keep=["2"])
    assert [type(child).__name__ for child in kept] == ["Conv2d", "Identity", "Conv2d", "BatchNorm2d"]
    torch.testing.assert_close(kept[:3](x), module[:3](x))
    torch.testing.assert_close(kept(x), module(x))


def test_a_network_that_cannot_be_traced_is_left_alone():
    class Branching(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(3, 3, 1)

        def forward(self, x):
            return self.conv(x) if x.sum() > 0 else x

    module = Branching().eval()
    assert fold_batchnorm(module) is module


class Chain(nn.Module):
    """Each module has one reader up to ``c``, which two read; ``twice`` runs twice."""

    def __init__(self) -> None:
        super().__init__()
        self.block = nn.Sequential(nn.Conv2d(3, 3, 1), nn.Identity())
        self.b, self.c, self.twice, self.end = nn.ReLU6(), nn.Conv2d(3, 3, 1), nn.ReLU(), nn.Conv2d(3, 3, 1)

    def forward(self, x):
        x = self.c(self.b(self.block(x)))
        return self.end(self.twice(self.twice(x) + x))


def test_sole_readers_are_those_that_alone_read_what_is_made_once():
    readers = single_consumers(Chain())
    assert {name: readers.get(name) for name in ("block.0", "b", "c", "twice", "end")} == {
        "block.0": "b", "b": "c", "c": None, "twice": None, "end": None
    }  # fmt: skip


@pytest.mark.parametrize(("keep", "read"), [("block", False), ("block.1", False), ("b", True), ("c", True)])
def test_nothing_is_read_alone_past_a_layer_that_is_kept(keep, read):
    assert ("block.0" in single_consumers(Chain(), [keep])) == read


def test_a_network_that_fx_cannot_trace_has_no_pairs():
    class Branching(Chain):
        def forward(self, x):
            return self.b(self.c(x)) if x.sum() > 0 else x

    assert single_consumers(Branching()) == {}
