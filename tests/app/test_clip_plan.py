"""Stylized frames: continued from the state of any frame they are the same; a clip that became shorter is refused."""

import numpy as np
import pytest

from cnnviz.app.clip_plan import StylizedFrames
from cnnviz.errors import MethodError
from cnnviz.video.clip import read_clip
from cnnviz.video.coherence import CoherenceState, stylize_frame
from tests.support import clips


def brighter(start, frame, steps, number):
    return (start + 0.1).clamp(0, 1)


def advance(frame, last) -> CoherenceState:
    return stylize_frame(frame, brighter, 4, last)


def stylized(path) -> StylizedFrames:
    return StylizedFrames(read_clip(path), advance, CoherenceState)


def test_stylized_frames_continue_from_a_kept_state(tmp_path):
    frames = stylized(clips.write(tmp_path / "clip.mp4", clips.frames(4)))
    whole = list(frames(None))
    assert tuple(whole[1].state) == CoherenceState.names()
    rest = list(frames(whole[1].state))
    assert [frame.image is None for frame in rest] == [True, True, False, False]
    for one, other in zip(whole[2:], rest[2:], strict=True):
        assert np.array_equal(one.image, other.image)
        assert (one.time, one.duration) == (other.time, other.duration)


def test_a_clip_with_fewer_frames_than_were_stored_is_refused(tmp_path):
    *_, last = stylized(clips.write(tmp_path / "long.mp4", clips.frames(4)))(None)
    short = stylized(clips.write(tmp_path / "short.mp4", clips.frames(2)))
    with pytest.raises(MethodError, match="has fewer frames than were stored"):
        list(short(last.state))
