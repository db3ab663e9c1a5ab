"""``cnnviz dream`` over clips, and with --zoom, from a command line to files on disk."""

import json
import os
import signal
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch
from jsonschema import Draft202012Validator
from PIL import Image

import cnnviz
from cnnviz import cli
from cnnviz.errors import Terminated
from cnnviz.io import recipe
from cnnviz.synthesis.commands.dream_clip import ZoomFrames
from cnnviz.synthesis.zoom import Zoom
from cnnviz.video.clip import is_clip, read_clip
from cnnviz.video.frame import Frame
from cnnviz.video.frame_store import FrameStore
from tests.conftest import Run
from tests.support import clips

SCHEMA = json.loads((Path(cnnviz.__file__).parent / "data" / "schema-1.json").read_text("utf-8"))
QUICK = ("--steps", "2", "--octaves", "1", "--layer", "blocks.1")
ZOOM = ("--steps", "2", "--octaves", "1", "--zoom", "4")


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, photo: Path) -> Path:
    monkeypatch.chdir(tmp_path)
    Image.open(photo).resize((112, 80)).save("small.png")
    return tmp_path


def shown(path: str) -> list[Frame]:
    return list(read_clip(path).frames())


def line(capsys: pytest.CaptureFixture[str]) -> dict:
    found = json.loads(capsys.readouterr().out)
    Draft202012Validator(SCHEMA).validate(found)
    return found


