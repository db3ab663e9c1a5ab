"""``cnnviz heat`` over clips: times and sound kept, one scale, the same frames for a still clip, what is refused."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cnnviz.cli import invoke
from cnnviz.io.recipe import read_recipe
from cnnviz.video.clip import read_clip
from cnnviz.video.frame import Frame
from tests.support import clips
from tests.support.dense_networks import Red, dense_network


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch, commanded) -> Path:
    monkeypatch.chdir(tmp_path)
    commanded(dense_network(Red(), double=False))
    return tmp_path


def test_a_clip_keeps_its_frames_times_and_sound(here, capsys):
    clips.with_sound(here / "tone.mp4", seconds=0.25)
    assert invoke(["heat", "tone.mp4", "--class", "red", "--class", "green", "--size", "64", "--json"]) == 0
    out, said = capsys.readouterr()
    found = json.loads(out)
    assert (found["output"], found["frames"], found["size"]) == ("tone-heat.mp4", 6, [48, 128])
    assert [one["name"] for one in found["classes"]] == ["red", "green"]
    assert found["classes"][0]["peak"] is None
    assert f"the colours end at a logit of {found['scale_end']:g}" in said
    before, after = (list(read_clip(name).frames()) for name in ("tone.mp4", "tone-heat.mp4"))
    assert [(frame.time, frame.duration) for frame in after] == [(frame.time, frame.duration) for frame in before]
    assert clips.sound_packets(here / "tone-heat.mp4") == clips.sound_packets(here / "tone.mp4")
    assert read_recipe(here / "tone-heat.mp4")["numbers"]["stride"] == 8


def test_a_static_clip_is_static_and_red_where_the_class_is(here):
    picture = np.full((64, 96, 3), 60, np.uint8)
    picture[:, 64:, 0] = 255
    still = [Frame(picture, number / clips.RATE, 1 / clips.RATE) for number in range(3)]
    clips.write(here / "still.mkv", still, lossless=True)
    Image.fromarray(picture).save("photo.png")
    words = ["--class", "red", "--size", "64", "-q"]
    assert invoke(["heat", "still.mkv", "photo.png", *words, "--bare", "--lossless", "-o", "made/"]) == 0
    first, *others = [frame.picture for frame in read_clip("made/still-heat.mkv").frames()]
    assert len(others) == 2
    assert all(np.array_equal(first, other) for other in others)
    with Image.open("made/photo-heat.png") as alone:  # the same scale, for the same largest value
        assert np.abs(first.astype(int) - np.asarray(alone)).max() <= 1


def test_a_finished_clip_is_kept_and_made_again_to_the_same_bytes(here):
    clips.write(here / "clip.mkv", clips.frames(4), lossless=True)
    words = ["heat", "clip.mkv", "--size", "64", "--lossless", "-q", "-o"]
    assert invoke([*words, "whole.mkv"]) == 0
    assert invoke([*words, "whole.mkv", "--resume"]) == 0
    assert invoke(["show", "--rerun", "whole.mkv", "--input", "clip.mkv", "-o", "again.mkv"]) == 0
    assert Path("again.mkv").read_bytes() == Path("whole.mkv").read_bytes()


def test_a_frame_of_an_animation_is_a_photo(here):
    clips.write(here / "moving.png", clips.frames(3), lossless=True)
    assert invoke(["heat", "moving.png", "--frame", "1", "--size", "64", "-o", "one.pdf", "-q"]) == 0
    assert Path("one.pdf").read_bytes().startswith(b"%PDF")


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["clip.mp4", "--find", "red"], "--find goes with photos, and clip.mp4 is a clip"),
        (["clip.mp4", "--curve"], "--curve goes with photos, and clip.mp4 is a clip"),
        (["clip.mp4", "--raw", "a.npz"], "--raw goes with photos, and clip.mp4 is a clip"),
        (["clip.mp4", "--theme", "dark"], "--theme goes with photos, and clip.mp4 is a clip"),
        (["clip.mp4", "-o", "out.pdf"], "-o out.pdf: end the name in .mp4, .mov"),
        (["photo.png", "--lossless"], "--lossless goes with a clip"),
    ],
)
def test_options_that_do_not_fit_are_refused(here, capsys, words, text):
    clips.write(here / "clip.mp4", clips.frames(2))
    Image.new("RGB", (64, 64)).save("photo.png")
    before = sorted(os.listdir())
    assert invoke(["heat", *words]) == 2
    assert text in capsys.readouterr().err
    assert sorted(os.listdir()) == before


@pytest.mark.parametrize("command", ["occlude", "attribute"])
def test_commands_without_clips_name_this_one(here, capsys, command):
    clips.write(here / "clip.mp4", clips.frames(2))
    assert invoke([command, "clip.mp4"]) == 1
    assert capsys.readouterr().err == "cnnviz: clip.mp4: is a clip; cnnviz heat makes maps of clips\n"
