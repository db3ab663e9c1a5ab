"""Libraries' attacks on stored values: a linear network, whose smallest change is known."""

import numpy as np
import pytest
import torch
from torch import nn

from cnnviz import Network
from cnnviz.adversarial.external import QuantizedInput, run_attack, whole
from cnnviz.adversarial.target import SURE, Criterion, InputPipeline, TargetModel, add_levels
from cnnviz.models.catalog import ATTACKS
from tests.conftest import attacked_by

SIDE = 6


def see(values):
    return values.permute(2, 0, 1)[None].float() / 255


def back(slopes):
    return slopes[0].permute(1, 2, 0) / 255


def linear(lead: float) -> tuple[TargetModel, torch.Tensor, torch.Tensor]:
    """Two classes, the first ahead by ``lead`` levels of every value; the weights (H, W, C), and grey values."""
    generator = torch.Generator().manual_seed(0)
    weights = torch.rand(3, SIDE, SIDE, generator=generator) + 0.5
    weights *= torch.randint(0, 2, weights.shape, generator=generator) * 2 - 1
    classifier = nn.Linear(weights.numel(), 2)
    values = torch.full((SIDE, SIDE, 3), 128, dtype=torch.uint8)
    with torch.no_grad():
        classifier.weight.zero_()
        classifier.weight[0] = weights.flatten()
        ahead = lead / 255 * weights.abs().sum()
        classifier.bias.copy_(torch.stack((ahead - (weights * 128 / 255).sum(), torch.tensor(0.0))))
    module = nn.Sequential(nn.Flatten(), classifier)
    network = Network.from_module(module, (SIDE, SIDE), (0, 0, 0), (1, 1, 1))
    return attacked_by((InputPipeline(see, back), network)), values, weights.permute(1, 2, 0)


def test_the_module_rounds_and_its_slope_is_that_of_the_pipeline():
    attacked, values, weights = linear(3.0)
    model = QuantizedInput(attacked)
    x = (see(values) + torch.tensor([0.4, -0.4])[:, None, None, None] / 255).requires_grad_()
    logits = model(x)
    assert torch.equal(logits[0], logits[1])
    assert torch.equal(logits[0], attacked.logits(values)[0])
    [slope] = torch.autograd.grad(logits[:, 0].sum(), x)
    assert torch.allclose(slope, weights.permute(2, 0, 1).expand_as(slope), atol=1e-5)
    with torch.no_grad():
        assert torch.equal(model(x), logits)


def test_whole_levels_are_the_nearest_and_stay_in_range():
    levels = torch.tensor([-3.0, 0.4, 0.6, 254.7, 300.0]).reshape(1, 1, 5)
    assert whole(levels).flatten().tolist() == [0, 0, 1, 255, 255]


def found(name: str, norm: str, lead: float, **more: int) -> tuple[torch.Tensor, bool, torch.Tensor]:
    pytest.importorskip(ATTACKS[name].package)
    attacked, values, weights = linear(lead)
    made = run_attack(name, attacked, values, Criterion(0), norm=norm, **more)
    change = made - values.float()
    barely = Criterion(0, margin=-SURE)  # what a library takes for fooled
    return change, attacked.fooled(add_levels(values, change.round()), barely), weights


@pytest.mark.parametrize("name", ["fgsm", "pgd", "mi-fgsm", "apgd", "autoattack", "square"])
def test_a_capped_method_fools_from_the_known_level_on_and_keeps_to_it(name):
    change, fooled, weights = found(name, "linf", 2.5, level=3, steps=20 if name != "square" else 1000)
    assert fooled
    assert float(change.abs().max()) <= 3.001
    if name == "fgsm":
        assert torch.allclose(change, -3 * weights.sign(), atol=1e-3)
    if name not in ("square", "autoattack"):  # which go on for long where nothing can be found
        assert not found(name, "linf", 2.5, level=2, steps=20)[1]


@pytest.mark.parametrize(("name", "norm"), [("deepfool", "l2"), ("cw", "l2"), ("ddn", "l2"), ("deepfool", "linf"),
                                            ("fmn", "linf")])  # fmt: skip
def test_a_smallest_change_is_nearly_that_of_the_closed_form(name, norm):
    change, fooled, weights = found(name, norm, 20.0, steps=100)
    assert fooled
    size = float(change.abs().max() if norm == "linf" else change.norm())
    ahead = 20 * weights.abs().sum()
    least = float(ahead / (weights.abs().sum() if norm == "linf" else weights.norm()))
    assert 0.97 * least <= size <= 1.1 * least


def test_what_found_nothing_is_the_photograph_itself():
    change, fooled, _ = found("cw", "l2", 200.0, steps=2)  # no change of 8 bits reaches so far
    assert not fooled
    assert float(change.abs().max()) < 1e-3


def test_one_pixel_changes_one_pixel():
    change, _, _ = found("one-pixel", "l0", 2.5, steps=2)
    assert int((change.abs() > 0.01).any(2).sum()) == 1


def test_the_libraries_leave_the_random_numbers_of_others_alone():
    pytest.importorskip("torchattacks")
    attacked, values, _ = linear(2.5)
    before = torch.get_rng_state(), np.random.get_state()[1].copy()
    made = [
        run_attack("one-pixel", attacked, values, Criterion(0), norm="l0", steps=1, seed=seed) for seed in (3, 3, 4)
    ]
    assert torch.equal(torch.get_rng_state(), before[0])
    assert np.array_equal(np.random.get_state()[1], before[1])
    assert torch.equal(made[0], made[1])
    assert not torch.equal(made[0], made[2])
