"""Trunks against the network they are cut from, left as it is; captured outputs, before in-place changes."""

from copy import deepcopy

import pytest
import torch
import torchvision
from torch import nn

from cnnviz import load_network
from cnnviz.errors import InvalidRequest, MethodError
from cnnviz.models.features import LOGITS, FeatureExtractor, capture, feature_maps
from cnnviz.models.network import Network

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
NETWORKS = [
    ("googlenet", ["inception3a", "inception4c"], 96),
    ("vgg16", ["features.8", "features.9", "features.22"], 64),
    ("resnet50", ["conv1", "layer1.0.conv2", "layer3"], 96),
    ("mobilenet_v3_large", ["features.0.1", "features.4", "features.13"], 96),
    ("densenet121", ["features.denseblock1.denselayer2.norm1", "features.denseblock3"], 96),
    ("vit_b_16", ["encoder.layers.encoder_layer_1", "encoder.layers.encoder_layer_3.ln_1"], 224),
]


def real(name: str, size: int) -> Network:
    """A network of torchvision with random weights; googlenet with the heads and the input of its public weights."""
    torch.manual_seed(0)
    special = {"aux_logits": True, "transform_input": True, "init_weights": False} if name == "googlenet" else {}
    module = torchvision.models.get_model(name, weights=None, **special).eval()
    for child in module.modules():
        if isinstance(child, nn.BatchNorm2d):
            child.running_mean.normal_(0, 0.1)
            child.running_var.uniform_(0.5, 1.5)
        if isinstance(child, nn.Linear):
            child.weight.data.normal_(0, 0.02)  # a transformer's head begins at zero
    return Network.from_module(module, (size, size), MEAN, STD, name=name)


def plain(network: Network, layers: list[str], x: torch.Tensor) -> dict[str, torch.Tensor]:
    """What layers give in the untouched network, copied before anything changes it."""
    found = {}
    handles = [
        network.layer(name).register_forward_hook(lambda _m, _i, out, name=name: found.update({name: out.clone()}))
        for name in layers
    ]
    logits = network(x)
    for handle in handles:
        handle.remove()
    return found | {LOGITS: logits}


PICTURES = 3
FACTOR = 5.0  # single precision's own errors differ between orders of summation; vgg16 has the most, 3.4


def slope(given: dict[str, torch.Tensor], weights: dict[str, torch.Tensor], x: torch.Tensor) -> torch.Tensor:
    """The gradient, in float64, of a weighted sum of what layers give."""
    total = sum((given[name] * weight.to(given[name])).sum() for name, weight in weights.items())
    return torch.autograd.grad(total, x)[0].double()


def distances(network: Network, trunk: FeatureExtractor, double: Network, x: torch.Tensor) -> dict[str, torch.Tensor]:
    """How far the trunk's gradient and plain autograd's are from plain float64's, for the same random objective.

    Each time the share of values that are off by more than 1e-4 of the largest, and the relative distance of all.
    """
    named = [name for name in trunk.layers if name != LOGITS]
    inputs = [x.clone().to(dtype).requires_grad_() for dtype in (x.dtype, x.dtype, torch.float64)]
    ours, theirs, exact = trunk(inputs[0]), plain(network, named, inputs[1]), plain(double, named, inputs[2])
    weights = {name: torch.randn_like(exact[name]) / exact[name].detach().std() for name in trunk.layers}
    for name in weights:
        assert (ours[name] - exact[name]).abs().max() <= 1e-4 * exact[name].abs().max()
    wanted = slope(exact, weights, inputs[2])
    found = {}
    for kind, given, at in (("trunk", ours, inputs[0]), ("plain", theirs, inputs[1])):
        off = slope(given, weights, at) - wanted
        assert torch.isfinite(off).all()
        share = (off.abs() > 1e-4 * wanted.abs().max()).double().mean()
        found[kind] = torch.stack([share, off.norm() / wanted.norm()])
    return found


