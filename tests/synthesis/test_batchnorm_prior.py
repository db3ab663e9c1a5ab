"""The pull towards the statistics of photographs, against autograd and closed forms."""

import pytest
import torch
from torch import nn

from cnnviz import Network
from cnnviz.models.features import LOGITS, BatchNormStatistics, FeatureExtractor
from cnnviz.synthesis.batchnorm_prior import batchnorm_gradient, batchnorm_regularized


def network(norms: bool = True) -> Network:
    torch.manual_seed(0)
    first = nn.BatchNorm2d(6) if norms else nn.Identity()
    module = nn.Sequential(
        nn.Conv2d(3, 6, 3, 2, 1, bias=False), first, nn.ReLU6(inplace=True), nn.Conv2d(6, 4, 3),
        nn.BatchNorm2d(4) if norms else nn.Identity(), nn.Tanh(), nn.AdaptiveAvgPool2d(1), nn.Flatten(),
    )  # fmt: skip
    for child in module.modules():
        if isinstance(child, nn.BatchNorm2d):
            nn.init.normal_(child.weight), nn.init.normal_(child.bias)
            assert child.running_mean is not None
            assert child.running_var is not None
            child.running_mean.normal_()
            child.running_var.uniform_(0.5, 2)
    return Network.from_module(module.double(), (16, 16), (0.5,) * 3, (0.5,) * 3)


def distance(values: torch.Tensor, mean: torch.Tensor, deviation: torch.Tensor) -> torch.Tensor:
    """The distance as its docstring puts it, of each picture, without a line of the code under test."""
    total = torch.zeros((), dtype=values.dtype)
    unit = deviation.clamp(min=0.05 * float(deviation.mean()))
    for one in values:
        there = (one.mean((1, 2)) - mean) / unit
        spread = ((one.var((1, 2), correction=0) + 1e-6).sqrt() - deviation) / unit
        total = total + (there.square() + spread.square()).mean()
    return total


def test_the_slope_of_a_layer_is_the_gradient_of_its_distance():
    torch.manual_seed(1)
    values = torch.randn(2, 5, 4, 6, dtype=torch.float64, requires_grad=True)
    mean, deviation = torch.randn(5).double(), torch.rand(5).double() + 0.01
    (wanted,) = torch.autograd.grad(distance(values, mean, deviation), values)
    assert torch.allclose(batchnorm_gradient(values.detach(), BatchNormStatistics(mean, deviation)), wanted, atol=1e-12)


def test_nothing_pulls_where_the_statistics_are_those_expected():
    torch.manual_seed(1)
    values = torch.randn(1, 3, 20, 20, dtype=torch.float64)
    deviation = (values.var((0, 2, 3), correction=0) + 1e-6).sqrt()
    assert batchnorm_gradient(values, BatchNormStatistics(values.mean((0, 2, 3)), deviation)).abs().max() < 1e-12


def test_the_way_back_goes_up_the_logit_and_down_the_distance_folded_or_not():
    torch.manual_seed(2)
    ours = network()
    x = torch.rand(2, 3, 16, 16, dtype=torch.float64, requires_grad=True)
    trunk = FeatureExtractor(ours, [LOGITS])
    with batchnorm_regularized(trunk, 0.7):
        (got,) = torch.autograd.grad(trunk(x)[LOGITS][:, 1].sum(), x)
    seen: list[tuple[nn.BatchNorm2d, torch.Tensor]] = []
    norms = [child for child in ours.module.modules() if isinstance(child, nn.BatchNorm2d)]
    for norm in norms:
        norm.register_forward_pre_hook(lambda module, inputs: seen.append((module, inputs[0])))
    value = ours(x)[:, 1].sum()
    for norm, arrived in seen:
        assert norm.running_mean is not None
        assert norm.running_var is not None
        # what is folded arrives normalised and scaled: the same distance, in other units
        made = nn.functional.batch_norm(arrived, norm.running_mean, norm.running_var, norm.weight, norm.bias)
        value = value - 0.7 * distance(made, norm.bias, norm.weight.abs())
    (wanted,) = torch.autograd.grad(value, x)
    assert len(seen) == 2
    assert torch.allclose(got, wanted, atol=1e-10)


def test_afterwards_nothing_pulls_any_more():
    trunk, x = FeatureExtractor(network(), [LOGITS]), torch.rand(1, 3, 16, 16, dtype=torch.float64, requires_grad=True)
    (plain,) = torch.autograd.grad(trunk(x)[LOGITS].sum(), x)
    with batchnorm_regularized(trunk, 5.0):
        (other,) = torch.autograd.grad(trunk(x)[LOGITS].sum(), x)
    (again,) = torch.autograd.grad(trunk(x)[LOGITS].sum(), x)
    assert torch.equal(plain, again)
    assert not torch.allclose(plain, other)


@pytest.mark.parametrize("weight", [0.0, 3.0])
def test_a_network_without_normalisations_is_left_as_it_is(weight):
    trunk = FeatureExtractor(network(norms=False), [LOGITS])
    x = torch.rand(1, 3, 16, 16, dtype=torch.float64, requires_grad=True)
    with batchnorm_regularized(trunk, weight):
        (got,) = torch.autograd.grad(trunk(x)[LOGITS].sum(), x)
    (plain,) = torch.autograd.grad(trunk(x)[LOGITS].sum(), x)
    assert torch.equal(got, plain)
