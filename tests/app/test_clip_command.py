"""A command over photos and clips: each to its own ending, the word that stands for no photo, stopped and resumed."""

import json
import os
import signal
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from pathlib import Path

import click
import numpy as np
import pytest

from cnnviz.app.clip_command import clip_command, is_clip_input
from cnnviz.app.clip_plan import ClipFrame, ClipPlan, ClipRecord
from cnnviz.app.declare import argument
from cnnviz.app.options import LosslessOptions, NetworkOptions, OutputOptions, ReadingOptions, ResumeOptions
from cnnviz.app.records import Result
from cnnviz.errors import InvalidRequest
from cnnviz.io.recipe import read_recipe
from cnnviz.video.clip import read_clip
from cnnviz.video.frame_store import FrameStore
from tests.support import clips


@dataclass(frozen=True, kw_only=True)
class Options(ReadingOptions, NetworkOptions, LosslessOptions, ResumeOptions, OutputOptions):
    """Options of a toy command."""

    inputs: tuple[str, ...] = argument(word="nothing", nargs=-1, required=True, type=click.Path())


def moving(options):
    return [name for name in options.inputs if is_clip_input(name)]


def plan(session, job, read):
    """Four grey frames, the number of the last as the state."""
    clip = read_clip(job.source)

    def frames(kept):
        start = int(kept["number"]) + 1 if kept else 0
        for number in range(4):
            image = np.full((32, 48, 3), 40 * number, np.uint8) if number >= start else None
            yield ClipFrame(image, Fraction(number, 10), Fraction(1, 10), {"number": np.array(number)})

    record = partial(ClipRecord, network=session.network.name)
    return ClipPlan(session.record_file(job), record, frames, ("number",), 4, clip.rate)


@clip_command(Options, ClipRecord, suffix="-toy.png", progress=("toying", "steps"), moving=moving, plan=plan,
              word="nothing", blank=lambda options: np.full((3, 4, 3), 7, np.uint8))  # fmt: skip
def toy(session, photo, options, control) -> Result[ClipRecord]:
    """Make a toy."""
    return Result(ClipRecord(network=session.network.name, size=list(photo.image.shape[:2])), photo.image)


@pytest.fixture(autouse=True)
def here(tmp_path: Path, photo: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    clips.write(tmp_path / "clip.mp4", clips.frames(4))
    return tmp_path


def run(capsys, *words: str) -> tuple[int, list[dict]]:
    capsys.readouterr()
    try:
        with toy.command.make_context("toy", [*words, "--json"]) as context:
            toy.command.invoke(context)
    except click.exceptions.Exit as leave:
        return leave.exit_code, [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    raise AssertionError


def test_photos_words_and_clips_go_to_their_own_files(capsys):
    status, lines = run(capsys, "cat.jpg", "nothing", "clip.mp4", "-o", "out/")
    assert status == 0
    assert [line["output"] for line in lines] == ["out/cat-toy.png", "out/nothing-toy.png", "out/clip-toy.mp4"]
    assert [line["size"] for line in lines] == [[300, 451], [3, 4], [32, 48]]
    assert "frames" not in lines[0]
    assert (lines[2]["frames"], lines[2]["duration"]) == (4, 0.4)
    assert read_recipe(Path("out/nothing-toy.png"))["input"] is None


def test_stopped_it_keeps_the_clip_and_resumed_it_is_the_same(capsys, monkeypatch):
    run(capsys, "clip.mp4", "-o", "whole.mp4")
    add = FrameStore.add

    def interrupt(store, image):
        add(store, image)
        if store.done == 2:
            os.kill(os.getpid(), signal.SIGINT)

    with monkeypatch.context() as patch:
        patch.setattr(FrameStore, "add", interrupt)
        status, (line,) = run(capsys, "clip.mp4", "-o", "out.mp4")
    assert (status, line["status"], line["frames"], line["frames_done"]) == (130, "partial", 2, 2)
    status, (line,) = run(capsys, "clip.mp4", "-o", "out.mp4", "--resume")
    assert (status, line["status"], line["frames"]) == (0, "ok", 4)
    assert Path("out.mp4").read_bytes() == Path("whole.mp4").read_bytes()
    assert not list(Path().glob("*.partial.*"))
    assert run(capsys, "clip.mp4", "-o", "out.mp4", "--resume")[0] == 0


def test_lossless_clips_have_an_ending_and_a_format_of_their_own(capsys):
    assert [line["output"] for line in run(capsys, "clip.mp4", "--lossless", "-o", "out/")[1]] == ["out/clip-toy.mkv"]
    assert [frame.picture.max() for frame in read_clip("out/clip-toy.mkv").frames()] == [0, 40, 80, 120]
    with pytest.raises(InvalidRequest, match=r"-o a\.mp4: end the name in \.mkv, \.png"):
        run(capsys, "clip.mp4", "--lossless", "-o", "a.mp4")


def test_what_is_a_clip():
    clips.write(Path("moving.gif"), clips.frames(3))
    assert is_clip_input("missing.mp4")
    assert is_clip_input("moving.gif")
    assert not is_clip_input("moving.gif", animations=False)
    assert not is_clip_input("cat.jpg")
