"""Intermediate results: every N-th, beside the last, with their step; never over a file of another program."""

from pathlib import Path

import pytest
import torch

from cnnviz.app.snapshots import Snapshots, check_snapshots, snapshot_path
from cnnviz.errors import InvalidRequest, OutputError
from cnnviz.io.recipe import read_recipe

RECIPE = {"recipe": 1, "command": "toy"}


def grey() -> torch.Tensor:
    return torch.full((1, 3, 4, 5), 0.5)


def test_every_nth_step_is_written_but_the_last(tmp_path):
    save = Snapshots(str(tmp_path / "cat.png"), 8, False, RECIPE)
    for step in range(1, 41):
        save.write(step, 40, grey)
    assert sorted(path.name for path in tmp_path.iterdir()) == [f"cat-{step:02}.png" for step in (8, 16, 24, 32)]
    assert read_recipe(tmp_path / "cat-08.png")["numbers"] == {"steps_done": 8}


def test_a_file_of_another_program_is_kept(tmp_path):
    (tmp_path / "cat-08.png").write_bytes(b"another's")
    with pytest.raises(OutputError):
        Snapshots(str(tmp_path / "cat.png"), 8, False, RECIPE).write(8, 40, grey)
    Snapshots(str(tmp_path / "cat.png"), 8, True, RECIPE).write(8, 40, grey)


def test_names_sort_by_step_and_standard_output_has_none():
    assert Path(snapshot_path("out/cat-dream.png", 8, 400)) == Path("out/cat-dream-008.png")
    check_snapshots(None, "-")
    check_snapshots(2, None)
    with pytest.raises(InvalidRequest, match="--save-every writes files"):
        check_snapshots(2, "-")
