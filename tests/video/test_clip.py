"""Clips: upright frames at their own times, one clear line for everything else; what was written is read again."""

import os
import re
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from cnnviz.errors import InvalidRequest, MethodError, OutputError, PhotoError
from cnnviz.io import recipe
from cnnviz.video.clip import KINDS, clip_format, is_clip, read_clip, write_clip
from cnnviz.video.frame import Frame
from tests.support import clips

LEVELS = {".mp4": 5, ".mov": 5, ".mkv": 4, ".webm": 4, ".gif": 12, ".webp": 4, ".png": 0, ".apng": 0}  # rms at most


def test_what_a_clip_says_of_itself_and_reading_it_twice(tmp_path: Path) -> None:
    clip = read_clip(clips.write(tmp_path / "a.mp4", clips.frames(9)))
    assert (clip.rate, clip.count, clip.sound) == (clips.RATE, 9, False)
    first, again = list(clip.frames()), list(clip.frames())
    assert {frame.picture.shape for frame in first} == {(48, 64, 3)}
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
        assert next(read_clip(path, max_pixels=48 * 64).frames()).picture.shape == (48, 64, 3)


@pytest.mark.parametrize("ending", KINDS)
@pytest.mark.parametrize("rate", [clips.RATE, Fraction(24)])
def test_what_was_written_is_read_again(tmp_path: Path, ending: str, rate: Fraction) -> None:
    shown = clips.frames(12, rate=rate)
    path = clips.write(tmp_path / f"a{ending}", shown, rate)
    read = list(read_clip(path).frames())
    assert len(read) == 12
    for given, got in zip(shown, read, strict=True):
        assert got.picture.shape == given.picture.shape
        apart = got.picture.astype(float) - given.picture
        assert np.sqrt(np.square(apart).mean()) <= LEVELS[ending]
        step = {".gif": 10, ".webp": 1, ".png": 1, ".apng": 1}.get(ending, 0)
        assert abs(got.time - given.time) <= Fraction(step, 2000)
    end = read[-1].time + read[-1].duration
    assert abs(end - 12 / rate) <= Fraction(6, 1000)
    if ending in (".mp4", ".mov", ".mkv", ".webm"):
        assert read_clip(path).rate == rate


@pytest.mark.parametrize("ending", KINDS)
def test_the_same_frames_are_the_same_bytes_and_hold_their_recipe(tmp_path: Path, ending: str) -> None:
    first = clips.write(tmp_path / f"a{ending}").read_bytes()
    assert clips.write(tmp_path / f"b{ending}").read_bytes() == first
    assert recipe.read_recipe(tmp_path / f"a{ending}") == clips.RECIPE
    assert not re.search(rb"Lav[cf][0-9]", first)  # no version of FFmpeg, which would change the bytes
    assert sorted(os.listdir(tmp_path)) == [f"a{ending}", f"b{ending}"]


def test_a_long_recipe_fits_into_every_container(tmp_path: Path) -> None:
    long = clips.RECIPE | {"numbers": {"x": "y" * 200_000}}
    for ending in KINDS:
        path = tmp_path / f"a{ending}"
        write_clip(str(path), clips.frames(2), rate=clips.RATE, recipe=long)
        assert recipe.read_recipe(path) == long


def test_frames_that_fail_leave_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    def failing() -> Iterator[Frame]:
        yield from clips.frames(3)
        raise MethodError("the network cannot")

    for ending in (".mp4", ".webm", ".gif"):
        path = tmp_path / f"a{ending}"
        path.write_bytes(b"old")
        with pytest.raises(MethodError, match="the network cannot"):
            write_clip(str(path), failing(), rate=clips.RATE, recipe=clips.RECIPE)
        assert path.read_bytes() == b"old"
    assert sorted(os.listdir(tmp_path)) == ["a.gif", "a.mp4", "a.webm"]


def test_endings_and_clips_without_frames_are_told(tmp_path: Path) -> None:
    assert [clip_format(name) for name in ("a.MP4", "-", "b.apng")] == ["mp4", "mp4", "PNG"]
    with pytest.raises(InvalidRequest, match=r"-o a\.avi: write a clip to a name that ends in \.mp4, \.mov"):
        clip_format("a.avi")
    with pytest.raises(OutputError, match="there is no frame to write"):
        write_clip(str(tmp_path / "a.mp4"), [], rate=clips.RATE, recipe=clips.RECIPE)