def interrupt_at(count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Press Ctrl-C when so many frames are kept."""
    add = FrameStore.add

    def adding(store: FrameStore, image: np.ndarray) -> None:
        add(store, image)
        if store.done == count:
            os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(FrameStore, "add", adding)


@pytest.mark.slow
def test_a_clip_keeps_its_frames_times_and_sound(here, capsys):
    clips.with_sound(here / "tone.mp4", seconds=0.25)
    assert cli.invoke(["dream", "tone.mp4", *QUICK, "--json"]) == 0
    found = line(capsys)
    assert found["output"] == "tone-dream.mp4"
    assert (found["frames"], found["rate"], found["duration"], found["size"]) == (6, 24.0, 0.25, [48, 64])
    before, after = shown("tone.mp4"), shown("tone-dream.mp4")
    assert [(frame.time, frame.duration) for frame in after] == [(frame.time, frame.duration) for frame in before]
    assert all((a.picture != b.picture).mean() > 0.5 for a, b in zip(before, after, strict=True))
    assert clips.sound_packets(here / "tone-dream.mp4") == clips.sound_packets(here / "tone.mp4")
    inside = recipe.read_recipe(here / "tone-dream.mp4")
    assert inside["numbers"]["frames"] == 6
    assert inside["versions"]["av"]
    assert cli.invoke(["show", "--rerun", "tone-dream.mp4", "-o", "again.mp4"]) == 0
    assert Path("again.mp4").read_bytes() == Path("tone-dream.mp4").read_bytes()
    assert sorted(os.listdir()) == ["again.mp4", "cat.jpg", "small.png", "tone-dream.mp4", "tone.mp4"]


@pytest.mark.slow
@pytest.mark.parametrize("words", [("clip.mp4", *QUICK), ("small.png", *ZOOM, "--layer-sequence", "blocks.1,blocks.2")])
def test_stopped_it_keeps_a_clip_and_resumed_it_gives_the_same_bytes(here, words, monkeypatch, capsys):
    clips.write(here / "clip.mp4", clips.frames(4))
    assert cli.invoke(["dream", *words, "-o", "whole.mp4"]) == 0
    with monkeypatch.context() as patch:
        interrupt_at(2, patch)
        capsys.readouterr()
        assert cli.invoke(["dream", *words, "-o", "out.mp4", "--json"]) == 130
    found = line(capsys)
    assert (found["status"], found["frames"], found["frames_done"]) == ("partial", 2, 2)
    assert len(shown("out.mp4")) == 2
    assert cli.invoke(["show", "--rerun", "out.mp4", "-o", "again.mp4"]) == 1
    assert "--resume continues" in capsys.readouterr().err
    assert Path("out.mp4").read_bytes() != Path("whole.mp4").read_bytes()
    assert cli.invoke(["dream", *words, "-o", "out.mp4", "--resume"]) == 0
    assert Path("out.mp4").read_bytes() == Path("whole.mp4").read_bytes()
    assert not list(here.glob("*.partial.*"))
    assert cli.invoke(["dream", *words, "-o", "out.mp4", "--resume", "--json"]) == 0  # whole already: nothing to do


@pytest.mark.slow
def test_a_zoom_moves_about_its_centre_from_the_photo_itself(run: Run, capsys):
    assert cli.invoke(["dream", "small.png", *ZOOM, "--rate", "10", "-o", "out.png", "--json"]) == 0
    assert line(capsys)["duration"] == pytest.approx(0.4)
    frames = shown("out.png")
    assert len(frames) == 4
    assert (frames[0].picture == np.asarray(Image.open("small.png").convert("RGB"))).all()
    assert {frame.duration for frame in frames} == {Fraction(1, 10)}
    ran = run("dream", "-", *ZOOM, "-o", "-", stdin=Path("small.png").read_bytes())
    assert ran.status == 0
    Path("stdout.mp4").write_bytes(ran.stdout)
    assert len(shown("stdout.mp4")) == 4
    assert cli.invoke(["dream", "noise", *ZOOM, "--long-side", "64", "-o", "noise.gif"]) == 0
    assert len(shown("noise.gif")) == 4


@pytest.mark.slow
def test_moving_pictures_are_clips_unless_a_frame_is_named(here):
    clips.write(here / "moving.gif", clips.frames(3))
    assert cli.invoke(["dream", "moving.gif", "small.png", *QUICK, "--long-side", "48", "-o", "out/"]) == 0
    assert sorted(os.listdir("out")) == ["moving-dream.mp4", "small-dream.png"]
    assert [frame.picture.shape for frame in shown("out/moving-dream.mp4")] == [(36, 48, 3)] * 3
    assert cli.invoke(["dream", "moving.gif", *QUICK, "--frame", "1", "-o", "one.png"]) == 0
    assert not is_clip("one.png")
    Path("folder").mkdir()
    Path("moving.gif").rename("folder/moving.gif")
    clips.write(here / "folder" / "clip.mp4", clips.frames(3))
    assert cli.invoke(["dream", "folder", *QUICK, "-o", "stills/"]) == 0
    assert os.listdir("stills") == ["moving-dream.png"]


@pytest.mark.parametrize(
    ("words", "status", "start"),
    [
        (["clip.mp4", "-o", "out.jpg"], 2, "-o out.jpg: end the name in .mp4, .mov"),
        (["small.png", "--zoom", "3", "-o", "out.jpg"], 2, "-o out.jpg: end the name in .mp4, .mov"),
        (["small.png", "-o", "out.mp4"], 2, "-o out.mp4: end the name in .png, .jpg"),
        (["clip.mp4", "--zoom", "3"], 2, "--zoom goes with photos, and clip.mp4 is a clip"),
        (["clip.mp4", "--rate", "10"], 2, "--rate requires --zoom"),
        (["clip.mp4", "--mask", "small.png"], 2, "--mask goes with photos only"),
        (["clip.mp4", "--caricature"], 2, "--caricature goes with photos only"),
        (["clip.mp4", "--save-every", "2"], 2, "--save-every goes with photos only"),
        (["clip.mp4", "--frame", "2"], 2, "--frame goes with photos, and clip.mp4 is a clip"),
        (["clip.mp4", "--background", "red"], 2, "--background goes with photos, and clip.mp4 is a clip"),
        (["small.png", "--layer-sequence", "blocks.1,blocks.2"], 2, "--layer-sequence goes with a clip"),
        (["small.png", "--resume"], 2, "--resume goes with a clip or with --zoom"),
        (["clip.mp4", "--layer-sequence", "blocks.1"], 2, "Invalid value for '--layer-sequence'"),
        (["clip.mp4", "--layer-sequence", "blocks.1,blocks.2", "--class", "tabby"], 2, "--layer-sequence and --class"),
        (["clip.mp4", "--layer-sequence", "blocks.1,blocks.22"], 2, "efficientnet_lite0 has no layer 'blocks.22'"),
        (["missing.mp4"], 1, "missing.mp4: no such file or directory"),
        (["broken.mp4"], 1, "broken.mp4: is not a readable video"),
        (["cut.mp4"], 1, "cut.mp4: is"),
        (["tiny.mp4", "--layer", "blocks.1"], 1, "tiny.mp4: has frames of 12 pixels a side; a clip needs 16"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_one_line(here, words, status, start, capsys):
    if words[0] in ("clip.mp4", "cut.mp4"):
        clips.write(here / "clip.mp4", clips.frames(2))
        data = Path("clip.mp4").read_bytes()
        Path("cut.mp4").write_bytes(data[: len(data) // 2])
    clips.write(here / "tiny.mp4", clips.frames(2, (12, 20)))
    Path("broken.mp4").write_bytes(b"no clip" * 40)
    before = sorted(os.listdir())
    assert cli.invoke(["dream", *words]) == status
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(f"cnnviz: {start}")
    assert err.count("\n") == 1
    assert sorted(os.listdir()) == before


@pytest.mark.slow
def test_a_clip_that_breaks_later_leaves_nothing(here, monkeypatch, capsys):
    clips.write(here / "clip.mkv", clips.frames(30))
    data = Path("clip.mkv").read_bytes()
    Path("cut.mkv").write_bytes(data[: len(data) * 2 // 3])
    assert cli.invoke(["dream", "cut.mkv", *QUICK, "-o", "out.mp4"]) == 1
    assert capsys.readouterr().err.startswith("cnnviz: cut.mkv: is ")
    assert sorted(os.listdir()) == ["cat.jpg", "clip.mkv", "cut.mkv", "small.png"]


def test_a_photo_never_opens_pyav():
    code = (
        "import sys; from cnnviz import cli; cli.invoke(['dream', 'small.png', '--long-side', '32', '--octaves', '1', "
    )
    code += "'--steps', '1', '--layer', 'blocks.1']); sys.exit('av' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False, capture_output=True).returncode == 0
    assert shown("small-dream.png")[0].picture.shape == (23, 32, 3)


@pytest.mark.slow
def test_terminated_it_keeps_what_there_is_and_begun_anew_it_leaves_nothing_stale(here, monkeypatch):
    words = ("small.png", *ZOOM, "-o", "out.mp4")
    assert cli.invoke(["dream", *words[:-1], "whole.mp4"]) == 0
    add, added = FrameStore.add, []

    def terminated(store: FrameStore, image: np.ndarray) -> None:
        add(store, image)
        added.append(1)
        if len(added) == 3:
            raise Terminated

    with monkeypatch.context() as patch:
        patch.setattr(FrameStore, "add", terminated)
        assert cli.invoke(["dream", *words]) == 143
    kept = {path.name for path in here.glob("*.partial.*")}
    assert kept == {"out.mp4.partial.npz", "out.mp4.partial.frames"}
    assert cli.invoke(["dream", *words, "--resume"]) == 0
    assert Path("out.mp4").read_bytes() == Path("whole.mp4").read_bytes()
    assert not list(here.glob("*.partial.*"))


def test_a_zoom_continues_from_a_kept_frame():
    def shift(start, frame, steps, number):
        return (start + 0.01 * steps * torch.sin(start * 7 + number)).clamp(0, 1)

    start = torch.rand(1, 3, 24, 32, generator=torch.Generator().manual_seed(0))
    frames = ZoomFrames(Zoom(start, shift, 10), 5, Fraction(10))
    whole = list(frames(None))
    assert [frame.time for frame in whole] == [Fraction(number, 10) for number in range(5)]
    rest = list(frames(whole[2].state))
    assert [frame.image is None for frame in rest] == [True, True, True, False, False]
    for one, other in zip(whole[3:], rest[3:], strict=True):
        assert np.array_equal(one.image, other.image)
        assert one.time == other.time
