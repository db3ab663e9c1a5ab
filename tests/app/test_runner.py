"""Many jobs: failures, statuses, lines of --json, files that exist already."""

import json
from dataclasses import dataclass
from pathlib import Path

import pytest

from cnnviz import cli
from cnnviz.app.jobs import Job
from cnnviz.app.options import CommandOptions
from cnnviz.app.runner import Outcome, run_jobs
from cnnviz.app.session import Session
from cnnviz.errors import InvalidRequest, MethodError, Status, WeightsError
from tests.conftest import PHOTOS

PNG = b"\x89PNG\r\n\x1a\n" + bytes(30)


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@dataclass(frozen=True, kw_only=True)
class Seeded(CommandOptions):
    seed: int = 7


def session(*, json: bool = False, quiet: bool = True) -> Session:
    return Session("x", Seeded(json=json, quiet=quiet))


def work(job: Job) -> Outcome:
    if job.source == "bad.jpg":
        raise MethodError("cannot be")
    if job.source == "bug.jpg":
        raise RuntimeError("first\nsecond")
    if job.source == "big.jpg":
        raise MemoryError
    return Outcome({"network": "net"}, "missed" if job.source == "missed.jpg" else "ok")


def test_a_failure_is_told_with_its_file_and_the_rest_is_done(capsys: pytest.CaptureFixture[str]) -> None:
    names = ["bad.jpg", "a.jpg", "bug.jpg", "big.jpg", "b\n.jpg"]
    jobs = [Job(name, output=f"{name}.png") for name in names]
    assert run_jobs(session(quiet=False), jobs, work) == Status.FAILED
    out, err = capsys.readouterr()
    assert out == ""
    assert err.splitlines() == [
        "cnnviz: bad.jpg: cannot be",
        "cnnviz: a.jpg -> a.jpg.png",
        "cnnviz: bug.jpg: internal error: RuntimeError: first (--debug shows where)",
        "cnnviz: big.jpg: does not fit into memory",
        r"cnnviz: b\n.jpg -> b\n.jpg.png",
    ]


def test_json_is_one_line_an_input_failures_too(capsys: pytest.CaptureFixture[str]) -> None:
    jobs = [Job(name, output=f"{name}.png") for name in ("a.jpg", "bad.jpg", "missed.jpg")]
    assert run_jobs(session(json=True), jobs, work) == Status.FAILED
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(line["input"], line["output"], line["status"], line["error"]) for line in lines] == [
        ("a.jpg", "a.jpg.png", "ok", None),
        ("bad.jpg", None, "error", "bad.jpg: cannot be"),
        ("missed.jpg", "missed.jpg.png", "missed", None),
    ]
    assert {(line["schema"], line["command"], line["seed"]) for line in lines} == {("cnnviz/1", "x", 7)}


@pytest.mark.parametrize("failure", [WeightsError("no weights\nput them there"), InvalidRequest("no such class")])
def test_what_would_fail_for_all_ends_the_run_and_every_input_has_its_line(
    failure: Exception, capsys: pytest.CaptureFixture[str]
) -> None:
    begun: list[str] = []

    def one(job: Job) -> Outcome:
        begun.append(job.source)
        if job.source == "b.jpg":
            raise failure
        return Outcome({})

    jobs = [Job(name) for name in ("a.jpg", "b.jpg", "c.jpg")]
    with pytest.raises(type(failure)):
        run_jobs(session(json=True), jobs, one)
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert begun == ["a.jpg", "b.jpg"]
    assert [(line["input"], line["status"], line["error"]) for line in lines] == [
        ("a.jpg", "ok", None), ("b.jpg", "error", str(failure)), ("c.jpg", "error", str(failure)),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("names", "status"), [(["a.jpg"], 0), (["a.jpg", "missed.jpg"], 4), (["missed.jpg", "bad.jpg", "a.jpg"], 1)]
)
def test_the_gravest_status_wins(names: list[str], status: int) -> None:
    assert run_jobs(session(), [Job(name) for name in names], work) == status


def test_a_reader_that_has_gone_ends_the_run() -> None:
    def one(_: Job) -> Outcome:
        raise BrokenPipeError

    with pytest.raises(BrokenPipeError):
        run_jobs(session(), [Job("a.jpg"), Job("b.jpg")], one)


def test_existing_files_of_others_are_kept_and_ours_replaced(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "cat.jpg").write_bytes((PHOTOS / "chelsea.jpg").read_bytes())
    words = ["occlude", "cat.jpg", "--window", "112", "--stride", "112", "-o"]
    (here / "mine.png").write_bytes(PNG)
    assert cli.invoke([*words, "mine.png"]) == 1
    assert (here / "mine.png").read_bytes() == PNG
    assert capsys.readouterr().err == (
        "cnnviz: cat.jpg: mine.png: exists and was not written by cnnviz; --overwrite replaces it\n"
    )
    assert cli.invoke([*words, "mine.png", "--overwrite"]) == 0
    made = (here / "mine.png").read_bytes()
    assert cli.invoke([*words, "mine.png", "--bare"]) == 0
    assert (here / "mine.png").read_bytes() != made
