"""The frames of --zoom: continued from any frame they are the same."""

from fractions import Fraction

import numpy as np
import torch

from cnnviz.synthesis.commands.dream_zoom import ZoomFrames


def shift(start, frame, steps, number):
    return (start + 0.01 * steps * torch.sin(start * 7 + number)).clamp(0, 1)


def test_a_zoom_continues_from_a_kept_frame():
    start = torch.rand(1, 3, 24, 32, generator=torch.Generator().manual_seed(0))
    frames = ZoomFrames(start, shift, 5, 2, Fraction(10))
    whole = list(frames(None))
    assert [frame.time for frame in whole] == [Fraction(number, 10) for number in range(5)]
    rest = list(frames(whole[2].state()))
    assert [frame.image is None for frame in rest] == [True, True, True, False, False]
    for one, other in zip(whole[3:], rest[3:], strict=True):
        assert np.array_equal(one.image, other.image)
        assert one.time == other.time
