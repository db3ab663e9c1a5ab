"""Regions: the outputs that depend on a rectangle, and the inputs that they need, against a convolution of ones."""

import itertools

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from cnnviz.graph.region import Region, SlidingWindow

SHAPE = (13, 17)


def region(*boxes: tuple[int, int, int, int], shape: tuple[int, int] = SHAPE) -> Region:
    edges = np.array(boxes).T
    return Region(edges[:2], edges[2:], shape)


@pytest.mark.parametrize(
    ("kernel", "stride", "padding", "dilation"),
    [(k, s, p, d) for k, s, p, d in itertools.product((1, 3), (1, 2, 3), (0, 1), (1, 2)) if 2 * p <= (k - 1) * d],
)
def test_changed_outputs_are_the_support_of_a_convolution_of_ones(kernel, stride, padding, dilation):
    window = SlidingWindow((kernel, kernel), (stride,) * 2, (padding,) * 2, (dilation,) * 2)
    box = (3, 5, 8, 9)
    x = torch.zeros(1, 1, *SHAPE)
    x[..., box[0] : box[2], box[1] : box[3]] = 1
    out = F.conv2d(x, torch.ones(1, 1, kernel, kernel), None, stride, padding, dilation)[0, 0]
    found = window.under(region(box), (out.shape[0], out.shape[1]))
    ys, xs = out.numpy().nonzero()
    assert (found.first[0, 0], found.stop[0, 0]) == (ys.min(), ys.max() + 1)
    assert (found.first[1, 0], found.stop[1, 0]) == (xs.min(), xs.max() + 1)
    starts, size = window.needs(found)
    assert tuple(starts[:, 0]) == tuple(found.starts[:, 0] * stride - padding)
    assert size == tuple((side - 1) * stride + (kernel - 1) * dilation + 1 for side in found.size)


def test_positions_are_computed_at_the_largest_size_within_the_map():
    both = region((0, 0, 2, 5), (12, 10, 13, 17))
    assert both.size == (2, 7)
    assert both.starts.T.tolist() == [[0, 0], [11, 10]]
    assert both.share == 14 / (13 * 17)
    assert both.shares.tolist() == [10 / (13 * 17), 7 / (13 * 17)]


def test_joined_regions_hold_both_and_the_whole_map_is_whole():
    joined = region((1, 2, 3, 4)).join(region((2, 0, 5, 3)))
    assert np.concatenate([joined.first, joined.stop]).T.tolist() == [[1, 0, 5, 4]]
    whole = Region.all(SHAPE, 3)
    assert (whole.size, whole.share, whole.whole) == (SHAPE, 1, True)
    assert whole.same(Region.all(SHAPE, 3))
    assert not whole.same(region((1, 2, 3, 4)))


def test_the_margin_is_the_padding_before_and_what_the_last_output_lacks():
    window = SlidingWindow((3, 3), (2, 2), (1, 1), (1, 1))
    assert window.margin((8, 9), (4, 5)) == (1, 1, 1, 0)
