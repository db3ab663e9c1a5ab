"""The figure of robustness: points at the shares, their intervals, the finding as its title."""

from dataclasses import replace

import numpy as np
import pytest
from matplotlib.collections import LineCollection, PolyCollection

from cnnviz.adversarial.figures.robustness import draw_curve, wilson_interval
from cnnviz.adversarial.robustness import RobustnessCurve
from tests.support.figures import words

CURVE = RobustnessCurve("resnet50", 4, 3, [1, 0.5, 0.25, 0], [1, 1, 0.75, 0.75], 1, {"forward": 2, "backward": 1}, {})


def test_the_shares_are_points_at_whole_levels():
    (axes,) = draw_curve(CURVE).axes
    noise, attack = [line for line in axes.lines if line.get_marker() == "o"]
    assert [list(line.get_ydata()) for line in (noise, attack)] == [CURVE.noise_accuracy, CURVE.accuracy]
    assert list(attack.get_xdata()) == [0, 1, 2, 3]
    assert np.allclose(noise.get_xdata(), [0, 1, 2, 3], atol=0.1)  # beside those of the attack
    assert noise.get_linestyle() == attack.get_linestyle() == "None"
    assert axes.get_xlim() == (-0.5, 3.5)
    assert axes.get_ylim() == (0, 1)


def test_labels_are_at_the_lines_and_say_the_values():
    written = words(draw_curve(CURVE))
    labels = {"smallest change found", "0 % at 3 levels", "median 1 level", "random noise", "75 % at 3 levels"}
    assert labels <= set(written)
    assert any("95 % Wilson interval of a share of 4 photos" in line for line in written)
    assert written[1].startswith("ResNet-50. Share of 4 photos whose predicted class is unchanged when")


def bars(curve: RobustnessCurve) -> list[list[float]]:
    """The ends of the attack's error bars, rounded, at each level."""
    _, attack = draw_curve(curve).axes[0].findobj(LineCollection)
    return [part[:, 1].round(6).tolist() for part in attack.get_segments()]


def interval(share: float, count: int = 4) -> list[float]:
    return [round(edge, 6) for edge in wilson_interval(share, count)]


def test_bars_are_the_intervals_from_level_1_on():
    assert bars(CURVE) == [[1.0, 1.0], interval(0.5), interval(0.25), interval(0)]


def test_many_levels_are_lines_with_a_band():
    curve = replace(CURVE, eps=30, accuracy=[1.0] * 31, noise_accuracy=[1.0] * 31)
    (axes,) = draw_curve(curve).axes
    assert len(axes.findobj(PolyCollection)) == 2
    assert not [line for line in axes.lines if line.get_marker() == "o"]
    assert any(line.startswith("Shaded: 95 %") for line in words(axes.figure))


@pytest.mark.parametrize("right", [1, 0.75])
def test_with_ground_truth_level_0_is_measured_too(right):
    curve = replace(CURVE, accuracy=[right, 0.5, 0.25, 0], ground_truth=281, class_name="tabby")
    assert bars(curve)[0] == interval(right)
    written = words(draw_curve(curve))
    assert written[1].startswith("ResNet-50. Share of 4 photos predicted as “tabby” when")
    assert written[0] == "With a change of 3 levels of 255, all 4 photos are misclassified"
    assert "predicted as “class 281” when" in words(draw_curve(replace(curve, class_name="قطة")))[1]


@pytest.mark.parametrize(
    ("share", "count", "low", "high"),
    [(0.0, 37, 0.0, 0.0941), (1.0, 37, 0.9059, 1.0), (0.5, 10, 0.2366, 0.7634), (28 / 37, 37, 0.5988, 0.8664)],
)
def test_the_interval_is_wilsons(share, count, low, high):
    assert wilson_interval(share, count) == pytest.approx((low, high), abs=1e-4)


@pytest.mark.parametrize(
    ("other", "title"),
    [
        ({}, "3 levels of 255 change the class of all 4 photos"),
        ({"accuracy": [1, 0, 0, 0]}, "1 level of 255 changes the class of all 4 photos"),
        ({"accuracy": [1, 0.5, 0.5, 0.25]}, "1 level of 255 changes the class of at least half of the photos"),
        ({"accuracy": [1] * 4, "median_levels": None}, "3 levels of 255 leave the class of most photos unchanged"),
        ({"accuracy": [0.5, 0, 0, 0], "median_levels": 0},
         "Without any change, at least half of the photos are misclassified"),
    ],
)  # fmt: skip
def test_the_title_is_the_finding(other, title):
    assert words(draw_curve(replace(CURVE, **other)))[0] == title


@pytest.mark.parametrize("eps", [1, 9, 255])
def test_ticks_stay_few(eps):
    curve = replace(CURVE, eps=eps, accuracy=[1.0] * (eps + 1), noise_accuracy=[1.0] * (eps + 1))
    ticks = [word for word in words(draw_curve(curve)) if word.isdigit()]
    assert ticks[0] == "0"
    assert 2 <= len(ticks) <= 10
