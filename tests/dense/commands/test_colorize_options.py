"""Without weights two lines say where the authors publish theirs."""

import pytest

from cnnviz.cli import invoke
from tests.conftest import PHOTOS


@pytest.mark.parametrize("words", [[], ["--weights", "none.pth"]])
def test_missing_weights_are_two_lines(words, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert invoke(["colorize", str(PHOTOS / "coffee.jpg"), *words]) == 3
    error = capsys.readouterr().err.splitlines()
    assert len(error) == 2
    assert "--weights" in error[0]
    assert "colorization_release_v2-9b330a0b.pth" in error[1]
    assert not list(tmp_path.iterdir())
