"""Clips out: what was written is read again, the bytes are the same, the recipe is inside, nothing is half there."""

import os
import re
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from cnnviz.errors import InvalidRequest, MethodError, OutputError
from cnnviz.io import recipe
from cnnviz.video.clip import read_clip
from cnnviz.video.frame import Frame
from cnnviz.video.writing import KINDS, clip_format, write_clip
from tests.support import clips

LEVELS = {".mp4": 5, ".mov": 5, ".mkv": 4, ".webm": 4, ".gif": 12, ".webp": 4, ".png": 0, ".apng": 0}  # rms at most


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
