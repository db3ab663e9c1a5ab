"""An evaluation in one call: its parts are those of the methods, and what is not asked for is left out."""

import numpy as np
import pytest
import torch
from torch import nn

from cnnviz import Network, fit
from cnnviz.attribution.deletion_insertion import deletion_insertion
from cnnviz.attribution.evaluation import EvaluationSettings, evaluate
from cnnviz.attribution.fills import occluder
from cnnviz.attribution.pointing_game import pointing_game
from cnnviz.attribution.sanity_check import sanity_check
from cnnviz.control import Control

FEW = EvaluationSettings(steps=4, shifts=2, stages=2, seed=3, tolerance=2)


@pytest.fixture
def network() -> Network:
    torch.manual_seed(0)
    module = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3))
    return Network.from_module(module, (20, 20), (0.5,) * 3, (0.25,) * 3, classes=["a", "b", "c"])


def test_scores_are_those_of_the_single_methods(network: Network) -> None:
    x, maps = torch.rand(1, 3, 20, 20), torch.rand(2, 20, 20)
    mask = np.zeros((20, 20), bool)
    mask[4:9, 5:12] = True

    def compute(of: Network) -> torch.Tensor:
        return of.module[0].weight.flatten()[: 2 * 9].view(2, 3, 3)

    reports: list[str] = []
    found = evaluate(
        network, x, maps, [2, 0], mask=mask, compute=lambda of: compute(of).repeat(1, 7, 7)[:, :20, :20], settings=FEW,
        control=Control(report=lambda done, total, text="": reports.append(text)),
    )  # fmt: skip
    curves = deletion_insertion(
        network, x, maps, targets=[2, 0], deletion_baseline=occluder(x, "grey", network),
        insertion_baseline=occluder(x, "blur", network), steps=4, shifts=2, seed=3,
    )  # fmt: skip
    assert torch.equal(found.curves.insertion, curves.insertion)
    assert [score.class_name for score in found.scores] == ["c", "a"]
    for index, score in enumerate(found.scores):
        assert score.deletion.auc == pytest.approx(float(torch.trapezoid(curves.deletion, curves.shares)[index]))
        assert score.insertion.normalized == pytest.approx(score.insertion.auc / score.probability)
        low, high = score.deletion.shifted_range
        assert low <= score.deletion.shifted_auc <= high
        assert score.pointing == pointing_game(maps[index], torch.from_numpy(mask), tolerance=2)
        assert len(score.randomization) == 2
    check = sanity_check(network, lambda of: compute(of).repeat(1, 7, 7)[:, :20, :20], maps, stages=2, seed=3)
    assert found.scores[1].randomization[1].signed == pytest.approx(float(check.signed[1, 1]))
    assert list(dict.fromkeys(reports)) == ["deleting and inserting", "randomizing"]


def test_without_a_mask_and_a_function_only_the_curves_are_measured(network: Network) -> None:
    found = evaluate(network, torch.rand(1, 3, 20, 20), torch.rand(1, 20, 20), [1], settings=FEW)
    assert found.scores[0].pointing is found.scores[0].randomization is None


def test_a_mask_on_the_photo_is_played_at_500_pixels(network: Network) -> None:
    photo = np.random.default_rng(0).integers(0, 255, (60, 80, 3), dtype=np.uint8)
    x, geometry = fit(photo, network)
    values = torch.zeros(1, 20, 20)
    values[0, 10, 10] = 1
    mask = np.zeros((60, 80), bool)
    mask[:, :5] = True
    mask[:, 30:50] = True
    [score] = evaluate(network, x, values, [0], mask=mask, geometry=geometry, settings=FEW).scores
    assert score.pointing.hit
    assert abs(score.pointing.peak[0] - 31) <= 3
    assert abs(score.pointing.peak[1] - 41) <= 3
