"""The figure of an evaluation: curves on one axis, the sanity check."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure
from torch import nn

from cnnviz import Network, fit
from cnnviz.attribution.evaluation import EvaluationSettings, evaluate
from cnnviz.attribution.figures.evaluation import draw_evaluation
from cnnviz.attribution.figures.evaluation_maps import Evaluated
from cnnviz.attribution.map_files import ScoredMap
from tests.support.figures import words

PHOTO = np.full((60, 80, 3), 90, np.uint8)
SETTINGS = EvaluationSettings(steps=4, shifts=2, stages=3)


def draw(maps: int, *, randomize: bool = False, mask: np.ndarray | None = None, top=(5, 5), mode="crop") -> Figure:
    torch.manual_seed(0)
    module = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3))
    network = replace(Network.from_module(module, (20, 20), (0.5,) * 3, (0.25,) * 3), classes=("cat", "dog", "cow"))
    x, geometry = fit(PHOTO, network, mode)
    values = 0.01 * torch.rand(maps, 20, 20)
    values[:, top[0], top[1]] = 4
    found = evaluate(
        network, x, values, [0] * maps, mask=mask, geometry=geometry, settings=SETTINGS,
        compute=(lambda of: values) if randomize else None,
    )  # fmt: skip
    scored = [ScoredMap(f"map {number}", 0, one) for number, one in enumerate(values)]
    return draw_evaluation(PHOTO, geometry, network, Evaluated(scored, found))


@pytest.mark.parametrize("maps", [1, 2, 6])
def test_both_curves_share_their_y_axis_and_are_labelled_at_their_ends(maps: int) -> None:
    figure = draw(maps)
    deletion, insertion = figure.axes[-2:]
    assert deletion.get_ylim() == insertion.get_ylim()
    assert deletion.get_ylim()[0] == 0
    assert sum(len(line.get_xdata()) == 5 for line in deletion.lines) == maps + 1  # one control
    assert len(deletion.collections) == (maps == 1)  # its range as a band
    texts = words(figure)
    names = ["map 0"] if maps == 1 else [f"{'bcdefg'[n]} map {n}" for n in range(maps)]
    assert all(texts.count(name) >= 2 for name in names)
    assert texts.count("same map, shifted" if maps == 1 else "same maps, shifted") == 2


def test_the_sanity_check_is_a_further_plot() -> None:
    alone, checked = draw(1), draw(1, randomize=True)
    assert len(checked.axes) == len(alone.axes) + 1
    texts = words(checked)
    assert {"none", "logits", "all", "+1.00"} <= {*texts}
    assert [*checked.axes[-1].lines[-1].get_ydata()] == pytest.approx([1.0] * 3)
