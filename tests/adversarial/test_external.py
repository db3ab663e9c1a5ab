"""Adapters for other packages' attacks: the module they attack, and how their result becomes whole levels."""

import numpy as np
import pytest
import torch

from cnnviz.adversarial.catalog import METHODS, SearchSettings
from cnnviz.adversarial.criterion import Criterion
from cnnviz.adversarial.external import QuantizedInput, continue_search, quantize, run_attack, stored_values
from cnnviz.adversarial.target import TargetModel
from cnnviz.control import Control
from tests.support.networks import brightness_network, direct, linear_network

SIDE = 4


def bright() -> tuple[TargetModel, torch.Tensor]:
    """Two classes: the first where the mean of all values is at least 100 levels; values of 110."""
    return direct(brightness_network(100, SIDE)), torch.full((SIDE, SIDE, 3), 110, dtype=torch.uint8)


def test_the_module_rounds_and_its_gradient_is_that_of_the_pipeline():
    weights = torch.randn(2, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(0))
    passes = []
    model = QuantizedInput(
        direct(linear_network(weights, torch.zeros(2))), Control(lambda *words: passes.append(words))
    )
    values = torch.full((1, 3, SIDE, SIDE), 128 / 255)
    x = (values + torch.tensor([0.4, -0.4])[:, None, None, None] / 255).requires_grad_()
    logits = model(x)
    assert torch.equal(logits[0], logits[1])
    [gradient] = torch.autograd.grad(logits[:, 0].sum(), x)
    assert torch.allclose(gradient, weights[0].expand_as(gradient), atol=1e-5)
    with torch.no_grad():
        assert torch.equal(model(x), logits)
    assert len(passes) == 4


def test_stored_values_are_the_nearest_levels_in_range():
    levels = torch.tensor([-3.0, 0.4, 0.6, 254.7, 300.0]).reshape(1, 1, 5)
    assert stored_values(levels).flatten().tolist() == [0, 0, 1, 255, 255]


@pytest.mark.parametrize(("change", "finish", "level"), [
    (-11.3, "rounded", 11), (-10.4, "scaled", 11), (-2.0, "scaled", 11), (-0.2, None, 0), (3.0, None, 3),
])  # fmt: skip
def test_a_change_is_rounded_then_enlarged_by_as_little_as_it_takes(change, finish, level):
    model, values = bright()
    result = quantize(model, values, values.float() + change, Criterion(0), 255)
    assert result.finish == finish
    assert int((result.values.int() - values.int()).abs().max()) == level


def test_a_change_is_not_enlarged_beyond_the_most_levels():
    model, values = bright()
    assert quantize(model, values, values - 5.0, Criterion(0), 10).finish is None


def test_minimal_goes_on_from_the_level_that_fools_by_too_little():
    model, values = bright()
    criterion = Criterion(0, margin=0.5)  # 48 values of 1 / 255 a level: 13 levels below 110
    result = continue_search(model, values, values - 11, criterion, 16)
    assert result.finish == "minimal"
    assert int((result.values.int() - values.int()).abs().max()) == 13
    assert model.queries.backward < 60  # levels 11 and 13, and none below
    assert continue_search(model, values, values - 3, criterion, 16).finish is None


@pytest.mark.parametrize("name", [name for name, method in METHODS.items() if method.package and method.capped])
def test_a_capped_method_keeps_to_its_level(name):
    pytest.importorskip(METHODS[name].package)
    model, values = bright()
    levels = run_attack(SearchSettings(name, "linf", 3, 20), model, values, Criterion(0))
    assert float((levels - values).abs().max()) <= 3.001


def test_an_attack_that_found_nothing_returns_the_photo():
    pytest.importorskip("foolbox")
    model, values = direct(brightness_network(0, SIDE)), torch.full((SIDE, SIDE, 3), 200, dtype=torch.uint8)
    levels = run_attack(SearchSettings("cw", "l2", 255, 2), model, values, Criterion(0))
    assert float((levels - values).abs().max()) < 1e-3


def test_one_pixel_changes_one_pixel_and_leaves_numpys_random_numbers_alone():
    pytest.importorskip("torchattacks")
    model, values = bright()
    before = np.random.get_state()[1].copy()
    results = [
        run_attack(SearchSettings("one-pixel", "l0", 255, 2, seed=seed), model, values, Criterion(0)) for seed in (3, 4)
    ]
    assert int(((results[0] - values).abs() > 0.01).any(2).sum()) == 1
    assert np.array_equal(np.random.get_state()[1], before)
    assert not torch.equal(*results)
