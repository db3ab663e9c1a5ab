"""Criteria: the sign of margins, tolerance, classes as users name them; the gradients of the losses."""

import pytest
import torch
from torch import nn

from cnnviz import Network, load_network
from cnnviz.adversarial.criterion import (
    Criterion,
    criterion_for,
    numeric_tolerance,
    require_same_classes,
    same_classes,
    soft_margin_loss,
)
from cnnviz.errors import InvalidRequest, MethodError
from tests.support.networks import brightness_network, linear_network, lite0


def test_margins_are_positive_where_the_network_is_fooled():
    logits = torch.tensor([[3.0, 1.0, 0.0], [0.0, 2.0, 1.0]])
    assert Criterion(0).margins(logits) == pytest.approx([-2.01, 1.99], abs=1e-5)
    assert Criterion(0, goal=2).margins(logits) == pytest.approx([-3.01, -1.01], abs=1e-5)
    assert Criterion(0, margin=2.0).margins(logits) == pytest.approx([-4.01, -0.01], abs=1e-5)
    assert [Criterion(0, margin=2.0).lead(row) for row in logits] == pytest.approx([-2, 2], abs=1e-5)


def test_the_first_class_decides_whether_a_file_fools():
    logits = torch.tensor([1.0, 3.0, 2.0])
    criteria = [Criterion(1), Criterion(0), Criterion(0, goal=1), Criterion(0, goal=2)]
    assert [criterion.is_met(logits) for criterion in criteria] == [False, True, True, False]
    for criterion in criteria:
        assert criterion.is_met(logits) is (criterion.lead(logits) > 0)


def test_the_tolerance_covers_what_passes_may_differ_by():
    logits = torch.tensor([12.0, -8.0, 0.0])
    assert numeric_tolerance(logits, torch.float32) == 0.01
    assert numeric_tolerance(logits / 100, torch.float32) == pytest.approx(2e-4)
    assert numeric_tolerance(logits / 100 + 1e4, torch.float32) == pytest.approx(8 * 2**-23 * 1e4, rel=1e-3)
    assert numeric_tolerance(logits, torch.float16) == pytest.approx(8 * 2**-10 * 12)
    assert Criterion(0, margin=2.0, tolerance=0.5).margins(logits[None]) == pytest.approx([-14.5])


def test_sizes_between_those_of_resize_are_met_by_a_margin():
    network, logits = lite0(), torch.tensor([1.0, 3.0, 2.0])
    margins = [criterion_for(network, logits, margin=margin, robust_to=("blur", "resize")).margin for margin in (0, 4)]
    assert margins == [2.5, 4]
    assert criterion_for(network, logits, robust_to=("blur",)).margin == 0
    low = load_network("efficientnet_lite0", device="cpu", dtype="bfloat16")
    assert criterion_for(low, logits).tolerance == 8 * 2**-7 * 3


def test_classes_are_names_or_indices():
    module = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(3, 3))
    network = Network.from_module(module, (8, 8), (0.5,) * 3, (0.5,) * 3, ["cat", "dog", "cup"])
    logits = torch.tensor([1.0, 3.0, 2.0])
    assert criterion_for(network, logits).target == 1
    assert criterion_for(network, logits, goal="cup", ground_truth=0) == Criterion(0, 2, 0.0, pytest.approx(2e-3))
    with pytest.raises(InvalidRequest, match="both cup"):
        criterion_for(network, logits, goal=2, ground_truth="cup")
    with pytest.raises(InvalidRequest, match="no class 7"):
        criterion_for(network, logits, goal=7)
    with pytest.raises(MethodError, match="classified as dog already"):
        criterion_for(network, logits, goal="dog")
    with pytest.raises(MethodError, match="single class"):
        criterion_for(network, logits[:1])


def gradient_of(criterion: Criterion, logits: torch.Tensor) -> torch.Tensor:
    (gradient,) = torch.autograd.grad(soft_margin_loss(criterion)(logits), logits)
    return gradient


def test_the_soft_margin_keeps_its_gradient_where_the_network_is_sure():
    sure = torch.tensor([[100.0, 0.0, 0.0]], requires_grad=True)
    assert gradient_of(Criterion(0), sure)[0].tolist() == pytest.approx([1.0, -0.5, -0.5])
    assert gradient_of(Criterion(0, goal=1), sure)[0].tolist() == pytest.approx([1.0, -1.0, 0.0], abs=1e-6)


def test_views_that_are_fooled_have_less_weight():
    gradient = gradient_of(Criterion(0), torch.tensor([[0.0, 9.0, 0.0], [9.0, 0.0, 0.0]], requires_grad=True))
    assert gradient[0, 0] < 0.01 < 0.9 < gradient[1, 0]


def test_views_that_lack_the_margin_have_full_weight():
    logits = torch.tensor([[0.0, 4.0, 0.0], [9.0, 0.0, 0.0]], requires_grad=True)
    gradients = [gradient_of(Criterion(0, margin=margin), logits) for margin in (0.0, 8.0)]
    shares = [float(gradient[0, 0] / gradient[1, 0]) for gradient in gradients]
    assert shares[0] < 0.2 < 0.9 < shares[1]


def test_names_decide_and_without_any_the_number_of_outputs():
    named = [brightness_network(100, 4, classes=names) for names in (["a", "b"], ["a", "b"], ["a", "c"])]
    assert same_classes(named[0], named[1])
    assert not same_classes(named[0], named[2])
    two, three = brightness_network(100, 4), linear_network(torch.zeros(3, 3, 8, 8), torch.zeros(3))
    assert same_classes(two, brightness_network(90, 8))
    assert not same_classes(two, three)
    assert not same_classes(two, named[0])
    with pytest.raises(InvalidRequest, match="has other classes than"):
        require_same_classes(two, [three])
