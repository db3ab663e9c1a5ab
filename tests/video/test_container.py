"""Frames of videos: upright, at their own times; truncated files are refused."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from cnnviz.video.clip import read_clip
from cnnviz.video.frame import Frame
from tests.support import clips

# Display matrices of MP4, (a, b, u, c, d, v, x, y, w): x' = a x + c y, y' = b x + d y, with y downwards.
ONE, TURNS = (
    1 << 16,
    {"none": (1, 0, 0, 1), "clockwise": (0, 1, -1, 0), "over": (-1, 0, 0, -1), "counter": (0, -1, 1, 0)},
)


def turned(path: Path, how: str) -> Path:
    a, b, c, d = (part * ONE for part in TURNS[how])
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=24, options={"crf": "10"})
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        stream.set_display_matrix([a, b, 0, c, d, 0, 0, 0, 1 << 30])
        for frame in clips.frames(3, rate=Fraction(24)):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame.picture, format="rgb24")))
        container.mux(stream.encode())
    return path


@pytest.mark.parametrize(("how", "quarters"), [("none", 0), ("clockwise", -1), ("over", 2), ("counter", 1)])
def test_frames_are_upright_as_the_file_says(tmp_path: Path, how: str, quarters: int) -> None:
    expected = np.rot90(clips.frames(1)[0].picture, quarters)  # numpy turns counter-clockwise
    first = next(read_clip(turned(tmp_path / "a.mp4", how)).frames()).picture
    assert first.shape[:2] == expected.shape[:2]
    assert np.abs(first.astype(int) - expected).mean() < 4


@pytest.mark.parametrize("ending", [".mp4", ".mov", ".mkv", ".webm"])
def test_times_that_vary_are_kept(tmp_path: Path, ending: str) -> None:
    times = [Fraction(n, 1000) for n in (0, 40, 50, 200, 233, 500)]
    shown = [Frame(frame.picture, time, Fraction(40, 1000)) for frame, time in zip(clips.frames(6), times, strict=True)]
    path = clips.write(tmp_path / f"a{ending}", shown, Fraction(25), time_base=Fraction(1, 1000))
    assert [frame.time for frame in read_clip(path).frames()] == times


def test_sound_alone_holds_no_moving_pictures(tmp_path: Path) -> None:
    with av.open(str(tmp_path / "a.m4a"), "w", format="mp4") as container:
        stream = container.add_stream("aac", rate=48000)
        part = av.AudioFrame.from_ndarray(np.zeros((2, 1024), np.float32), format="fltp", layout="stereo")
        part.sample_rate = 48000
        container.mux(stream.encode(part))
        container.mux(stream.encode())
    assert clips.refused(tmp_path / "a.m4a") == "has no video stream"


def test_a_cut_mp4_with_its_index_in_front_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    with av.open(str(path), "w", container_options={"movflags": "faststart"}) as container:
        stream = container.add_stream("libx264", rate=24)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for frame in clips.frames(40):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame.picture, format="rgb24")))
        container.mux(stream.encode())
    assert len(list(read_clip(path).frames())) == 40
    path.write_bytes(path.read_bytes()[:-300])
    assert clips.refused(path).startswith("is truncated")
