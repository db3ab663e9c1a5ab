"""The figure of filters: known weights give known colours; axes and numbers are named."""

import numpy as np
import pytest
import torch

from cnnviz.features.figures.kernels import draw_kernels
from cnnviz.features.kernels import Kernels
from tests.support.figures import pictures, words
from tests.support.networks import two_layers

NETWORK = two_layers("alexnet")


def cells(image: np.ndarray, high: int, wide: int) -> np.ndarray:
    """The colours in the middles of a picture's cells."""
    ys, xs = ((np.arange(n) * 2 + 1) * side // (2 * n) for n, side in zip((high, wide), image.shape, strict=False))
    return image[np.ix_(ys, xs)].astype(int)


def test_over_rgb_zero_is_mid_grey_and_every_filter_has_its_own_scale():
    weights = torch.zeros(2, 3, 2, 2)
    weights[0, 0, 0, 0], weights[0, 1, 0, 1], weights[0, 2, 1, 1] = 4.0, -4.0, 2.0
    weights[1, 0, 0, 0] = -0.1
    figure = draw_kernels(NETWORK, Kernels("conv", weights, 1, True), [0, 1])
    first, second = (cells(image, 2, 2) for image in pictures(figure))
    assert np.abs(first - [[[255, 128, 128], [128, 0, 128]], [[128, 128, 128], [128, 128, 191]]]).max() <= 1
    assert np.abs(second - [[[0, 128, 128], [128, 128, 128]], [[128] * 3] * 2]).max() <= 1
    assert {"The 2 filters of conv", "0", "1"} <= set(words(figure))
    assert any(
        line.startswith("AlexNet, conv: filters of 2 × 2 weights, over red, green and blue") for line in words(figure)
    )


def test_over_one_channel_red_is_positive_and_blue_negative():
    weights = torch.tensor([[[[3.0, 0.0], [0.0, -3.0]]], [[[0.1, 0.1], [0.1, 0.1]]]])
    figure = draw_kernels(NETWORK, Kernels("depthwise", weights, 2, False), [0, 1])
    first, second, _ = pictures(figure)
    (red, zero), (_, blue) = cells(first, 2, 2)
    assert red[0] > red[1:].max() + 50
    assert blue[2] > blue[:2].max() + 20
    assert np.ptp(zero) == 0
    assert np.abs(cells(second, 2, 2) - red).max() <= 1
    assert {"−1", "0", "+1"} <= set(words(figure))


def test_pairs_are_limited_and_say_so():
    torch.manual_seed(0)
    found = Kernels("deep", torch.randn(20, 40, 3, 3), 1, False)
    figure = draw_kernels(NETWORK, found, found.default_channels())
    said = words(figure)
    assert "8 of the 20 filters of deep" in said
    assert [f"filter {n}" for n in range(8)] == [line for line in said if line.startswith("filter ")]
    assert {str(n) for n in range(24)} <= set(said)
    assert any("the first 24 of 40" in line for line in said)
    assert "Filter 19 of deep" in words(draw_kernels(NETWORK, found, [19]))


@pytest.mark.parametrize(("shape", "transposed"), [((4, 9), False), ((9, 4), True)])
def test_a_matrix_lies_with_its_longer_side_across(shape, transposed):
    weights = torch.zeros(*shape, 1, 1)
    weights[1, 2] = 2.0
    figure = draw_kernels(NETWORK, Kernels("pw", weights, 1, False), list(range(shape[0])))
    matrix = cells(pictures(figure)[0], 4, 9)
    y, x = np.unravel_index((matrix[..., 0] - matrix[..., 1]).argmax(), (4, 9))
    assert (y, x) == ((2, 1) if transposed else (1, 2))
    said = words(figure)
    assert said.index("output channel") > said.index("input channel") if transposed else True
    assert {"+2", "0", "−2", "weight"} <= set(said)


def test_ticks_of_a_matrix_are_the_numbers_of_the_channels():
    figure = draw_kernels(NETWORK, Kernels("pw", torch.ones(300, 30, 1, 1), 1, False), [7, 250])
    assert {"7", "250"} <= set(words(figure))


def test_weights_beyond_the_scale_are_mentioned():
    weights = torch.full((40, 40, 1, 1), 0.09)
    weights[3, 4] = -9.0
    said = words(draw_kernels(NETWORK, Kernels("pw", weights, 1, False), list(range(40))))
    assert "+0.1" in said
    assert any("One square is one weight. The largest magnitude is 9. Weights beyond" in line for line in said)


def test_weights_that_share_a_pixel_are_counted():
    figure = draw_kernels(NETWORK, Kernels("pw", torch.ones(900, 3200, 1, 1), 1, False), list(range(900)))
    high, wide = pictures(figure)[0].shape[:2]
    assert wide < 1600
    assert any(f"one pixel stands for {900 / high * 3200 / wide:.3g} weights." in line for line in words(figure))
    assert not any("One square" in line for line in words(figure))


def test_the_numbers_of_an_axis_have_round_steps():
    said = words(draw_kernels(NETWORK, Kernels("pw", torch.ones(2, 1280, 1, 1), 1, False), [0, 1]))
    assert {"0", "100", "1200"} <= set(said)
    assert "50" not in said


def test_many_filters_have_the_number_of_the_first_of_their_row():
    found = Kernels("dw", torch.ones(144, 1, 3, 3), 144, False)
    said = words(draw_kernels(NETWORK, found, list(range(144))))
    assert [line for line in said if line.isdigit() and line != "0"] == ["18", "36", "54", "72", "90", "108", "126"]
    assert "Number: output channel of the row’s first filter." in said
    apart = [channel for channel in range(144) if channel != 70]
    assert "1" in words(draw_kernels(NETWORK, found, apart))
