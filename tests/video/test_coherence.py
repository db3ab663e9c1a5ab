"""Films: the change goes with what moves, keeps its strength, begins anew at cuts, resumes to the same bytes."""

from itertools import pairwise

import cv2
import numpy as np
import pytest
import torch
from PIL import Image

from cnnviz.io import write
from cnnviz.io.arrays import read_arrays
from cnnviz.video.coherence import CoherenceState, renewal_steps, stylize_frame

STEPS = 8


@pytest.fixture
def pan(photo):
    """Ten frames of a camera that moves by (2, 1) whole pixels a frame, uint8 (64, 96, 3)."""
    cat = np.asarray(Image.open(photo).convert("RGB"))
    return [np.ascontiguousarray(cat[90 + t : 154 + t, 150 + 2 * t : 246 + 2 * t]) for t in range(10)]


class Painter:
    """A dream that paints noise, other noise in each frame, 0.01 a step; it writes down what it was asked."""

    def __init__(self):
        self.asked = []

    def __call__(self, start, frame, steps, number):
        assert start.shape == frame.shape
        assert (start.dtype, float(start.min()) >= 0, float(start.max()) <= 1) == (torch.float32, True, True)
        self.asked.append((steps, number))
        noise = np.random.default_rng(number).standard_normal((*start.shape[2:], 3)).astype(np.float32)
        noise = cv2.GaussianBlur(noise, (0, 0), 1.5)
        noise = torch.from_numpy(noise / noise.std()).permute(2, 0, 1)[None]
        return (start + 0.01 * steps * noise).clamp(0, 1)


def stylize_clip(frames, stylizer, state=None):
    for frame in frames:
        state = stylize_frame(frame, stylizer, STEPS, state)
        yield state


def test_a_fifth_of_the_steps_renews_a_frame():
    assert [renewal_steps(steps) for steps in (1, 10, 23)] == [1, 2, 5]


def added(shots, frames):
    return [shot.image.astype(float) - frame for shot, frame in zip(shots, frames, strict=True)]


def test_the_first_frame_gets_all_steps_and_is_the_dream_itself(pan):
    painter = Painter()
    shot = next(stylize_clip(pan, painter))
    inputs = torch.from_numpy(pan[0]).permute(2, 0, 1)[None] / 255
    alone = painter(inputs, inputs, STEPS, 0)[0].permute(1, 2, 0).numpy() * 255
    assert np.abs(shot.image - alone).max() <= 0.501
    assert painter.asked[0] == (STEPS, 0)


def test_other_frames_get_few_steps_and_the_change_goes_with_the_picture(pan):
    painter = Painter()
    shots = list(stylize_clip(pan, painter))
    assert painter.asked == [(STEPS, 0)] + [(2, number) for number in range(1, 10)]
    for before, now in pairwise(shots):
        apart = before.image[1:, 2:].astype(float) - now.image[:-1, :-2]
        assert 10 * np.log10(255**2 / np.square(apart[4:-4, 4:-4]).mean()) > 32


def test_strength_and_brightness_stay(pan):
    values = added(stylize_clip(pan, Painter()), pan)
    rms = np.array([np.sqrt(np.square(value).mean()) for value in values])
    assert np.abs(rms / rms[0] - 1).max() < 0.15
    assert max(np.abs(value.mean((0, 1)) - values[0].mean((0, 1))).max() for value in values) < 1


def test_a_still_clip_stays_still(pan):
    shots = list(stylize_clip([pan[0]] * 8, Painter()))
    for before, now in pairwise(shots):
        assert 10 * np.log10(255**2 / np.square(before.image.astype(float) - now.image).mean()) > 40


def test_what_has_come_in_gets_all_its_steps_over_the_next_frames(pan):
    shots = list(stylize_clip(pan[:1] + [pan[5]] * 5, Painter()))
    owed = [shot.owed[:, -6:].mean() for shot in shots]
    assert owed == pytest.approx([0, 0.75, 0.5, 0.25, 0, 0], abs=0.02)
    fresh = [np.square(value[:-8, -6:]).mean() ** 0.5 for value in added(shots, [pan[0]] + [pan[5]] * 5)]
    assert fresh[1] < 0.5 * fresh[0]
    assert fresh[-1] > 0.4 * fresh[0]  # other noise in every frame adds up by its square root


def test_a_cut_begins_anew(pan, photo):
    other = np.ascontiguousarray(np.asarray(Image.open(photo).convert("RGB"))[200:264, 20:116][::-1])
    painter = Painter()
    shots = list(stylize_clip([*pan[:3], other, other], painter))
    assert painter.asked == [(STEPS, 0), (2, 1), (2, 2), (STEPS, 3), (2, 4)]
    assert shots[3].number == 3


def test_a_film_goes_on_from_its_state_on_disk_to_the_same_bytes(pan, tmp_path):
    whole = list(stylize_clip(pan, Painter()))
    path = tmp_path / "state.npz"
    write.write_arrays(str(path), whole[3].arrays(), {"recipe": 1, "command": "dream"})
    state = CoherenceState.from_arrays(read_arrays(path, CoherenceState.names()))
    rest = list(stylize_clip(pan[state.number + 1 :], Painter(), state=state))
    assert [shot.number for shot in rest] == [4, 5, 6, 7, 8, 9]
    for expected, shot in zip(whole[4:], rest, strict=True):
        assert np.array_equal(expected.image, shot.image)


def test_a_dream_that_adds_nothing_leaves_the_clip(pan):
    for frame, shot in zip(pan, stylize_clip(pan, lambda start, frame, steps, number: start), strict=True):
        assert np.array_equal(frame, shot.image)
