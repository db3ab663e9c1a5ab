"""What the figure of a depth shows."""

import numpy as np

from cnnviz.dense.depth import depth
from cnnviz.dense.figures.depth_map import colours, draw_depth
from cnnviz.figures.scale import color_table
from tests.support import results
from tests.support.depth_networks import Brightness, estimator
from tests.support.figures import pictures, words

RAMP = np.arange(0, 256, 8, np.uint8)[None, :, None].repeat(32, 0).repeat(3, 2)


def test_the_legend_says_near_and_far_and_the_note_what_the_values_are():
    text = words(draw_depth(results.depth("grey"), "Depth-Anything"))
    assert {"far", "near", "Inverse depth", "What is near and what is far"} <= set(text)
    assert any("Larger values are nearer" in word for word in text)
    text = words(draw_depth(depth(estimator(Brightness(), kind="relative"), RAMP), "d"))
    assert any("Larger values are farther" in word for word in text)


def test_metres_stand_at_the_legend():
    text = words(draw_depth(depth(estimator(Brightness(), kind="metres"), RAMP), "d"))
    assert {"0 m, near", "0.49 m", "0.97 m, far", "Distances from 0 m to 0.97 m"} <= set(text)


def test_near_is_yellow_whatever_the_values_are():
    for kind, near in (("inverse", -1), ("relative", 0), ("metres", 0)):
        drawn = colours(depth(estimator(Brightness(), kind=kind), RAMP), (32, 32))
        assert np.array_equal(drawn[5, near], color_table("cividis")[-1])


def test_wide_photos_and_photos_of_one_depth():
    assert len(pictures(draw_depth(results.depth("wide"), "d"))) == 3
    figure = draw_depth(depth(estimator(Brightness()), np.zeros((16, 16, 3), np.uint8)), "d")
    assert figure.canvas.get_width_height()[0] == 1920
