"""Clips made frame by frame: states to disk and back, times and sound kept, stopped at any frame."""

from dataclasses import dataclass

import numpy as np
import pytest

from cnnviz.control import Control
from cnnviz.errors import PhotoError
from cnnviz.io import write
from cnnviz.io.arrays import read_arrays
from cnnviz.video.clip import read_clip
from cnnviz.video.clip_state import ClipState, make_clip_file, open_clip
from cnnviz.video.frame import Picture
from tests.support import clips


@dataclass(frozen=True)
class Sum(ClipState):
    """The sum of all frames, modulo 256."""

    total: Picture
    mean: float

    @property
    def image(self) -> Picture:
        return self.total


def add(frame: Picture, last: Sum | None) -> Sum:
    total = frame + last.total if last else frame
    return Sum(last.number + 1 if last else 0, total, float(total.mean()))


def test_a_state_is_the_same_after_a_file(tmp_path):
    state = add(np.ones((2, 3, 3), np.uint8), add(np.full((2, 3, 3), 255, np.uint8), None))
    write.write_arrays(str(tmp_path / "state.npz"), state.arrays(), {"recipe": 1, "command": "dream"})
    again = Sum.from_arrays(read_arrays(tmp_path / "state.npz", Sum.names()))
    assert (again.number, again.mean, type(again.number), type(again.mean)) == (1, 0.0, int, float)
    assert np.array_equal(again.image, np.zeros((2, 3, 3), np.uint8))


def test_a_clip_keeps_times_and_sound_and_ends_where_it_is_stopped(tmp_path):
    clips.with_sound(tmp_path / "clip.mp4", seconds=0.25)
    reports: list[tuple[int, int]] = []
    make_clip_file(tmp_path / "clip.mp4", tmp_path / "out.png", add, Control(lambda *done: reports.append(done[:2])))
    before, after = (list(read_clip(tmp_path / name).frames()) for name in ("clip.mp4", "out.png"))
    assert [round(1000 * frame.time) for frame in before] == [1000 * frame.time for frame in after]
    assert np.array_equal(after[1].picture, before[0].picture + before[1].picture)
    assert reports == [(done, 6) for done in range(1, 7)]
    make_clip_file(tmp_path / "clip.mp4", tmp_path / "out.mp4", add)
    assert clips.sound_packets(tmp_path / "out.mp4") == clips.sound_packets(tmp_path / "clip.mp4")
    make_clip_file(tmp_path / "clip.mp4", tmp_path / "two.png", add, Control(stopped=lambda: len(reports) == 6))
    assert len(list(read_clip(tmp_path / "two.png").frames())) == 1


def test_frames_that_are_too_small_are_refused(tmp_path):
    clips.write(tmp_path / "tiny.mp4", clips.frames(2, (12, 20)))
    with pytest.raises(PhotoError, match="has frames of 12 pixels a side; a clip needs 16: see --long-side"):
        open_clip(tmp_path / "tiny.mp4", None)
    clip, first = open_clip(tmp_path / "tiny.mp4", 40)
    assert (clip.count, first.shape) == (2, (24, 40, 3))
