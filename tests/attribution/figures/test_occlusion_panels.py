"""Figure 7 of Zeiler & Fergus: its panels and its legend."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from cnnviz import Network, fit
from cnnviz.attribution.figures.occlusion_panels import draw_figure_7
from cnnviz.attribution.occlusion import EngineOptions, occlusion
from tests.support.figures import words


@pytest.mark.parametrize("targets", [(0,), (0, 1)])
def test_the_figure_has_a_panel_for_each_class_and_a_legend(targets: tuple[int, ...]) -> None:
    torch.manual_seed(1)
    module = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 100, 3))
    network = replace(Network.from_module(module, (12, 12), (0.5,) * 3, (0.25,) * 3), classes=("cat", "dog", "cow"))
    photo = np.random.default_rng(0).integers(0, 256, (40, 60, 3)).astype(np.uint8)
    x, geometry = fit(photo, network)
    result = occlusion(network, x, window=4, stride=2, targets=targets, options=EngineOptions("plain", "1"))
    figure = draw_figure_7(photo, geometry, network, x, result, "blur")
    texts = words(figure)
    assert [text for text in texts if len(text) == 1 and text.isalpha()] == list("abcdefg"[: 4 + len(targets)])
    channel = result.activation.channel
    assert {f"Total activation of channel {channel}", f"Projection of channel {channel}", "Drop of “cat”"} <= {*texts}
    best = result.logits.argmax(1)
    index, count = max(((i, int((best == i).sum())) for i in range(3)), key=lambda pair: pair[1])
    assert network.class_name(index) in texts
    assert f"wins at {100 * count / len(best):.0f} % of the positions" in texts
    lowest = float(result.logits.double().softmax(1)[:, 0].min())
    assert f"cat: {100 * lowest:.1f} % with the window here" in texts
    kinds = len({*best.tolist()})
    assert len(figure.axes) == 4 + len(targets) + 1 + len(targets) + kinds  # panels, bars, colours of the legend
