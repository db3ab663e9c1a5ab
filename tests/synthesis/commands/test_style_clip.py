"""``cnnviz style`` over clips: times and sound kept, killed and continued to the same bytes, unfit options refused."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cnnviz import cli
from cnnviz.io import recipe
from cnnviz.video.clip import read_clip
from tests.support import clips

QUICK = ("--style", "style.png", "--steps", "2", "--long-side", "64")


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (48, 64, 3), dtype=np.uint8)).save("style.png")
    return tmp_path


@pytest.mark.slow
def test_a_clip_keeps_its_frames_times_and_sound(here, capsys):
    clips.with_sound(here / "tone.mp4", seconds=0.25)
    assert cli.invoke(["style", "tone.mp4", *QUICK, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["output"], found["frames"], found["size"]) == ("tone-style.mp4", 6, [48, 64])
    assert found["style_layers"][0] == {"layer": "pixels", "weight": 1.0}
    before, after = (list(read_clip(name).frames()) for name in ("tone.mp4", "tone-style.mp4"))
    assert [(frame.time, frame.duration) for frame in after] == [(frame.time, frame.duration) for frame in before]
    assert clips.sound_packets(here / "tone-style.mp4") == clips.sound_packets(here / "tone.mp4")
    assert recipe.read_recipe(here / "tone-style.mp4")["numbers"]["frames"] == 6


@pytest.mark.slow
def test_a_killed_process_is_continued_to_the_same_bytes(here):
    clips.write(here / "clip.mkv", clips.frames(5), lossless=True)
    words = ["style", "clip.mkv", *QUICK, "--lossless", "-q"]
    assert cli.invoke([*words, "-o", "whole.mkv"]) == 0
    process = subprocess.Popen([sys.executable, "-m", "cnnviz", *words, "-o", "out.mkv"])
    while not (here / "out.mkv.partial.npz").exists() and process.poll() is None:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    assert sorted(path.name for path in here.glob("out*")) == ["out.mkv.partial.frames", "out.mkv.partial.npz"]
    assert cli.invoke([*words, "-o", "out.mkv", "--resume"]) == 0
    assert Path("out.mkv").read_bytes() == Path("whole.mkv").read_bytes()
    assert sorted(path.name for path in here.glob("out*")) == ["out.mkv"]


@pytest.mark.slow
@pytest.mark.parametrize("ending", [".mkv", ".png"])
def test_lossless_formats_in_and_out(here, ending):
    clips.write(here / f"clip{ending}", clips.frames(2), lossless=True)
    assert cli.invoke(["style", f"clip{ending}", *QUICK, "--lossless", "-o", f"out{ending}"]) == 0
    assert cli.invoke(["style", f"clip{ending}", *QUICK, "--lossless", "-o", "other.webp"]) == 0
    pictures = [[frame.picture for frame in read_clip(name).frames()] for name in (f"out{ending}", "other.webp")]
    assert np.array_equal(*pictures)


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["style.png", "--resume"], "--resume goes with a clip"),
        (["style.png", "--lossless"], "--lossless goes with a clip"),
        (["style.png", "--temporal-weight", "3"], "--temporal-weight goes with a clip"),
        (["clip.mp4", "--style-mask", "style.png"], "--style-mask goes with photos, and clip.mp4 is a clip"),
        (["clip.mp4", "--save-every", "2", "-o", "a.mp4"], "--save-every goes with photos, and clip.mp4 is a clip"),
        (["clip.mp4", "--frame", "2"], "--frame goes with photos, and clip.mp4 is a clip"),
        (["clip.mp4", "-o", "out.jpg"], "-o out.jpg: end the name in .mp4, .mov"),
    ],
)
def test_options_that_do_not_fit_are_refused(here, capsys, words, text):
    clips.write(here / "clip.mp4", clips.frames(3))
    before = sorted(os.listdir())
    assert cli.invoke(["style", *words, "--style", "style.png"]) == 2
    assert text in capsys.readouterr().err
    assert sorted(os.listdir()) == before
