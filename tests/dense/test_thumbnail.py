"""Frames chosen from clips of which one frame is known to be the best."""

import numpy as np
import pytest

import cnnviz
from cnnviz import Control, thumbnail
from cnnviz.dense.thumbnail import alike, different, frame_quality, score_frame
from cnnviz.errors import PhotoError
from tests.support import results
from tests.support.networks import lite0
from tests.support.scenes import SIZE, clip_frames, clip_of


@pytest.fixture(scope="module")
def found():
    images, _, _ = clip_frames()
    return thumbnail(lite0(), clip_of(images), count=3)


def test_the_one_sharp_frame_is_the_best(found):
    _, planted, cuts = clip_frames()
    assert found.frames[0].index == planted
    assert found.frames[0].time == planted / 10
    assert found.cuts == tuple(cut / 10 for cut in cuts)
    assert (found.count, found.duration) == (48, 4.8)
    scores = [one.score for one in found.frames]
    assert scores == sorted(scores, reverse=True)


def test_black_and_noise_are_left_out_and_frames_differ(found):
    assert all(8 <= one.index < 40 for one in found.frames)
    assert not any(alike(one, other) for one in found.frames for other in found.frames if one is not other)
    assert all(one.image.shape == (*SIZE, 3) for one in found.frames)


def test_a_clip_of_one_frame_and_one_without_details_give_one():
    for image in (clip_frames()[0][15], np.zeros((*SIZE, 3), np.uint8)):
        (only,) = thumbnail(results.network(), clip_of([image]), fit="squash").frames
        assert (only.index, only.time) == (0, 0.0)


def test_a_clip_without_frames_is_refused():
    with pytest.raises(PhotoError, match="no frame"):
        thumbnail(results.network(), clip_of([]))


def test_features_have_length_one_and_equal_frames_are_alike():
    image = clip_frames()[0][15]
    one = score_frame(results.network(), image, frame_quality(image), "squash")
    assert np.linalg.norm(one.features) == pytest.approx(1, rel=1e-5)
    assert one.features.shape == (20,)
    assert different([one, one, one], 2) == [one]


def test_progress_and_stopping():
    done: list[tuple[int, int]] = []
    control = Control(report=lambda at, total, *_: done.append((at, total)), stopped=lambda: len(done) == 5)
    assert thumbnail(results.network(), clip_of(clip_frames()[0]), fit="squash", control=control).count == 5
    assert done[0] == (1, 96)
    assert done[-1][0] <= done[-1][1]


def test_its_figure_is_the_film_strip(found):
    assert cnnviz.figure(found).canvas.get_width_height()[0] == 1920
