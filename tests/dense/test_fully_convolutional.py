"""A classifier at each place: the mean is the logit, finer places hold the same numbers, layers become convolutions."""

import pytest
import torch
import torchvision
from torch import nn

from cnnviz import Network
from cnnviz.dense.fully_convolutional import dense_logits
from cnnviz.errors import InvalidRequest, MethodError
from tests.support.dense_networks import FullyConnected, Residual, dense_network, random_input
from tests.support.networks import lite0

POOLED = ("efficientnet_lite0", "resnet18", "mobilenet_v2", "squeezenet1_1", "shufflenet_v2_x0_5", "mnasnet0_5")


def pooled(name: str) -> Network:
    if name == "efficientnet_lite0":
        return lite0()
    with torch.random.fork_rng():
        torch.manual_seed(0)
        module = torchvision.models.get_model(name, weights=None, num_classes=20)
    return Network.from_module(module, (64, 64), (0.5,) * 3, (0.25,) * 3, name=name)


@pytest.mark.parametrize("name", POOLED)
def test_the_mean_of_the_places_is_the_logit_and_finer_places_hold_the_same_numbers(name):
    network, x = pooled(name), random_input(128, 192, double=False)
    found = dense_logits(network, x)
    with torch.no_grad():
        logits = network(x)[0]
    scale = float(logits.abs().max())
    assert float((found.values.mean((0, 1)) - logits).abs().max()) <= 1e-5 * max(scale, 1e-30)
    fused = dense_logits(network, x, fused=True).values
    assert float((fused - found.values).abs().max()) <= 1e-5 * float(found.values.abs().max())
    assert float((fused.mean((0, 1)) - logits).abs().max()) <= 1e-5 * max(scale, 1e-30)
    assert found.values.shape[0] == 128 // found.stride - (name == "squeezenet1_1")
    for stride in (16, 8):
        finer, step = dense_logits(network, x, stride), found.stride // min(stride, found.stride)
        assert torch.equal(finer.values[::step, ::step], found.values)
        assert finer.stride == min(stride, found.stride)


def test_finer_places_are_those_of_dilated_kernels():
    strided, dilated = Residual(), Residual(dilated=True)
    network, x = dense_network(strided), random_input(48, 64)
    dilated.load_state_dict(strided.state_dict())
    with torch.no_grad():
        wanted = dilated.double().fc(dilated.features(x)[0].permute(1, 2, 0))
    torch.testing.assert_close(dense_logits(network, x, 2).values, wanted, rtol=1e-12, atol=1e-12)
    every = dense_logits(network, x, 1).values
    assert every.shape == (48, 64, 5)
    torch.testing.assert_close(every[::2, ::2], wanted, rtol=1e-12, atol=1e-12)


def test_fully_connected_layers_are_convolutions():
    module = FullyConnected()
    network, x = dense_network(module), random_input(96, 112)
    found = dense_logits(network, x)
    torch.testing.assert_close(found.values, module.convolutions(x)[0].permute(1, 2, 0), rtol=1e-12, atol=1e-12)
    assert found.values.shape == (9, 13, 4)
    assert found.first[0] == pytest.approx(32, abs=1)  # the middle of the first window
    own = x[..., :64, :64]
    for fused in (False, True):
        values = dense_logits(network, own, fused=fused).values
        torch.testing.assert_close(values[0, 0], network(own)[0], rtol=1e-12, atol=1e-12)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["alexnet", "vgg11"])
def test_a_fully_connected_head_is_the_classifier_at_224_pixels(name):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        module = torchvision.models.get_model(name, weights=None, num_classes=10)
    network = Network.from_module(module, (224, 224), (0.5,) * 3, (0.25,) * 3, name=name)
    x = random_input(224, 224, double=False)
    with torch.no_grad():
        wanted = network(x)[0]
    found = dense_logits(network, x, fused=True)
    assert found.values.shape == (1, 1, 10)
    assert float((found.values[0, 0] - wanted).abs().max()) <= 1e-5 * float(wanted.abs().max())
    assert dense_logits(network, random_input(320, 256, double=False)).values.shape == (4, 2, 10)


def test_pools_with_a_stride_and_a_last_window_that_is_cut_off():
    layers = nn.Conv2d(3, 6, 3, 2), nn.ReLU(), nn.MaxPool2d(3, 2, ceil_mode=True), nn.Conv2d(6, 4, 3, 1, 1)
    network = dense_network(nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3)))
    x = random_input(50, 61)
    found, finer = dense_logits(network, x).values, dense_logits(network, x, 2).values
    assert torch.equal(finer[::2, ::2], found)
    torch.testing.assert_close(found.mean((0, 1)), network(x)[0], rtol=1e-12, atol=1e-12)


def test_what_cannot_be_is_refused():
    network = dense_network(FullyConnected(), "tight")
    with pytest.raises(MethodError, match=r"tight cannot take an input of 64x48 .* fully connected layers see"):
        dense_logits(network, random_input(48, 64))
    with pytest.raises(InvalidRequest, match="a divisor of 4"):
        dense_logits(network, random_input(64, 64), 3)
    averaged = nn.Sequential(nn.Conv2d(3, 4, 3, 1, 1), nn.AvgPool2d(3, 2, 1), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    network = dense_network(averaged, "padded")
    assert dense_logits(network, random_input(64, 64)).stride == 2
    with pytest.raises(MethodError, match="padded has no places less than 2 pixels apart"):
        dense_logits(network, random_input(64, 64), 1)
