"""The figure of a transfer in both directions: photos above, results below them."""

import numpy as np
import torch

from cnnviz.synthesis.coarse_to_fine import SizeResult
from cnnviz.synthesis.figures.both_ways import draw_both_ways
from cnnviz.synthesis.style_layers import StyleLayers
from cnnviz.synthesis.style_transfer import StyleResult
from tests.support.figures import patches, words


def photo(value: int, width: int) -> np.ndarray:
    return np.full((40, width, 3), value, np.uint8)


def result(value: int, width: int, of: int = 3) -> StyleResult:
    tensor = torch.full((1, 3, 40, width), value / 255)
    return StyleResult(tensor, StyleLayers({}, {}), (SizeResult((40, width), (1.0, 0.5, 0.4)),), of)


def test_each_result_is_below_its_photo():
    figure = draw_both_ways(
        [photo(20, 40), photo(90, 70)], [result(150, 40), result(220, 70)], "efficientnet_lite0", "mrf"
    )
    assert patches(figure) == [(value,) * 3 for value in (20, 90, 150, 220)]
    above, below = ([axes.get_position().bounds for axes in figure.axes[start : start + 2]] for start in (0, 2))
    assert [(x, width) for x, _, width, _ in above] == [(x, width) for x, _, width, _ in below]
    written = words(figure)
    assert written[0] == "Each photo in the style of the other"
    assert "EfficientNet-Lite0. Patches" in written[1]
    assert {"a in the style of b", "b in the style of a"} <= set(written)


def test_the_method_is_named_and_a_stopped_run_says_so():
    shown = draw_both_ways([photo(1, 40)] * 2, [result(2, 40), result(3, 40, of=9)], "vgg16", "statistics")
    written = words(shown)
    assert "Statistics of feature maps (Gatys et al. 2016)" in written[1]
    assert "Partial result: 6 of 12 steps." in written
