"""The figure of an evaluation: its parts, and curves that say what the numbers say."""

import numpy as np
import torch
from torch import nn

from cnnviz import Network, fit
from cnnviz.attribution.evaluation import Evaluation, EvaluationSettings, evaluate
from cnnviz.attribution.figures.evaluation import draw
from cnnviz.attribution.map_files import ScoredMap

PHOTO = np.full((60, 80, 3), 90, np.uint8)


def drawn(maps: int, randomize: bool = False) -> tuple[np.ndarray, Evaluation]:
    torch.manual_seed(0)
    module = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3))
    network = Network.from_module(module, (20, 20), (0.5,) * 3, (0.25,) * 3)
    x, geometry = fit(PHOTO, network)
    values = torch.rand(maps, 20, 20)
    found = evaluate(
        network, x, values, [0] * maps, compute=(lambda of: values) if randomize else None,
        settings=EvaluationSettings(steps=4, shifts=2, stages=2),
    )  # fmt: skip
    scored = [ScoredMap(f"map {number}", 0, one) for number, one in enumerate(values)]
    return draw(PHOTO, geometry, scored, found, None, "signed"), found


def test_plots_stand_beside_one_map_and_below_several() -> None:
    one, several = drawn(1)[0], drawn(2)[0]
    assert one.shape[1] > 1.5 * 640
    assert len(several) > len(one)


def test_the_sanity_check_is_a_further_plot() -> None:
    alone, checked = drawn(1)[0], drawn(1, randomize=True)[0]
    assert len(checked) > len(alone)