def close(network: Network, layers: list[str], size: tuple[int, int]) -> None:
    """Demand the gradient of plain autograd: to many digits in float64, in float32 as near to that as autograd's own.

    The median of some pictures: a unit that rounding carries over the bend of its rectifier has another derivative, in
    the trunk or in plain autograd, which is then off by 1e-3 to 1e-2 in either for single pictures.
    """
    torch.manual_seed(1)
    mean, std = network.mean.flatten().tolist(), network.std.flatten().tolist()
    trunk, double = (
        FeatureExtractor(network, layers),
        Network.from_module(deepcopy(network.module).double(), network.size, mean, std),
    )
    assert list(trunk(torch.rand(1, 3, *size))) == layers
    rows = [distances(network, trunk, double, torch.rand(1, 3, *size)) for _ in range(PICTURES)]
    ours, theirs = (torch.stack([row[kind] for row in rows]) for kind in ("trunk", "plain"))
    for mine, autograd in zip(ours.median(0).values, theirs.median(0).values, strict=True):
        assert mine <= FACTOR * autograd
    assert (ours[:, 1] < 0.02).all()
    exact = distances(double, FeatureExtractor(double, layers), double, torch.rand(1, 3, *size, dtype=torch.float64))
    assert exact["trunk"][1] <= 1e-10


@pytest.mark.slow
@pytest.mark.parametrize(("name", "layers", "size"), NETWORKS)
def test_the_gradient_is_that_of_plain_autograd(name, layers, size):
    network = real(name, size)
    before = {key: value.clone() for key, value in network.module.state_dict().items()}
    close(network, [*layers, LOGITS], (size, size))
    close(network, layers[-1:], (size, size))
    assert all(torch.equal(before[key], value) for key, value in network.module.state_dict().items())


LITE = (["blocks.4"], ["bn1", "blocks.0.0.conv_dw", "blocks.2.1.bn2"], ["blocks.1", LOGITS])


@pytest.mark.parametrize("layers", LITE)
def test_the_bundled_network_too_at_any_size(layers):
    close(load_network("efficientnet_lite0", device="cpu"), layers, (97, 131))


