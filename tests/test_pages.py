"""The Python and the commands on the pages run as they stand there, and print what is said below them."""

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
NUMBER = re.compile(r"\d+(?:\.\d+)?")


@pytest.mark.slow
@pytest.mark.parametrize("page", ["README.md", "docs/python.md"])
def test_the_code_of_a_page_runs_and_prints_what_is_said(page, tmp_path, monkeypatch, capsys):
    (tmp_path / "sample_images").symlink_to(ROOT / "sample_images")
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(
        r"^```python\n(.*?)^```\n(?:\n```text\n(.*?)^```\n)?", (ROOT / page).read_text("utf-8"), re.M | re.S
    )
    assert blocks
    names: dict = {"__name__": page}
    for code, said in blocks:
        exec(compile(code, page, "exec"), names)  # a page is read from top to bottom: what it imports stays
        printed = capsys.readouterr().out
        if said:
            alike(printed, said)


def alike(printed: str, said: str) -> None:
    """Hold two texts to the same words and nearly the same numbers."""
    assert NUMBER.sub("#", printed) == NUMBER.sub("#", said)
    assert list(map(float, NUMBER.findall(printed))) == pytest.approx(list(map(float, NUMBER.findall(said))), 1e-2)


@pytest.mark.slow
@pytest.mark.parametrize("page", ["attribute", "classes", "classify", "evaluate", "layers"])
def test_the_commands_of_a_page_print_what_is_said(page, tmp_path):
    (tmp_path / "sample_images").symlink_to(ROOT / "sample_images")
    text = (ROOT / f"docs/{page}.md").read_text("utf-8")
    pairs = re.findall(r"((?:^    cnnviz .*\n)+)(?:\n!\[.*\n)?\n```text\n((?s:.*?))^```", text, re.M)
    assert pairs
    for commands, said in pairs:
        ran = subprocess.run(["sh", "-ec", commands], cwd=tmp_path, capture_output=True, text=True, check=True)
        alike(ran.stdout, said)
