"""Histograms and cuts of frames whose differences are known."""

import numpy as np
import pytest

from cnnviz.dense.scenes import color_histogram, histogram_difference, scene_cuts
from tests.support.scenes import clip_frames


def plain(red: int, green: int, blue: int) -> np.ndarray:
    return np.broadcast_to(np.array([red, green, blue], np.uint8), (60, 80, 3)).copy()


def test_rows_of_a_histogram_sum_to_one_and_greys_have_no_hue():
    for image in (
        plain(255, 0, 0),
        plain(90, 90, 90),
        np.random.default_rng(0).integers(0, 256, (60, 80, 3), np.uint8),
    ):
        assert color_histogram(image).sum(1) == pytest.approx([1, 1, 1])
    assert color_histogram(plain(90, 90, 90))[0, -1] == 1
    assert color_histogram(plain(255, 0, 0))[0, 0] == 1


def test_differences_run_from_zero_to_one():
    red, black = color_histogram(plain(255, 0, 0)), color_histogram(plain(0, 0, 0))
    assert histogram_difference(red, red) == 0
    assert histogram_difference(red, black) == 1


def test_a_jump_is_a_cut_and_steady_change_is_none():
    jump = [0.0] + [0.01] * 20
    jump[9] = 0.6
    assert scene_cuts(jump) == [9]
    assert scene_cuts([0.0] + [0.3] * 30) == []
    assert scene_cuts([0.0]) == []
    assert scene_cuts([0.0, 0.9]) == [1]


def test_cuts_of_moving_scenes_are_found():
    images, _, cuts = clip_frames()
    histograms = [color_histogram(image) for image in images]
    differences = [0.0, *map(histogram_difference, histograms, histograms[1:])]
    assert scene_cuts(differences) == cuts


def test_a_fade_has_no_cut():
    images, _, _ = clip_frames()
    first, last = images[20].astype(float), images[30].astype(float)
    fade = [(first + (last - first) * part).astype(np.uint8) for part in np.linspace(0, 1, 25)]
    histograms = [color_histogram(image) for image in fade]
    assert scene_cuts([0.0, *map(histogram_difference, histograms, histograms[1:])]) == []