class Twice(nn.Module):
    """One rectifier serves twice, in place; a normalisation behind a named convolution; a head nobody runs."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm, self.act = nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(inplace=True)
        self.last, self.linear, self.head = nn.Conv2d(4, 5, 3), nn.Linear(5, 7), nn.Linear(5, 2)
        self.ran = 0

    def forward(self, x):
        x = self.act(self.norm(self.conv(x)))
        x = self.act(self.last(x))
        self.ran += 1
        return self.linear(x.mean((2, 3)))


def small() -> Network:
    torch.manual_seed(0)
    module = Twice()
    module.norm.running_mean.fill_(0.3)
    module.norm.running_var.fill_(3)
    return Network.from_module(module, (16, 16), MEAN, STD)


@pytest.mark.parametrize("layers", [["conv"], ["norm"], ["act"], ["last"], ["conv", "act"], ["last", "norm", LOGITS]])
def test_a_layer_gives_what_it_gave_at_its_last_run_before_changes_in_place(layers):
    close(small(), layers, (17, 12))


def test_nothing_behind_the_last_layer_is_run():
    trunk, whole = FeatureExtractor(small(), ["last"]), FeatureExtractor(small(), ["last", LOGITS])
    before = trunk.module.ran, whole.module.ran
    trunk(torch.rand(1, 3, 16, 16))
    whole(torch.rand(1, 3, 16, 16))
    assert (trunk.module.ran, whole.module.ran) == (before[0], before[1] + 1)


def test_only_the_picture_gets_a_gradient():
    trunk = FeatureExtractor(small(), ["last"])
    x = torch.rand(1, 3, 16, 16, requires_grad=True)
    trunk(x)["last"].sum().backward()
    assert x.grad is not None
    assert not any(weight.requires_grad for weight in trunk.module.parameters())


def test_the_networks_own_weights_stay():
    network = small()
    network.module.requires_grad_(True)
    FeatureExtractor(network, ["last"])
    assert all(weight.requires_grad for weight in network.module.parameters())
    assert network.module.conv.weight.is_contiguous()


def test_what_cannot_be_is_refused():
    with pytest.raises(InvalidRequest, match=r"no layer 'lest'.*last"):
        FeatureExtractor(small(), ["lest"])
    with pytest.raises(InvalidRequest, match="layer head of network gives no tensor"):
        FeatureExtractor(small(), ["head"])
    with pytest.raises(MethodError, match="cannot take 2x3 pixels"):
        FeatureExtractor(small(), ["last"])(torch.rand(1, 3, 3, 2))


# Captured outputs; the hooks are removed


def small_network() -> Network:
    torch.manual_seed(0)
    module = nn.Sequential(
        nn.Conv2d(3, 4, 3), nn.ReLU(inplace=True), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 2)
    )
    return Network.from_module(module, (8, 8), (0.5,) * 3, (0.5,) * 3, name="small")


def test_a_rectifier_in_place_does_not_change_the_captured_output():
    network, x = small_network(), torch.rand(1, 3, 8, 8)
    with torch.inference_mode(), capture(network, "0") as captured, capture(network, ["0"], channel=2) as one:
        network(x)
        network(x)
        expected = nn.functional.conv2d((x - 0.5) / 0.5, network.module[0].weight, network.module[0].bias)
    outputs = captured.tensors["0"]
    assert len(outputs) == 2
    assert (expected < 0).any()
    torch.testing.assert_close(outputs[0], expected)
    assert torch.equal(one.tensors["0"][0], outputs[0][:, 2])
    assert torch.equal(feature_maps(outputs, "0"), outputs[1][0])


def test_inputs_are_captured_before_the_layer_runs():
    network, x = small_network(), torch.rand(1, 3, 8, 8)
    with capture(network, "0", inputs=True) as captured:
        network(x)
    torch.testing.assert_close(captured.tensors["0"][0], (x - 0.5) / 0.5)


def test_hooks_are_removed_after_an_error():
    network = small_network()
    with pytest.raises(RuntimeError, match="stop"), capture(network, "1") as captured:
        raise RuntimeError("stop")
    network(torch.rand(1, 3, 8, 8))
    assert captured.tensors == {}
    assert not any(module._forward_hooks for module in network.module.modules())  # noqa: SLF001 - torch tells the number of hooks nowhere else


@pytest.mark.parametrize("runs", [{}, {"0": 1}])
def test_a_pass_ends_once_all_layers_have_run_as_often_as_before(runs: dict[str, int]):
    network, x, later = small_network(), torch.rand(1, 3, 8, 8), []
    network.module[4].register_forward_hook(lambda *_: later.append(1))
    with capture(network, "0", stop_early=True) as captured:
        captured.runs = runs
        first = captured.run(network, x)
        output = captured.tensors["0"][0]
        assert captured.run(network, x) is None
    assert (first is None, len(later)) == ((True, 0) if runs else (False, 1))
    assert torch.equal(captured.tensors["0"][0], output)


def test_layers_that_do_not_exist_or_give_no_maps():
    network = small_network()
    hint = "small has no layer '9'; see cnnviz layers -m small"
    with pytest.raises(InvalidRequest, match=hint), capture(network, "9"):
        pass
    with capture(network, "4") as captured:
        network(torch.rand(1, 3, 8, 8))
    for outputs in (captured.tensors["4"], []):
        with pytest.raises(InvalidRequest, match="layer 4 gives no feature maps"):
            feature_maps(outputs, "4")


@pytest.mark.parametrize(("stride", "layer", "values"), [(1, "1", 6), (1, "3", 6 + 4), (2, "3", (6 + 4) / 4)])
def test_what_a_gradient_keeps_are_the_outputs_of_the_nonlinear_layers(stride, layer, values):
    body = [nn.Conv2d(3, 6, 3, stride, padding=1), nn.ReLU(), nn.Conv2d(6, 4, 1), nn.Tanh()]
    network = Network.from_module(nn.Sequential(*body), (64, 96), MEAN, STD)
    assert FeatureExtractor(network, [layer]).bytes_per_pixel == pytest.approx(4 * values, abs=0.01)
