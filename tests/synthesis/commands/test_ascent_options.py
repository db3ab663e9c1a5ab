"""Settings take the options of their names; notes of stopped runs; every N-th step written, never over another's."""

from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from cnnviz.errors import InvalidRequest, OutputError
from cnnviz.io.recipe import read_recipe
from cnnviz.synthesis.ascent import AscentStep
from cnnviz.synthesis.commands.ascent_options import (
    check_snapshots,
    settings_of,
    snapshot_path,
    snapshots,
    stopped_note,
)


@dataclass
class Settings:
    steps: int = 1
    jitter: int = 2
    other: float = 3.0


@dataclass
class Options:
    steps: int = 10
    jitter: int = 20
    output: str = "a.png"


def test_settings_are_the_options_of_the_same_names():
    assert settings_of(Settings, Options()) == Settings(10, 20, 3.0)


def test_a_stopped_run_has_a_note():
    assert stopped_note(4, 4) == ()
    assert stopped_note(3, 4) == ("stopped after 3 of 4 steps; the image shows the state at that step",)


def save(output: Path, *, overwrite: bool = False):
    """Return what writes each eighth step."""
    recipe = {"recipe": 1, "command": "toy"}
    session = SimpleNamespace(options=SimpleNamespace(overwrite=overwrite), recipe=lambda source: recipe)
    write = snapshots(session, str(output), None, 8)
    return lambda step: write(AscentStep(step, 40, 0.0, lambda: torch.full((1, 3, 4, 5), 0.5)))


def test_every_nth_step_is_written_but_the_last(tmp_path):
    assert snapshots(None, "cat.png", None, None) is None
    write = save(tmp_path / "cat.png")
    for step in range(1, 41):
        write(step)
    assert sorted(path.name for path in tmp_path.iterdir()) == [f"cat-{step:02}.png" for step in (8, 16, 24, 32)]
    assert read_recipe(tmp_path / "cat-08.png")["numbers"] == {"steps_done": 8}


def test_a_file_of_another_program_is_kept(tmp_path):
    (tmp_path / "cat-08.png").write_bytes(b"another's")
    with pytest.raises(OutputError):
        save(tmp_path / "cat.png")(8)
    save(tmp_path / "cat.png", overwrite=True)(8)


def test_names_sort_by_step_and_standard_output_has_none():
    assert Path(snapshot_path("out/cat-dream.png", 8, 400)) == Path("out/cat-dream-008.png")
    check_snapshots(None, "-")
    check_snapshots(2, None)
    with pytest.raises(InvalidRequest, match="--save-every writes files"):
        check_snapshots(2, "-")
