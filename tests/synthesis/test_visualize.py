"""Feature visualization where the best picture is known, and what its options promise."""

import pytest
import torch
from torch import nn

from cnnviz.errors import InvalidRequest
from cnnviz.models.features import FeatureExtractor
from cnnviz.models.network import Network
from cnnviz.synthesis import visualize as visualization
from cnnviz.synthesis.visualize import visualize

SMALL = {"size": 48, "steps": 12}


@pytest.fixture(scope="module")
def network() -> Network:
    """A layer whose channels are red less green, brightness, and steps from left to right."""
    conv = nn.Conv2d(3, 3, 3, padding=1)
    nn.init.zeros_(conv.weight)
    nn.init.zeros_(conv.bias)
    with torch.no_grad():
        conv.weight[0, 0, 1, 1], conv.weight[0, 1, 1, 1] = 1, -1
        conv.weight[1, :, 1, 1] = 1
        conv.weight[2, :, 1, 0], conv.weight[2, :, 1, 2] = -1, 1
    body = nn.Sequential(conv, nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    return Network.from_module(body, (48, 48), (0.5,) * 3, (0.5,) * 3)


def of(numbers, position=None):
    return lambda _trunk: visualization.channel_terms("0", numbers, position)


def test_a_channel_of_colour_becomes_that_colour(network):
    found = visualize(network, layer="0", terms=of([0, 1]), **SMALL)
    assert found.pictures.shape == (2, 1, 3, 48, 48)
    red, green, _ = found.pictures[0, 0].mean((1, 2))
    assert red > 0.55 > 0.45 > green
    assert found.pictures[1, 0].mean() > 0.55
    assert (found.done, found.of) == (24, 24)


def test_a_channel_does_not_depend_on_the_others(network):
    both, alone = (visualize(network, layer="0", terms=of(numbers), **SMALL) for numbers in ([0, 2], [2]))
    assert torch.equal(both.pictures[1], alone.pictures[0])
    other = visualize(network, layer="0", terms=of([2]), seed=1, **SMALL)
    assert not torch.equal(other.pictures, alone.pictures)


def test_a_neuron_changes_what_it_sees_alone(network):
    found = visualize(network, layer="0", terms=of([0], "middle"), **SMALL).pictures[0, 0]
    colour = (found[0] - found[1]).abs()
    assert colour[14:34, 14:34].mean() > 1.5 * colour[:, :8].mean()


def test_a_direction_is_the_unit_vector_of_its_weights(network):
    trunk = FeatureExtractor(network, ["0"])
    out = torch.rand(1, 3, 4, 4)
    from cnnviz.synthesis.objectives import MapWindow

    one = visualization.direction_term(trunk, "0", {1: 5.0}).rule(out, MapWindow(0, 0, 4, 4))
    cosine = out[:, 1] / out.norm(dim=1)
    assert torch.allclose(one, out[:, 1] * cosine.clamp(min=0.1), rtol=1e-4)


def test_diverse_pictures_are_further_apart(network):
    def spread(weight):
        rows = visualize(network, layer="0", terms=of([2]), diversity=3, diversity_weight=weight, **SMALL).pictures[0]
        out = FeatureExtractor(network, ["0"])(rows)["0"].flatten(2)
        grams = nn.functional.normalize((out @ out.transpose(1, 2)).flatten(1), dim=1)
        return float((grams @ grams.T).sum())

    assert spread(2.0) < spread(0.0)


def test_stopped_it_keeps_what_was_begun(network):
    told = []
    found = visualize(
        network, layer="0", terms=of([0, 1, 2]), progress=told.append, stop=lambda: len(told) >= 17, **SMALL
    )
    assert (found.done, found.of) == (17, 36)
    assert len(found.pictures) == 2
    assert [at.step for at in told] == list(range(1, 18))
    assert torch.equal(told[-1].pictures, found.pictures[1])


def test_channels_that_are_not_there_and_layers_without_maps(network):
    trunk = FeatureExtractor(network, ["0", "3"])
    assert visualization.channel_count(trunk, "0") == 3
    with pytest.raises(InvalidRequest, match="channel 3: 0 has 3 channels, 0 to 2"):
        visualization.direction_term(trunk, "0", {3: 1.0})
    with pytest.raises(InvalidRequest, match="gives no feature maps"):
        visualization.channel_count(trunk, "3")
