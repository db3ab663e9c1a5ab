"""Panels of figure 7: the projection of the strongest unit, or what stands in its place."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from cnnviz import Network
from cnnviz.attribution.figures.panel_kinds import Source, explain, window_panel
from cnnviz.attribution.occlusion import StrongestMap
from cnnviz.features.deconvnet import deconvnet
from cnnviz.figures.maps import Crop
from tests.support import results


def test_a_window_in_the_padding_is_not_said_to_be_on_the_photo():
    result = results.occlusion("wide", 1, "pad")
    logits = result.logits.clone()
    logits[0, 0] = -90  # the first position lies above the photo
    x, geometry = results.inputs("wide", "pad")
    source = Source(results.network(), replace(result, logits=logits), Crop.of(results.photo("wide"), geometry), x[0])
    panel = window_panel(source)
    assert panel.caption.endswith("with the window beside the photo, in the padding")
    assert not panel.edges


def small(active: nn.Module, *rest: nn.Module) -> Network:
    """Return a network of one map: red, without a bias, then ``active``."""
    conv = nn.Conv2d(3, 1, 1, bias=False)
    with torch.no_grad():
        conv.weight.copy_(torch.tensor([1.0, 0, 0]).view(1, 3, 1, 1))
    module = nn.Sequential(conv, active, *rest, nn.Flatten(), nn.LazyLinear(2))
    module(torch.zeros(1, 3, 8, 8))
    return Network.from_module(module, (8, 8), (0, 0, 0), (1, 1, 1))


@pytest.mark.parametrize(
    ("rest", "layer", "method"), [([nn.MaxPool2d(2)], "2", "deconvnet"), ([], "1", "guided")], ids=["pool", "no pool"]
)
def test_figure_7_projects_the_strongest_unit_of_its_map(rest, layer, method):
    x = torch.full((1, 3, 8, 8), 0.25)
    x[0, 0, 3, 6] = 0.75
    made = explain(small(nn.ReLU(), *rest), x, StrongestMap(layer, 0, torch.ones(4, 4), torch.zeros(0)))
    assert made.projected
    assert method in made.words
    assert f"unit y {3 // (1 + len(rest))}, x {6 // (1 + len(rest))}, activation 0.75" in made.words
    expected = np.zeros((8, 8), np.float32)
    expected[3, 6] = 0.75 / 3  # red alone, through a weight of 1
    np.testing.assert_allclose(made.values, expected)


def test_figure_7_takes_the_deconvnet_where_it_differs_from_the_guided_one():
    torch.manual_seed(0)
    module = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(4, 5, 3), nn.Flatten())
    nn.init.constant_(module[0].bias, -1.0)  # so that windows are without any activation, which guided masks
    network, x = Network.from_module(module, (12, 12), (0.5,) * 3, (0.25,) * 3), torch.rand(1, 3, 12, 12)
    made = explain(network, x, StrongestMap("3", 2, torch.ones(3, 3), torch.zeros(0)))
    wanted, guided = (
        deconvnet(network, x, layer="3", channel=2, method=method).projection[0].mean(0).numpy()
        for method in ("deconvnet", "guided")
    )
    np.testing.assert_allclose(made.values, wanted)
    assert np.abs(wanted - guided).max() > 0.003


def test_figure_7_shows_the_map_itself_where_no_deconvnet_has_a_rule():
    network, x = small(nn.SiLU(), nn.MaxPool2d(2)), torch.rand(1, 3, 8, 8)
    made = explain(network, x, StrongestMap("2", 0, torch.full((4, 4), 0.5), torch.zeros(0)))
    assert not made.projected
    assert "no deconvnet" in made.words
    np.testing.assert_allclose(made.values, np.full((8, 8), 0.5))
