"""Weights of layers, and styles as distances."""

import pytest
import torch

from cnnviz.models.network import Network
from cnnviz.synthesis.style_layers import StyleLayers
from cnnviz.synthesis.style_statistics import moments
from cnnviz.synthesis.style_targets import LossWeights, style_distances, style_moments

LAYERS = StyleLayers({"pixels": 1.0, "0": 1.0, "2": 3.0}, {"2": 2.0, "0": 2.0})


def test_weights_are_shares_of_those_of_the_network():
    weights = LossWeights(LAYERS, content=0.5)
    assert weights.style_shares() == {"pixels": 1.0, "0": 0.25, "2": 0.75}
    assert weights.content_shares() == {"2": 0.25, "0": 0.25}
    assert LossWeights(LAYERS, content=0).content_shares() == {}


def test_a_style_is_measured_in_every_layer_and_a_mixture_can_be_one_style_alone(network: Network):
    extractor = LossWeights(LAYERS).make_extractor(network)
    parts = [style_moments(extractor, torch.rand(1, 3, 12, 9), LAYERS.style) for _ in range(2)]
    assert set(parts[0]) == {"pixels", "0", "2"}
    torch.testing.assert_close(parts[0]["2"].mean.shape, torch.Size([4]))
    own = parts[1]["2"]
    mixed, alone = style_distances(parts, [1, 0], "covariance"), style_distances(parts[:1], [1], "covariance")
    assert float(mixed["2"](own.mean, own.second)) == float(alone["2"](own.mean, own.second))
    assert float(alone["2"](own.mean, own.second)) > 0


def test_a_style_narrower_than_the_filters_has_no_pixel_moments(network: Network):
    extractor = LossWeights(LAYERS).make_extractor(network)
    thin, wide = (style_moments(extractor, torch.rand(1, 3, 12, side), LAYERS.style) for side in (2, 8))
    assert "pixels" not in thin
    both = style_distances([thin, wide], [1, 1], "covariance")
    own = wide["pixels"]
    assert float(both["pixels"](own.mean, own.second)) == pytest.approx(0, abs=1e-9)
    assert moments(torch.rand(1, 2, 3, 3)).count == 9
