"""Levels that are known on networks that know bright from dark; the curve of several photos."""

import numpy as np
import pytest
import torch

from cnnviz import Network
from cnnviz.adversarial import robustness as module
from cnnviz.adversarial.criterion import Criterion
from cnnviz.adversarial.minimal import AdversarialResult
from cnnviz.adversarial.pipeline import attacked_photo
from cnnviz.adversarial.robustness import (
    PhotoRobustness,
    noise_level,
    photo_robustness,
    robustness,
    robustness_curve,
)
from cnnviz.io.photo import StoredImage
from tests.support.networks import brightness_network

SIDE = 8


def bright(level: float, scale: float = 1.0) -> Network:
    return brightness_network(level, SIDE, scale, classes=["bright", "dark"])


def grey(value: int) -> np.ndarray:
    return np.full((SIDE, SIDE, 3), value, np.uint8)


def measure(value: int, network: Network, eps: int = 8, seed: int = 0) -> PhotoRobustness:
    return photo_robustness(network, grey(value), eps=eps, fit="whole", seed=seed)


@pytest.mark.parametrize("scale", [1.0, 1e-3])
@pytest.mark.parametrize(
    ("value", "eps", "level"), [(105, 8, 6), (107, 8, 8), (108, 8, None), (119, 40, 20), (94, 8, 6)]
)
def test_the_level_of_a_linear_network_is_the_closed_form(value, eps, level, scale):
    row = measure(value, bright(99.5, scale), eps)
    assert row.levels == level
    assert row.fooled is (level is not None)
    assert row.clean_top[0].name == ("bright" if value > 100 else "dark")
    if level:
        assert row.top[0].name != row.clean_top[0].name
    assert row.noise_levels is None  # whose mean is nearly 0


def test_noise_is_tried_up_to_the_last_level():
    original = StoredImage(grey(100), None, None, (255, 255, 255))
    photo = attacked_photo(original, bright(99.995, 10), "whole")
    levels = []
    for seed in range(6):
        signs = torch.randint(0, 2, (SIDE, SIDE, 3), generator=torch.Generator().manual_seed(seed)) * 2 - 1
        levels.append(noise_level(photo, Criterion(0), 1, seed))
        assert levels[-1] == (1 if signs.sum() < 0 else None)
    assert 1 in levels
    network = bright(99.995, 10)  # half of what one sign more or less does, away from what rounding decides
    assert {measure(100, network, seed=seed).noise_levels for seed in range(6)} == {1, None}


def test_the_folded_network_alone_is_not_believed(monkeypatch):
    true, asked = Criterion.is_met, []

    def is_met(criterion, logits):
        asked.append(1)
        return len(asked) > 3 and true(criterion, logits)

    monkeypatch.setattr(Criterion, "is_met", is_met)
    assert measure(102, bright(100)).levels == 5  # 3 and 4 were refused


def test_what_the_network_itself_says_counts_where_the_search_gives_up(monkeypatch):
    def minimal_level(_model, values, _criterion, **_options):
        return AdversarialResult(values - 7, False, 7, values)

    monkeypatch.setattr(module, "minimal_level", minimal_level)
    row = measure(105, bright(100))
    assert (row.fooled, row.levels, row.top[0].name) == (True, 7, "dark")


def test_a_level_that_is_refused_is_not_tried_again(monkeypatch):
    asked = []

    def minimal_level(_model, values, _criterion, *, least, **_options):
        asked.append(least)
        return AdversarialResult(values, True, 2, values)  # saturated: changed by less than was allowed

    monkeypatch.setattr(module, "minimal_level", minimal_level)
    assert measure(120, bright(100), eps=5).levels is None
    assert asked == [1, 3, 4, 5]


def test_shares_and_the_median_are_counted_by_level():
    def row(level, noise):
        return PhotoRobustness("mine", level, noise, [], [], {"forward": 2, "backward": 1}, {})

    mine = bright(100)
    curve = robustness_curve(mine, [row(1, None), row(3, None), row(None, 2), row(3, None)], 3)
    assert curve.accuracy == [1, 0.75, 0.75, 0.25]
    assert curve.noise_accuracy == [1, 1, 0.75, 0.75]
    assert (curve.median_levels, curve.photos) == (3, 4)
    assert robustness_curve(mine, [row(3, None), row(1, None)], 3).median_levels == 1  # the lower of two
    assert curve.passes == {"forward": 8, "backward": 4}
    assert robustness_curve(mine, [row(1, None), row(None, 1), row(None, 1)], 3).median_levels is None


def test_photos_give_a_curve():
    curve = robustness(bright(99.5), [grey(102), grey(105)], eps=6, fit="whole")
    assert curve.accuracy == [1, 1, 1, 0.5, 0.5, 0.5, 0]
    assert (curve.ground_truth, curve.class_name) == (None, None)
    wrong = robustness(bright(99.5), [grey(102)], eps=2, fit="whole", ground_truth="dark")
    assert (wrong.accuracy, wrong.noise_accuracy, wrong.warned) == ([0, 0, 0], [0, 0, 0], {"misclassified": 1})
    assert (wrong.ground_truth, wrong.class_name) == (1, "dark")
