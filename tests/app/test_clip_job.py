"""Clips frame by frame: a broken one leaves nothing, a terminated one its state, standard output no files."""

from dataclasses import fields, replace
from fractions import Fraction
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from cnnviz.app.clip_job import make_clip
from cnnviz.app.clip_plan import ClipFrame, ClipPlan, ClipRecord
from cnnviz.app.jobs import Job
from cnnviz.app.session import Session
from cnnviz.errors import MethodError, Terminated
from cnnviz.io.arrays import read_arrays
from cnnviz.video.clip import read_clip
from tests.app.test_clip_command import Options


def session(**changes) -> Session:
    values = {item.name: item.default for item in fields(Options) if "option" in item.metadata}
    return Session("toy", Options(inputs=("clip",), **(values | {"quiet": True} | changes)))


def frames(kept, end: BaseException | None = None, after: int = 3):
    start = int(kept["number"]) + 1 if kept else 0
    for number in range(4):
        if end and number == after:
            raise end
        image = np.full((32, 48, 3), 40 * number, np.uint8) if number >= start else None
        yield ClipFrame(image, Fraction(number, 10), Fraction(1, 10), {"number": np.array(number)})


def plan(end: BaseException | None = None) -> ClipPlan:
    return ClipPlan(None, partial(ClipRecord, network="net"), partial(frames, end=end), ("number",), 4, Fraction(10))


def make(output: Path | str, end: BaseException | None = None, **options):
    own = session(**options)
    return make_clip(own, Job("clip", output=str(output)), plan(end), own.recipe(None, moving=True), "toying")


def test_a_finished_clip_leaves_the_clip_alone(tmp_path):
    outcome = make(tmp_path / "out.mp4")
    assert (outcome.status, outcome.fields["frames"], outcome.fields["duration"]) == ("ok", 4, 0.4)
    assert [path.name for path in tmp_path.iterdir()] == ["out.mp4"]
    assert len(list(read_clip(tmp_path / "out.mp4").frames())) == 4


def test_a_clip_that_breaks_leaves_nothing(tmp_path):
    with pytest.raises(MethodError):
        make(tmp_path / "out.mp4", MethodError("is broken"))
    assert list(tmp_path.iterdir()) == []


def test_a_terminated_clip_keeps_its_frames_and_continues(tmp_path):
    make(tmp_path / "whole.mp4")
    with pytest.raises(Terminated):
        make(tmp_path / "out.mp4", Terminated())
    assert sorted(path.name for path in tmp_path.glob("out*")) == ["out.mp4.partial.frames", "out.mp4.partial.npz"]
    assert make(tmp_path / "out.mp4", resume=True).status == "ok"
    assert (tmp_path / "out.mp4").read_bytes() == (tmp_path / "whole.mp4").read_bytes()
    assert sorted(path.name for path in tmp_path.glob("*.partial.*")) == []


def test_every_frame_is_on_disk_with_its_state_before_the_next(tmp_path):
    found = []

    def watched(kept):
        for frame in frames(kept):
            if frame.time:
                found.append(int(read_arrays(tmp_path / "out.mp4.partial.npz", ["number"])["number"]))
            yield frame

    own = session()
    job = Job("clip", output=str(tmp_path / "out.mp4"))
    make_clip(own, job, replace(plan(), frames=watched), own.recipe(None, moving=True), "toying")
    assert found == [0, 1, 2]


def test_standard_output_leaves_no_file(tmp_path, monkeypatch, capfdbinary):
    monkeypatch.chdir(tmp_path)
    make("whole.mp4")
    capfdbinary.readouterr()
    make("-")
    assert capfdbinary.readouterr().out == Path("whole.mp4").read_bytes()
    assert [path.name for path in tmp_path.iterdir()] == ["whole.mp4"]
