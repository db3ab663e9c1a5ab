"""``cnnviz robustness`` from a command line to a curve."""

import sys
from pathlib import Path

import pytest
from PIL import Image

from cnnviz.cli import invoke
from cnnviz.io.recipe import read_recipe
from tests.conftest import PHOTOS
from tests.support.figure_files import check_figure_files
from tests.support.lines import json_lines
from tests.support.networks import random_classifier


@pytest.fixture
def photos(tmp_path, monkeypatch) -> Path:
    """A folder of two photos of the network's own size, two folders deep."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "photos/more").mkdir(parents=True)
    for name, to in (("coffee", "photos/cup.png"), ("astronaut", "photos/more/woman.png")):
        with Image.open(PHOTOS / f"{name}.jpg") as photo:
            photo.crop((100, 30, 324, 254)).save(to)
    return tmp_path


def lines(capsys, *words: str, status: int = 0) -> list[dict]:
    return json_lines(capsys, "robustness", *words, "-q", status=status)


def test_a_folder_gives_a_line_each_a_summary_and_a_picture(photos, capsys):
    *each, summary = lines(capsys, "photos", "--eps", "3")
    assert [line["input"] for line in each] == ["photos/cup.png", "photos/more/woman.png"]
    assert summary["output"] == "photos-robustness.png"
    assert (summary["input"], summary["photos"], summary["eps"]) == ("photos", 2, 3)
    stand = [sum(line["levels"] is None or line["levels"] > k for line in each) / 2 for k in range(4)]
    assert summary["accuracy"] == stand
    assert summary["accuracy"][1] < 1
    assert all(line["clean_top"][0]["index"] != line["top"][0]["index"] for line in each)
    with Image.open("photos-robustness.png") as picture:
        assert picture.width == 1920
        assert [round(value) for value in picture.info["dpi"]] == [200, 200]
    recipe = read_recipe(Path("photos-robustness.png"))
    assert recipe["numbers"]["accuracy"] == stand
    assert (recipe["input"]["name"], recipe["input"]["photos"]) == ("photos", 2)
    assert invoke(["show", "--rerun", "photos-robustness.png", "-o", "again.png"]) == 1
    assert "is made of many photos" in capsys.readouterr().err


def test_a_table_is_printed_and_an_earlier_picture_is_no_photo(photos, capsys):
    for _ in range(2):
        assert invoke(["robustness", "photos", "--eps", "1", "-o", "photos/curve.png"]) == 0
        out, err = capsys.readouterr()
        rows = out.splitlines()
        assert rows[0].split()[1] == "photos/cup.png:"
        assert rows[2:4] == ["", "level  accuracy  random noise"]
        assert [row.split()[0] for row in rows[4:]] == ["0", "1"]
        assert rows[4].split()[1:] == ["100.0%", "100.0%"]
        assert err == "cnnviz: photos -> photos/curve.png\n"


def test_a_broken_photo_is_told_and_the_rest_is_measured(photos, capsys):
    Path("photos/broken.png").write_bytes(b"no picture")
    first, *_, summary = lines(capsys, "photos", "--eps", "1", status=1)
    assert (first["status"], first["input"]) == ("error", "photos/broken.png")
    assert summary["photos"] == 2


def test_nothing_is_drawn_where_nothing_could_be_read(photos, capsys):
    Path("broken.png").write_bytes(b"no picture")
    [line] = lines(capsys, "broken.png", status=1)
    assert line["status"] == "error"
    assert not Path("broken-robustness.png").exists()


@pytest.mark.parametrize(("words", "said"), [
    (["photos/cup.png", "-o", "photos/cup.png"], "is an input, and an input is never written to"),
    (["photos", "-o", "-", "--json"], "not both"),
    (["photos", "-o", "curve.txt"], "end the name in .png, .jpg, .jpeg, .webp"),
    (["photos", "--eps", "0"], "0 is not in the range"),
    (["nowhere/"], "no such file"),
])  # fmt: skip
def test_what_cannot_be_is_refused_in_a_line(photos, capsys, words, said):
    before = Path("photos/cup.png").read_bytes()
    assert invoke(["robustness", *words]) in (1, 2)
    out, err = capsys.readouterr()
    assert (out.count("\n"), err.count("\n")) == (0, 1)
    assert said in err
    assert Path("photos/cup.png").read_bytes() == before


def test_the_curve_is_a_figure_in_every_kind_of_file(photos, commanded):
    commanded(random_classifier(16))
    check_figure_files(["robustness", "photos", "--eps", "1"], rerun=False)


def test_the_figure_names_the_ground_truth(photos, commanded):
    commanded(random_classifier(16))
    assert invoke(["robustness", "photos", "--eps", "1", "--ground-truth", "3", "-o", "curve.svg", "-q"]) == 0
    assert "predicted as “class 3”" in Path("curve.svg").read_text("utf-8")


def test_the_picture_goes_to_standard_output(photos, capfdbinary):
    assert invoke(["robustness", "photos/cup.png", "--eps", "1", "-o", "-", "-q"]) == 0
    sys.stdout.flush()
    assert capfdbinary.readouterr().out.startswith(b"\x89PNG")
