"""The reel: frames come back bit for bit, what follows the last good one is dropped, another's file is left alone."""

import os

import numpy as np
import pytest

from cnnviz.errors import MethodError, OutputError
from cnnviz.video.frame_store import FrameStore


@pytest.fixture
def pictures():
    return list(np.random.default_rng(0).integers(0, 256, (5, 7, 9, 3), dtype=np.uint8))


def same(reel, pictures):
    return [np.array_equal(a, b) for a, b in zip(reel.frames(), pictures, strict=True)] == [True] * len(pictures)


def test_frames_come_back_bit_for_bit_and_the_file_goes(tmp_path, pictures):
    reel = FrameStore(tmp_path / "a", 0)
    for picture in pictures:
        reel.add(picture)
    assert same(reel, pictures)
    assert same(reel, pictures)  # as often as asked
    reel.remove()
    assert os.listdir(tmp_path) == []


def test_it_goes_on_after_the_frames_that_are_done(tmp_path, pictures):
    for done in (0, 3, 5):
        reel = FrameStore(tmp_path / "a", 0)
        for picture in pictures:
            reel.add(picture)
        reel.close()
        with (tmp_path / "a").open("ab") as file:
            file.write(b"half a frame")
        again = FrameStore(tmp_path / "a", done)
        for picture in pictures[done:]:
            again.add(picture)
        assert same(again, pictures)
        again.remove()


def test_a_reel_with_too_few_frames_and_a_file_of_another_are_refused(tmp_path, pictures):
    reel = FrameStore(tmp_path / "a", 0)
    reel.add(pictures[0])
    reel.close()
    with pytest.raises(MethodError, match="a: is incomplete; remove it to start anew"):
        FrameStore(tmp_path / "a", 2)
    (tmp_path / "b").write_bytes(b"somebody else's")
    with pytest.raises(OutputError, match="b: exists and was not written by cnnviz"):
        FrameStore(tmp_path / "b", 0)
    assert (tmp_path / "b").read_bytes() == b"somebody else's"
    with pytest.raises(OutputError, match="no such file"):
        FrameStore(tmp_path / "missing" / "c", 0)
