"""Encoded videos: colours, even sides, long recipes."""

from pathlib import Path

import numpy as np
import pytest

from cnnviz.video.clip import read_clip
from cnnviz.video.frame import Frame
from tests.support import clips


@pytest.mark.parametrize("ending", [".mp4", ".webm"])
def test_grey_and_colours_keep_their_brightness(tmp_path: Path, ending: str) -> None:
    for colour in ((0, 0, 0), (255, 255, 255), (128, 128, 128), (200, 60, 30), (30, 90, 200)):
        flat = np.full((48, 64, 3), colour, np.uint8)
        shown = [Frame(flat, n / clips.RATE, 1 / clips.RATE) for n in range(3)]
        for frame in read_clip(clips.write(tmp_path / f"a{ending}", shown)).frames():
            assert np.abs(frame.picture.mean((0, 1)) - colour).max() <= 1.5


def test_odd_sides_are_padded_for_h264_alone(tmp_path: Path) -> None:
    shown = clips.frames(3, (47, 61))
    for ending, size in ((".mp4", (48, 62)), (".png", (47, 61))):
        clip = read_clip(clips.write(tmp_path / f"a{ending}", shown))
        picture = next(clip.frames()).picture
        assert picture.shape[:2] == clip.size == size
        assert np.abs(picture[:47, :61].astype(int) - shown[0].picture).mean() < 3
        assert np.abs(picture[-1].astype(int) - picture[46]).mean() < 3
