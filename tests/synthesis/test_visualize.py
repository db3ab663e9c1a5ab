"""Feature visualization where the best image is known, and what its settings promise."""

import subprocess
import sys

import pytest
import torch
from torch import nn

from cnnviz.control import Control
from cnnviz.errors import InvalidRequest
from cnnviz.models.features import FeatureExtractor
from cnnviz.models.network import Network
from cnnviz.synthesis.objectives import MapWindow
from cnnviz.synthesis.visualize import Visualization, VisualizeSettings, channel_count, direction_term, visualize

SMALL = VisualizeSettings(size=48, steps=12)


@pytest.fixture(scope="module")
def network() -> Network:
    """A layer whose channels are red less green, brightness, and edges from left to right."""
    conv = nn.Conv2d(3, 3, 3, padding=1)
    nn.init.zeros_(conv.weight)
    nn.init.zeros_(conv.bias)
    with torch.no_grad():
        conv.weight[0, 0, 1, 1], conv.weight[0, 1, 1, 1] = 1, -1
        conv.weight[1, :, 1, 1] = 1
        conv.weight[2, :, 1, 0], conv.weight[2, :, 1, 2] = -1, 1
    body = nn.Sequential(conv, nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    return Network.from_module(body, (48, 48), (0.5,) * 3, (0.5,) * 3)


def test_a_channel_of_colour_becomes_that_colour(network):
    result = visualize(network, "0", [0, 1], settings=SMALL)
    assert result.tensor.shape == (2, 1, 3, 48, 48)
    red, green, _ = result.tensor[0, 0].mean((1, 2))
    assert red > 0.55 > 0.45 > green
    assert result.tensor[1, 0].mean() > 0.55
    assert (result.done, result.of, result.unit, result.channels) == (24, 24, "channel", (0, 1))
    assert result.images[1][0].shape == (48, 48, 3)


def test_all_channels_are_the_default_up_to_nine(network):
    result = visualize(network, "0", settings=VisualizeSettings(size=48, steps=1))
    assert result.channels == (0, 1, 2)


def test_a_channel_does_not_depend_on_the_others(network):
    both, alone = (visualize(network, "0", numbers, settings=SMALL) for numbers in ([0, 2], [2]))
    assert torch.equal(both.tensor[1], alone.tensor[0])
    other = visualize(network, "0", [2], settings=SMALL, seed=1)
    assert not torch.equal(other.tensor, alone.tensor)


@pytest.mark.parametrize(("units", "diversity", "rows"), [
    (1, 1, [[0]]), (4, 1, [[0, 1], [2, 3]]), (3, 1, [[0, 1], [2, 255]]), (2, 3, [[0, 1, 2], [3, 4, 5]]),
])  # fmt: skip
def test_all_images_in_one_are_a_grid_or_a_row_for_each_unit(units, diversity, rows):
    levels = torch.arange(units * diversity) / 255
    tensor = levels.view(units, diversity, 1, 1, 1).expand(-1, -1, 3, 5, 7)
    image = Visualization(tensor, levels, "0", "channel", tuple(range(units)), 1, 1).image
    assert image.shape == (5 * len(rows), 7 * len(rows[0]), 3)
    assert image[::5, ::7, 0].tolist() == image[4::5, 6::7, 2].tolist() == rows


def test_images_without_a_figure_need_no_matplotlib():
    code = "import sys, cnnviz.synthesis.visualize; sys.exit('matplotlib' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_neuron_changes_its_receptive_field_alone(network):
    result = visualize(network, "0", [0], position="middle", settings=SMALL)
    colour = (result.tensor[0, 0, 0] - result.tensor[0, 0, 1]).abs()
    assert colour[14:34, 14:34].mean() > 1.5 * colour[:, :8].mean()
    assert result.unit == "neuron"


def test_a_direction_is_the_unit_vector_of_its_weights(network):
    out = torch.rand(1, 3, 4, 4)
    score = direction_term("0", {1: 5.0}, 3).score(out, MapWindow(0, 0, 4, 4))
    cosine = out[:, 1] / out.norm(dim=1)
    assert torch.allclose(score, out[:, 1] * cosine.clamp(min=0.1), rtol=1e-4)
    result = visualize(network, "0", direction={0: 1, 2: 0.5}, settings=SMALL)
    assert (result.unit, result.channels, len(result.tensor)) == ("direction", (0, 2), 1)


def test_diverse_images_are_further_apart(network):
    def spread(weight):
        settings = VisualizeSettings(diversity=3, diversity_weight=weight, size=48, steps=12)
        out = FeatureExtractor(network, ["0"])(visualize(network, "0", [2], settings=settings).tensor[0])["0"].flatten(
            2
        )
        grams = nn.functional.normalize((out @ out.transpose(1, 2)).flatten(1), dim=1)
        return float((grams @ grams.T).sum())

    assert spread(2.0) < spread(0.0)


def test_stopped_it_keeps_what_was_started(network):
    steps = []
    control = Control(stopped=lambda: len(steps) >= 17)
    result = visualize(network, "0", [0, 1, 2], settings=SMALL, control=control, on_step=steps.append)
    assert (result.done, result.of, result.channels) == (17, 36, (0, 1))
    assert [at.step for at in steps] == list(range(1, 18))
    assert torch.equal(steps[-1].tensor(), result.tensor[1])


def test_channels_that_the_layer_lacks_and_layers_without_maps_are_refused(network):
    assert channel_count(network, "0") == 3
    with pytest.raises(InvalidRequest, match="channel 3: 0 has 3 channels, 0 to 2"):
        visualize(network, "0", direction={3: 1.0})
    with pytest.raises(InvalidRequest, match="gives no feature maps"):
        visualize(network, "3")
    with pytest.raises(InvalidRequest, match="a direction excludes"):
        visualize(network, "0", [1], direction={2: 1.0})
