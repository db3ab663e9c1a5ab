"""Receptive fields against known ones and against gradients; folding against the network itself."""

import pytest
import torch
import torchvision
from torch import nn

from cnnviz import graph
from cnnviz.models import blank


def fields(name: str, size: int = 224) -> dict[str, graph.Layer]:
    return {layer.name: layer for layer in graph.layers(blank(name), (size, size))}


@pytest.mark.parametrize(
    ("model", "layer", "size"),
    [
        ("alexnet", "features.3", 51),
        ("alexnet", "features.6", 99),
        ("vgg16", "features.7", 14),
        ("vgg16", "features.14", 40),
        ("resnet18", "layer2.0.conv1", 51),
        ("resnet18", "layer3.0.conv1", 115),
        ("efficientnet_lite0", "blocks.2.1.conv_pw", 35),
        ("efficientnet_lite0", "blocks.4.0.conv_pw", 147),
    ],
)
def test_receptive_fields_are_the_known_ones(model, layer, size):
    assert fields(model)[layer].field == (size, size)


class Odd(nn.Module):
    """Everything a field can go through: skips, branches, padding, dilation, transposed filters, functions."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 4, (3, 5), (1, 2), padding=(1, 2))
        self.wide = nn.Conv2d(4, 4, 3, padding=2, dilation=2)
        self.pool = nn.MaxPool2d(3, 2, 1)
        self.branch = nn.Conv2d(4, 4, 5, padding=2)
        self.up = nn.ConvTranspose2d(8, 4, 4, 2, 1)
        self.mean = nn.AvgPool2d(2)
        self.last = nn.Conv2d(4, 4, 1)

    def forward(self, x):
        x = torch.relu(self.stem(x))
        x = x + self.wide(x)
        x = self.pool(x)
        x = torch.cat([x, self.branch(x)], 1)
        x = self.up(nn.functional.pad(x, (1, 0, 1, 0)))
        return self.last(self.mean(nn.functional.leaky_relu(x)))


@pytest.mark.parametrize("layer", ["stem", "wide", "pool", "branch", "up", "mean", "last"])
def test_fields_equal_the_support_of_the_gradient(layer):
    """Positive weights, mean pools in place of max, no rectifier: the gradient is where the field is."""
    module = Odd().double()
    module.pool = nn.AvgPool2d(3, 2, 1)
    for parameter in module.parameters():
        parameter.data.fill_(0.1)
    x = torch.zeros(1, 3, 96, 120, dtype=torch.float64, requires_grad=True)
    found: dict[str, torch.Tensor] = {}
    getattr(module, layer).register_forward_hook(lambda _m, _i, out: found.update(out=out))
    with graph.watch(x) as watched:
        module(x)
    out = found["out"]
    seen = watched.of(out)
    assert not isinstance(seen, str)
    row, column = out.shape[2] // 2, out.shape[3] // 2
    gradient = torch.autograd.grad(out[0, 0, row, column], x)[0][0].abs().sum(0)
    for index, field, line in zip((row, column), seen, (gradient.sum(1), gradient.sum(0)), strict=True):
        support = line.nonzero().flatten().tolist()
        assert index * field.jump + field.start <= support[0]
        assert index * field.jump + field.stop >= support[-1]
        assert support[-1] - support[0] + 1 >= field.size - field.jump  # a transposed filter skips every other tap


def test_what_sees_everything_says_so():
    found = fields("resnet18")
    assert found["avgpool"].field == graph.ALL
    assert found["fc"].field == graph.ALL
    squeeze = fields("efficientnet_b0")
    assert squeeze["features.1.0.block.1.scale_activation"].field == graph.ALL
    assert squeeze["features.1.0.block.2"].field == graph.ALL
    assert fields("vit_b_16")["encoder.layers.encoder_layer_0.mlp"].field in (graph.ALL, graph.UNKNOWN)


def test_layers_are_listed_in_the_order_they_answer_with_their_shapes():
    found = graph.layers(blank("alexnet"), (224, 224))
    names = [layer.name for layer in found]
    assert names.index("features.0") < names.index("features.1") < names.index("classifier.6")
    shapes = {layer.name: layer.shape for layer in found}
    assert shapes["features.0"] == (64, 55, 55)
    assert shapes["classifier.6"] == (1000,)


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
    folded = graph.fold(module)
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
    torch.testing.assert_close(graph.fold(module)(x), module(x))


def test_a_network_that_cannot_be_traced_is_left_alone():
    class Branching(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(3, 3, 1)

        def forward(self, x):
            return self.conv(x) if x.sum() > 0 else x

    module = Branching().eval()
    assert graph.fold(module) is module
