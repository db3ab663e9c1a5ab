"""What earlier frames predict: the shifted image exactly, a pixel's latest visible frame, nothing that is new."""

import cv2
import numpy as np
import pytest

from cnnviz.video.temporal_consistency import FrameHistory, predict


def texture(seed: int, *size: int) -> np.ndarray:
    """Return smooth noise, uint8 (h, w, 3)."""
    noise = np.random.default_rng(seed).standard_normal((*size, 3)).astype(np.float32)
    smooth = cv2.GaussianBlur(noise, (0, 0), 1.5)
    return np.rint(128 + 40 * smooth / smooth.std()).clip(0, 255).astype(np.uint8)


def history(frames, images) -> FrameHistory:
    """Return the history of frames, the first one first."""
    state = FrameHistory(0, frames[0][None], images[0][None])
    for frame, image in zip(frames[1:], images[1:], strict=True):
        state = state.followed_by(frame, image)
    return state


@pytest.fixture
def pan():
    """Seven frames of a camera that moves by (3, 1) pixels a frame, uint8 (64, 96, 3); and the same of other noise."""
    worlds = texture(0, 80, 130), texture(1, 80, 130)
    return [[np.ascontiguousarray(world[t : 64 + t, 3 * t : 96 + 3 * t]) for t in range(7)] for world in worlds]


def test_the_history_keeps_the_last_four_frames_the_latest_first(pan):
    state = history(pan[0], pan[1])
    assert (state.number, len(state.frames), len(state.images)) == (6, 4, 4)
    assert np.array_equal(state.frames, pan[0][:2:-1])
    assert np.array_equal(state.image, pan[1][6])
    again = FrameHistory.from_arrays(state.arrays())
    assert np.array_equal(again.followed_by(pan[0][0], pan[1][0]).images, [pan[1][0], *pan[1][:3:-1]])


def test_a_pan_predicts_the_shifted_image_and_what_comes_in_is_new(pan):
    prediction = predict(pan[0][1], history(pan[0][:1], pan[1][:1]))
    error = np.abs(255 * prediction.image - pan[1][1])[8:-8, 8:-11]
    assert error.mean() < 1
    assert prediction.reliable[8:-8, 8:-11].mean() > 0.99
    assert not prediction.reliable[:, -2:].any()
    assert not prediction.reliable[-1].any()
    assert (prediction.image[~prediction.reliable] == 0).all()


def test_a_static_frame_is_predicted_to_the_bit(pan):
    prediction = predict(pan[0][0], history([pan[0][0]] * 5, [pan[1][0]] * 5))
    assert np.array_equal(np.rint(255 * prediction.image), pan[1][0])
    assert prediction.reliable.all()


def test_what_was_hidden_in_the_last_frame_follows_the_one_before():
    ground, cover, styles = texture(0, 64, 96), texture(3, 24, 24), [texture(5, 64, 96), texture(6, 64, 96)]
    hidden = ground.copy()
    hidden[20:44, 30:54] = cover
    prediction = predict(ground, history([ground, hidden], styles))
    error = [np.abs(255 * prediction.image - style).mean(-1) for style in styles]
    assert np.mean(error[0][26:38, 36:48] < 1) > 0.9
    assert error[1][:, 66:].mean() < 1
    assert prediction.reliable[26:38, 36:48].mean() > 0.95


def test_motion_boundaries_predict_nothing():
    ground, cover = texture(0, 64, 96), texture(3, 32, 32)
    frames = [ground.copy() for _ in range(2)]
    for t, frame in enumerate(frames):
        frame[16:48, 30 + 4 * t : 62 + 4 * t] = cover
    reliable = predict(frames[1], history(frames[:1], frames[:1])).reliable
    assert reliable[20:44, 38:62].mean() > 0.95
    assert reliable[:, 80:].mean() > 0.95
    assert reliable[22:42, 65:67].mean() < 0.2
