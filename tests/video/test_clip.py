"""Clips in: what the file says, upright frames at their own times, and one clear line for everything else."""

import os
from pathlib import Path

import numpy as np
import pytest

from cnnviz.errors import PhotoError
from cnnviz.video.clip import is_clip, read_clip
from tests.support import clips


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


def test_what_is_no_clip_is_told_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "empty.mp4").touch()
    (tmp_path / "text.mp4").write_text("no video " * 100)
    os.mkfifo(tmp_path / "pipe.mp4")
    (tmp_path / "list.mp4").write_text("#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nreal.mp4\n#EXT-X-ENDLIST\n")
    clips.write(tmp_path / "real.mp4")
    assert clips.refused(tmp_path / "empty.mp4") == "is empty"
    assert "is not a readable video" in clips.refused(tmp_path / "text.mp4")
    assert "is not a regular file" in clips.refused(tmp_path / "pipe.mp4")
    assert "is not a regular file" in clips.refused(tmp_path)
    assert clips.refused(tmp_path / "missing.mp4") == "no such file or directory"
    assert "is not a readable video" in clips.refused(
        tmp_path / "list.mp4"
    )  # a play list, which would open other files


@pytest.mark.parametrize("ending", [".mp4", ".mkv", ".webm", ".gif", ".png", ".webp"])
def test_a_cut_file_is_refused(tmp_path: Path, ending: str) -> None:
    whole = clips.write(tmp_path / f"a{ending}", clips.frames(40)).read_bytes()
    for share in (0.1, 0.5, 0.85):
        path = tmp_path / f"cut{ending}"
        path.write_bytes(whole[: int(share * len(whole))])
        clips.refused(path)


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
