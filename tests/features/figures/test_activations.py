"""The figure of feature maps: one scale for all, maps where they belong on the photo."""

import numpy as np
import torch

from cnnviz.features.activations import Activations
from cnnviz.features.figures import activations
from cnnviz.figures.colormap import color_table
from cnnviz.figures.palette import BAR
from cnnviz.models.preprocess import Geometry
from tests.support.images import holds


def activations_of(maps: torch.Tensor) -> Activations:
    strengths = maps.double().clamp(min=0).sum((1, 2))
    return Activations("deep", maps, strengths, strengths.argsort(descending=True), torch.zeros(2))


def test_all_maps_have_one_scale_from_zero_where_nothing_is_negative():
    maps = torch.tensor([[[0.0, 1.0], [2.0, 1.0]], [[0.0, 0.0], [0.0, 4.0]]])
    viridis = color_table("viridis")
    picture = activations.draw("mine", activations_of(maps), [1, 0])
    side = 440 // 2
    for values in maps.numpy():
        assert holds(picture, viridis[np.rint(values / 4 * 255).astype(int)].repeat(side, 0).repeat(side, 1))


def test_one_negative_value_anywhere_makes_the_scale_signed():
    maps = torch.tensor([[[0.0, 1.0], [2.0, 1.0]], [[0.0, 0.0], [0.0, -4.0]]])
    signed, side = color_table("signed"), 440
    block = np.array([[BAR, signed[255]], [BAR, signed[255]]], np.uint8)
    picture = activations.draw("mine", activations_of(torch.stack([maps[1], torch.tensor([[0.0, 9.0]] * 2)])), [1])
    assert holds(picture, block.repeat(side // 2, 0).repeat(side // 2, 1))


def test_over_the_photograph_maps_lie_where_they_belong():
    """A map that is hot in its left half: over the photo, left is hot, right is not, outside is dimmed."""
    photo = np.full((200, 400, 3), 128, np.uint8)
    geometry = Geometry((200, 400), (200, 400), (0, 100), (200, 200))
    maps = torch.tensor([[[1.0, 1.0, 0.0, 0.0]] * 4])
    picture = activations.draw("mine", activations_of(maps), [0], (photo, geometry)).astype(int)
    dimmed = int(128 * 0.35 + 20)
    ys, xs = np.nonzero((picture == dimmed).all(-1))
    top, bottom, left, right = ys.min(), ys.max(), xs.min(), xs.max() + 1
    assert (right - left, bottom + 1 - top) == (440, 220)
    hot, cold = (picture[(top + bottom) // 2, left + at] for at in (130, 310))
    assert hot[1] > cold[1] + 80  # viridis: yellow and violet
