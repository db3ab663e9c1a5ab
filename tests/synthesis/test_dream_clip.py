"""Deep dream over a clip in one call: times stay, the size is the one asked for, stopped it ends early."""

import pytest

from cnnviz.control import Control
from cnnviz.errors import PhotoError
from cnnviz.synthesis.dream import DreamSettings
from cnnviz.synthesis.dream_clip import dream_clip, first_frame
from cnnviz.video.clip import read_clip
from tests.support import clips

SETTINGS = DreamSettings(steps=2, octaves=1)


def test_a_clip_is_dreamt_in_one_call(network, tmp_path):
    clips.write(tmp_path / "clip.mp4", clips.frames(4))
    reports = []
    dream_clip(network, tmp_path / "clip.mp4", tmp_path / "out.mp4", "0", settings=SETTINGS, long_side=32,
               control=Control(lambda *report: reports.append(report)))  # fmt: skip
    before, after = (list(read_clip(tmp_path / name).frames()) for name in ("clip.mp4", "out.mp4"))
    assert [frame.time for frame in before] == [frame.time for frame in after]
    assert max(after[0].picture.shape) == 32
    assert [done for done, _ in reports] == [1, 2, 3, 4]
    dream_clip(network, tmp_path / "clip.mp4", tmp_path / "two.mp4", layer_sequence=["0", "2"], settings=SETTINGS,
               control=Control(stopped=lambda: len(reports) == 4))  # fmt: skip
    assert len(list(read_clip(tmp_path / "two.mp4").frames())) == 1


def test_frames_that_are_too_small_are_refused(tmp_path):
    clips.write(tmp_path / "tiny.mp4", clips.frames(2, (12, 20)))
    with pytest.raises(PhotoError, match="has frames of 12 pixels a side; a clip needs 16: see --long-side"):
        first_frame(read_clip(tmp_path / "tiny.mp4"), None)
    assert first_frame(read_clip(tmp_path / "tiny.mp4"), 40).shape == (24, 40, 3)
