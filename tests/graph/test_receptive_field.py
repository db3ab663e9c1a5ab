"""Receptive fields against known ones and against gradients."""

import pytest
import torch
from torch import nn

from cnnviz.graph.backward_rules import replay
from cnnviz.graph.receptive_field import ALL, UNKNOWN, FieldRecorder, LayerInfo, layer_table
from cnnviz.graph.tape import record
from cnnviz.models.loader import build_blank


def fields(name: str, size: int = 224) -> dict[str, LayerInfo]:
    return {layer.name: layer for layer in layer_table(build_blank(name), (size, size))}


KNOWN = [
    ("alexnet", "features.3", 51),
    ("alexnet", "features.6", 99),
    ("vgg16", "features.7", 14),
    ("vgg16", "features.14", 40),
    ("resnet18", "layer2.0.conv1", 51),
    ("resnet18", "layer3.0.conv1", 115),
    ("efficientnet_lite0", "blocks.2.1.conv_pw", 35),
    ("efficientnet_lite0", "blocks.4.0.conv_pw", 147),
]


@pytest.mark.parametrize(("model", "layer", "size"), KNOWN)
def test_receptive_fields_are_the_known_ones(model, layer, size):
    assert fields(model)[layer].field == (size, size)


def linear(module: nn.Module) -> nn.Module:
    """Return a network in float64 without rectifiers, with mean pools and positive weights: all it sees shows."""
    for parent in list(module.modules()):
        for name, child in parent.named_children():
            if isinstance(child, (nn.ReLU, nn.ReLU6)):
                setattr(parent, name, nn.Identity())
            elif isinstance(child, nn.MaxPool2d):
                setattr(parent, name, nn.AvgPool2d(child.kernel_size, child.stride, child.padding))
    module.to_empty(device="cpu").double().eval()
    for tensor in [*module.parameters(), *module.buffers()]:
        tensor.data.fill_(1)
    for parameter in module.parameters():
        parameter.data.mul_(0.1)
    return module


@pytest.mark.parametrize(("model", "layer", "size"), KNOWN)
def test_boxes_equal_the_support_of_the_gradient(model, layer, size):
    module = linear(build_blank(model))
    x = torch.ones(1, 3, 224, 224, dtype=torch.float64, requires_grad=True)
    tape = record(module, x, module, whole=True)
    played = replay(tape, tape.modules[layer], "gradient")
    rows, columns = played.out.shape[-2:]
    boxes = fields(model)[layer]
    for place in ((rows // 2, columns // 3), (0, columns - 1), (rows - 1, 1)):
        signal = torch.zeros_like(played.out)
        signal[0, 0, place[0], place[1]] = 1
        seen = played.back(signal)[0].sum(0).nonzero()
        top, left, bottom, right = boxes.box(place, (224, 224))
        assert bottom - top == right - left == size
        clipped = [max(top, 0), max(left, 0), min(bottom, 224), min(right, 224)]
        assert [*seen.amin(0).tolist(), *(seen.amax(0) + 1).tolist()] == clipped


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
    with FieldRecorder(x) as watched:
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
    assert found["avgpool"].field == ALL
    assert found["fc"].field == ALL
    squeeze = fields("efficientnet_b0")
    assert squeeze["features.1.0.block.1.scale_activation"].field == ALL
    assert squeeze["features.1.0.block.2"].field == ALL
    assert fields("vit_b_16")["encoder.layers.encoder_layer_0.mlp"].field in (ALL, UNKNOWN)


def test_layers_are_listed_in_the_order_they_answer_with_their_shapes():
    found = layer_table(build_blank("alexnet"), (224, 224))
    names = [layer.name for layer in found]
    assert names.index("features.0") < names.index("features.1") < names.index("classifier.6")
    shapes = {layer.name: layer.shape for layer in found}
    assert shapes["features.0"] == (64, 55, 55)
    assert shapes["classifier.6"] == (1000,)


def test_layers_know_the_kind_of_activation_function_they_end_in():
    class Joined(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.left, self.right = nn.Sequential(nn.Conv2d(3, 2, 1), nn.ReLU(inplace=True)), nn.SiLU()

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.cat([self.left(x), self.right(x)], 1)

    module = nn.Sequential(Joined(), nn.MaxPool2d(2), nn.ReLU6(), nn.Conv2d(5, 2, 1))
    kinds = {layer.name: layer.activation for layer in layer_table(module, (8, 8))}
    assert kinds == {
        "0.left.0": "", "0.left.1": "unbounded", "0.left": "unbounded", "0.right": "unbounded", "0": "unbounded",
        "1": "", "2": "bounded", "3": "",
    }  # fmt: skip
