"""The Python on the pages runs as it stands there, and prints what is said below it."""

import re
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
            assert NUMBER.sub("#", printed) == NUMBER.sub("#", said)
            assert list(map(float, NUMBER.findall(printed))) == pytest.approx(
                list(map(float, NUMBER.findall(said))), 1e-2
            )
