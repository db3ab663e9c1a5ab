"""matplotlib is imported when a figure is drawn, not before, and writes nothing to standard error."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import PHOTOS, Run, environment

WITHOUT = (
    ["--help"], ["occlude", "--help"], ["classify", "cat.jpg"],
    ["occlude", "cat.jpg", "--window", "112", "--stride", "112", "--bare", "-o", "a.png"],
    ["dream", "cat.jpg", "--octaves", "1", "--steps", "1", "-o", "c.png"],
)  # fmt: skip
SCRIPT = f"""
import sys
from cnnviz.cli import invoke
for words in {WITHOUT}:
    assert invoke(words) == 0, words
    assert "matplotlib" not in sys.modules, words
assert invoke(["attribute", "cat.jpg", "--bare", "-o", "b.png"]) == 0  # captum itself imports matplotlib
assert "cnnviz.figures.page" not in sys.modules
assert invoke(["attribute", "cat.jpg", "-o", "d.png"]) == 0
assert "cnnviz.figures.page" in sys.modules
"""


def test_only_a_command_that_draws_a_figure_imports_matplotlib(tmp_path: Path) -> None:
    shutil.copy(PHOTOS / "chelsea.jpg", tmp_path / "cat.jpg")
    words = [sys.executable, "-c", SCRIPT]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, env=environment(), timeout=300)
    assert done.returncode == 0, done.stderr


SETTINGS = """
backend: nonsense
font.style: italic
font.stretch: condensed
savefig.facecolor: red
savefig.bbox: tight
figure.dpi: 50
axes.facecolor: red
lines.linewidth: 9
svg.fonttype: path
pdf.compression: 0
"""


@pytest.mark.parametrize("ending", ["png", "svg", "pdf"])
def test_a_users_matplotlib_changes_no_byte(run: Run, photo: Path, ending: str) -> None:
    (photo.parent / "matplotlibrc").write_text(SETTINGS)
    words = ("attribute", photo.name, "-q", "-o")
    assert run(*words, f"own.{ending}", env={"MPLBACKEND": "nonsense"}).status == 0
    (photo.parent / "matplotlibrc").unlink()
    assert run(*words, f"plain.{ending}").status == 0
    assert (photo.parent / f"own.{ending}").read_bytes() == (photo.parent / f"plain.{ending}").read_bytes()


def test_a_new_home_without_a_place_for_the_font_cache_gives_a_figure_and_no_word(run: Run, photo: Path) -> None:
    (photo.parent / "file").touch()
    home = {"HOME": str(photo.parent / "home"), "XDG_CACHE_HOME": "", "XDG_CONFIG_HOME": ""}
    for place in ({}, {"MPLCONFIGDIR": str(photo.parent / "file" / "none")}):
        done = run("attribute", photo, "-q", "-o", "a.png", env=home | place)
        assert (done.status, done.errors) == (0, [])
