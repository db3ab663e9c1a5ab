"""A module-level function becomes a command: files, records, second files, partial and missed results."""

import json
from dataclasses import dataclass
from pathlib import Path

import click
import numpy as np
import pytest
from PIL import Image

from cnnviz.app.declare import option
from cnnviz.app.options import KeepFailedOptions, OutputOptions, PhotoOptions, RawOptions, ResumeOptions
from cnnviz.app.photo_command import photo_command, plain_command
from cnnviz.app.records import PhotoRecord, RawRecord, Result, field
from cnnviz.app.session import Session
from cnnviz.control import Control
from cnnviz.errors import Status
from cnnviz.io.recipe import read_recipe


@dataclass(frozen=True, kw_only=True)
class Options(PhotoOptions, RawOptions, ResumeOptions, KeepFailedOptions, OutputOptions):
    """Options of a toy command."""

    level: int = option("Level.", default=7)
    done: int = option("Rows to make.", default=2, recorded=False)


@dataclass(frozen=True, kw_only=True)
class Record(PhotoRecord, RawRecord):
    """JSON fields of a toy command."""

    level: int = field("Level.")
    rows_done: int | None = field("Rows.", default=None, progress_of="level")


@photo_command(Options, Record, suffix="-toy.png")
def toy(session: Session, photo, options: Options, control: Control) -> Result[Record]:
    """Make a toy."""
    kept = session.kept_arrays(photo, ("rows",))
    rows = (0 if kept is None else int(kept["rows"])) + options.done
    partial = rows < 2
    record = Record(network="net", top=[], level=options.level, rows_done=rows if partial else None)
    return Result(
        record, np.full((2, 3, 3), options.level, np.uint8), {"x": np.arange(3)}, text=f"level {options.level}",
        missed="level is 0" if options.level == 0 else "", partial=partial,
        kept={"rows": np.array(rows)} if partial else None,
    )  # fmt: skip


@plain_command(Options)
def failing(options: Options) -> Status:
    """Fail."""
    return Status.FAILED


@pytest.fixture(autouse=True)
def here(tmp_path: Path, photo: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(function, *words: str) -> int:
    try:
        with function.command.make_context(function.__name__, list(words)) as context:
            function.command.invoke(context)
    except SystemExit as leave:
        return int(leave.code or 0)
    except click.exceptions.Exit as leave:
        return leave.exit_code
    return 0


def test_the_function_stays_a_function_and_the_command_writes_its_files(capsys):
    assert callable(toy)
    assert toy.__module__ == __name__
    assert run(toy, "cat.jpg", "--raw", "x.npz", "-o", "a.png") == 0
    assert np.asarray(Image.open("a.png")).tolist() == [[[7] * 3] * 3] * 2
    recipe = read_recipe(Path("a.png"))
    assert recipe["numbers"] == {"network": "net", "top": [], "level": 7}
    assert (recipe["options"]["level"], "raw" in recipe["options"]) == (7, False)
    assert np.load("x.npz")["x"].tolist() == [0, 1, 2]
    assert capsys.readouterr().out == "level 7\n"


def test_json_has_the_record_and_the_second_file(capsys):
    assert run(toy, "cat.jpg", "--raw", "x.npz", "-o", "a.png", "--json", "-q") == 0
    line = json.loads(capsys.readouterr().out)
    assert (line["command"], line["output"], line["raw"], line["level"]) == ("toy", "a.png", "x.npz", 7)


def test_what_missed_its_aim_is_written_only_when_asked_for(capsys):
    assert run(toy, "cat.jpg", "--level", "0", "-o", "a.png") == Status.MISSED
    assert capsys.readouterr().err == "cnnviz: cat.jpg: level is 0\n"
    assert not Path("a.png").exists()
    assert run(toy, "cat.jpg", "--level", "0", "-o", "a.png", "--keep-failed") == Status.MISSED
    assert Path("a.png").exists()


def test_resume_continues_what_was_kept_and_skips_what_is_finished(capsys):
    for done, status in (("1", "partial"), ("1", "ok"), ("0", "ok")):
        assert run(toy, "cat.jpg", "--resume", "--done", done, "-o", "a.png", "--json", "-q") == 0
        assert json.loads(capsys.readouterr().out)["status"] == status
        assert Path("a.png.partial.npz").exists() == (status == "partial")


def test_a_plain_command_leaves_with_its_status():
    assert run(failing, "cat.jpg") == Status.FAILED
