"""Clips in: what the file says, upright frames at their own times, and one clear line for everything else."""

import os
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from cnnviz.errors import PhotoError
from cnnviz.video.clip import Frame, is_clip, read_clip
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
    clip = read_clip(turned(tmp_path / "a.mp4", how))
    expected = np.rot90(clips.frames(1)[0].picture, quarters)  # numpy turns counter-clockwise
    first = next(clip.frames()).picture
    assert clip.size == expected.shape[:2] == first.shape[:2]
    assert np.abs(first.astype(int) - expected).mean() < 4


@pytest.mark.parametrize("ending", [".mp4", ".mov", ".mkv", ".webm"])
def test_times_that_vary_are_kept(tmp_path: Path, ending: str) -> None:
    times = [Fraction(n, 1000) for n in (0, 40, 50, 200, 233, 500)]
    shown = [Frame(frame.picture, time, Fraction(40, 1000)) for frame, time in zip(clips.frames(6), times, strict=True)]
    path = clips.write(tmp_path / f"a{ending}", shown, Fraction(25), time_base=Fraction(1, 1000))
    assert [frame.time for frame in read_clip(path).frames()] == times


def test_what_a_clip_says_of_itself_and_reading_it_twice(tmp_path: Path) -> None:
    clip = read_clip(clips.write(tmp_path / "a.mp4", clips.frames(9)))
    assert (clip.size, clip.rate, clip.count, clip.sound) == ((48, 64), clips.RATE, 9, False)
    assert clip.duration == 9 / clips.RATE
    first, again = list(clip.frames()), list(clip.frames())
    assert [frame.time for frame in first] == [n / clips.RATE for n in range(9)]
    assert {frame.duration for frame in first} == {1 / clips.RATE}
    assert all(np.array_equal(a.picture, b.picture) for a, b in zip(first, again, strict=True))


def test_a_photograph_is_a_clip_of_one_frame_and_does_not_move(tmp_path: Path, photo: Path) -> None:
    assert read_clip(photo).count == 1
    assert not is_clip(photo)
    assert not is_clip(tmp_path / "missing.mp4")
    assert is_clip(clips.write(tmp_path / "a.gif"))
    assert is_clip(clips.write(tmp_path / "a.mkv"))  # which does not say how many


def test_transparent_frames_lie_over_white_and_gifs_build_up(tmp_path: Path) -> None:
    layers = [Image.new("RGBA", (20, 16), (255, 0, 0, 255)), Image.new("RGBA", (20, 16), (0, 0, 255, 0))]
    layers[1].paste((0, 255, 0, 255), (0, 0, 10, 16))
    layers[0].save(tmp_path / "a.png", save_all=True, append_images=layers[1:], duration=[50, 120], disposal=0, blend=1)
    first, second = read_clip(tmp_path / "a.png").frames()
    assert (first.duration, second.time, second.duration) == (Fraction(1, 20), Fraction(1, 20), Fraction(3, 25))
    assert second.picture[0, 0].tolist() == [0, 255, 0]
    assert second.picture[0, 19].tolist() == [255, 0, 0]  # of the first, shining through


def refused(path: Path) -> str:
    with pytest.raises(PhotoError) as caught:
        for _ in read_clip(path).frames():
            pass
    text = str(caught.value)
    assert "\n" not in text
    return text


def test_what_is_no_clip_is_told_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "empty.mp4").touch()
    (tmp_path / "text.mp4").write_text("no video " * 100)
    os.mkfifo(tmp_path / "pipe.mp4")
    (tmp_path / "list.mp4").write_text("#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nreal.mp4\n#EXT-X-ENDLIST\n")
    clips.write(tmp_path / "real.mp4")
    assert refused(tmp_path / "empty.mp4") == "is empty"
    assert "is not a video" in refused(tmp_path / "text.mp4")
    assert "is no file" in refused(tmp_path / "pipe.mp4")
    assert "is no file" in refused(tmp_path)
    assert refused(tmp_path / "missing.mp4") == "no such file or directory"
    assert "is not a video" in refused(tmp_path / "list.mp4")  # a play list, which would open other files


def test_sound_alone_holds_no_moving_pictures(tmp_path: Path) -> None:
    with av.open(str(tmp_path / "a.m4a"), "w", format="mp4") as container:
        stream = container.add_stream("aac", rate=48000)
        part = av.AudioFrame.from_ndarray(np.zeros((2, 1024), np.float32), format="fltp", layout="stereo")
        part.sample_rate = 48000
        container.mux(stream.encode(part))
        container.mux(stream.encode())
    assert refused(tmp_path / "a.m4a") == "holds no moving pictures"


@pytest.mark.parametrize("ending", [".mp4", ".mkv", ".webm", ".gif", ".png", ".webp"])
def test_a_cut_file_is_refused(tmp_path: Path, ending: str) -> None:
    whole = clips.write(tmp_path / f"a{ending}", clips.frames(40)).read_bytes()
    for share in (0.1, 0.5, 0.85):
        path = tmp_path / f"cut{ending}"
        path.write_bytes(whole[: int(share * len(whole))])
        refused(path)


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
    assert refused(path).startswith("is cut short")


@pytest.mark.parametrize("ending", [".mp4", ".mkv", ".gif", ".webp"])
def test_damaged_files_give_frames_or_one_line(tmp_path: Path, ending: str) -> None:
    whole = clips.write(tmp_path / f"a{ending}").read_bytes()
    dice, ended = np.random.default_rng(0), set()
    for _ in range(40):
        broken = np.frombuffer(whole, np.uint8).copy()
        broken[dice.integers(0, len(broken), 12)] = dice.integers(0, 256, 12)
        (tmp_path / f"b{ending}").write_bytes(broken.tobytes())
        try:
            assert all(frame.picture.dtype == np.uint8 for frame in read_clip(tmp_path / f"b{ending}").frames())
            ended.add("frames")
        except PhotoError:
            ended.add("line")
    assert "line" in ended


def test_frames_too_large_are_refused_before_they_are_decoded(tmp_path: Path) -> None:
    for ending in (".mp4", ".gif"):
        path = clips.write(tmp_path / f"a{ending}")
        with pytest.raises(PhotoError, match="more than 3,071 pixels; see --max-pixels"):
            read_clip(path, max_pixels=48 * 64 - 1)
        assert read_clip(path, max_pixels=48 * 64).size == (48, 64)
