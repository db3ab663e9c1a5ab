"""``cnnviz sticker`` from a command line to files on disk."""

import json
import os
from pathlib import Path

import click
import numpy as np
import pytest
from PIL import Image

from cnnviz.adversarial import patch
from cnnviz.adversarial.commands.sticker import PatchRegion
from cnnviz.cli import invoke
from cnnviz.io.recipe import read_recipe
from tests.support.figure_files import check_figure_files
from tests.support.lines import json_lines
from tests.support.patches import color_network, color_scene

REGION = "100,100 220,100 220,190 100,190"
QUICK = ("--target-class", "banana", "--steps", "1")


@pytest.fixture(autouse=True)
def here(photo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(patch, "HELD_OUT_POSES", 7)
    return tmp_path


def make(capsys: pytest.CaptureFixture[str], *words: str, status: int = 0) -> dict:
    return json_lines(capsys, "sticker", "cat.jpg", *QUICK, *words, status=status)[0]


def test_a_print_of_the_size_asked_for_and_the_same_bytes_again(capsys):
    line = make(capsys, "--region", REGION, "--min-success", "0", "--print-size", "50.8")
    assert (line["target"], line["goal"], line["poses"]) == (line["clean_top"][0]["index"], 954, 7)
    assert line["passes"] == {"forward": 1, "backward": 1}
    assert line["area"] == pytest.approx(120 * 90 / 300**2 * (256 / 224) ** 2, rel=0.02)
    assert set(line["controls"]) == {"grey", "noise", "clean"}
    with Image.open("cat-sticker.png") as image:
        assert image.size == (600, 450)
        assert [round(value) for value in image.info["dpi"]] == [300, 300]
    assert (line["size"], line["print_size"]) == ([450, 600], [50.8, 38.1])
    assert invoke(["show", "--rerun", "cat-sticker.png", "-o", "again.png"]) == 0
    assert Path("again.png").read_bytes() == Path("cat-sticker.png").read_bytes()


def test_a_mask_cuts_the_print_out_and_is_remembered(capsys):
    with Image.open("cat.jpg") as image:
        width, height = image.size
    y, x = np.mgrid[:height, :width]
    Image.fromarray((((x - 220) ** 2 + (y - 150) ** 2 < 60**2) * 255).astype(np.uint8)).save("mask.png")
    make(capsys, "--region", "mask.png", "--min-success", "0", "--print-size", "20")
    with Image.open("cat-sticker.png") as image:
        printed = np.asarray(image)
    assert (printed[0, 0] == 255).all()
    assert (printed == 255).all(2).mean() == pytest.approx(1 - np.pi / 4, abs=0.03)
    assert invoke(["show", "--rerun", "cat-sticker.png", "-o", "again.png"]) == 0
    assert Path("again.png").read_bytes() == Path("cat-sticker.png").read_bytes()
    Image.new("L", (9, 9), 255).save("mask.png")
    assert invoke(["show", "--rerun", "cat-sticker.png", "-o", "other.png"]) == 1
    assert "is not the file that the recipe was made with" in capsys.readouterr().err


def test_what_does_not_fool_is_status_4_and_not_written(capsys):
    line = make(capsys, "--region", REGION, "--min-success", "1", "--preview", "preview.png", status=4)
    assert (line["status"], line["output"]) == ("missed", None)
    assert sorted(os.listdir()) == ["cat.jpg", "preview.png"]
    assert invoke(["show", "--rerun", "preview.png", "-o", "again.png"]) == 4
    assert Path("again.png").read_bytes() == Path("preview.png").read_bytes()
    assert sorted(os.listdir()) == ["again.png", "cat.jpg", "preview.png"]
    kept = make(capsys, "--region", REGION, "--min-success", "1", "--keep-failed", "-o", "kept.png", status=4)
    assert kept["output"] == "kept.png"
    assert invoke(["show", "--rerun", "kept.png", "-o", "again.png"]) == 4
    assert Path("again.png").read_bytes() == Path("kept.png").read_bytes()


def test_the_preview_is_a_figure_in_every_kind_of_file(commanded):
    commanded(color_network())
    Image.fromarray(color_scene().photo).save("red.png")
    words = ["sticker", "red.png", "--region", "40,20 100,30 95,80 35,70", "--target-class", "green", "--steps", "1"]
    check_figure_files([*words, "--min-success", "0", "-o", "made.png"], "--preview")


def test_the_stickers_recipe_does_not_hold_how_its_preview_is_drawn(commanded):
    commanded(color_network())
    Image.fromarray(color_scene().photo).save("red.png")
    words = ["sticker", "red.png", "--region", "40,20 100,30 95,80 35,70", "--target-class", "green", "--steps", "1",
             "--min-success", "0", "-q"]  # fmt: skip
    assert invoke([*words, "-o", "a.png", "--preview", "p.png", "--theme", "dark"]) == 0
    assert invoke(["show", "--rerun", "a.png", "-o", "b.png"]) == 0
    assert invoke(["show", "--rerun", "p.png", "-o", "q.png"]) == 0
    assert Path("a.png").read_bytes() == Path("b.png").read_bytes()
    assert Path("p.png").read_bytes() == Path("q.png").read_bytes()
    assert "theme" not in read_recipe(Path("a.png"))["options"]
    assert read_recipe(Path("p.png"))["options"]["theme"] == "dark"


def test_a_person_is_told_of_the_controls_and_that_it_is_a_simulation(capsys):
    assert invoke(["sticker", "cat.jpg", *QUICK, "--region", REGION, "--min-success", "0"]) == 0
    out, err = capsys.readouterr()
    assert out == ""
    assert "of 7 held-out poses (grey 0%, noise 0%, clean 0%)" in err
    assert "simulated: rendered" in err


@pytest.mark.parametrize(
    ("words", "status", "start"),
    [
        ([*QUICK], 2, "Missing option '--region'"),
        (["--region", REGION], 2, "Missing option '--target-class'"),
        ([*QUICK, "--region", "1,2 3,4"], 2, "Invalid value for '--region': '1,2 3,4' is neither a file nor three"),
        ([*QUICK, "--region", REGION, "-o", "x.jpg"], 2, "-o x.jpg: end the name in .png"),
        ([*QUICK, "--region", "0,0 9,0 9000,9"], 1, "cat.jpg: the region's corner 9000,9 lies outside"),
        ([*QUICK, "--region", "cat.jpg", "--print-size", "1"], 2, "Invalid value for '--print-size'"),
        ([*QUICK, "--region", "small.png"], 1, "cat.jpg: small.png: a mask of 9x9 pixels does not fit"),
        ([*QUICK, "--region", "0,0 20,0 20,20 0,20"], 1, "cat.jpg: the region lies outside the network's crop"),
        (["--target-class", "tabby", "--region", REGION], 1, "cat.jpg: is classified as"),
    ],
)
def test_what_cannot_be_is_one_line(words, status, start, capsys):
    Image.new("L", (9, 9), 255).save("small.png")
    if "tabby" in words:
        assert invoke(["classify", "cat.jpg", "--json"]) == 0
        words[1] = str(json.loads(capsys.readouterr().out)["top"][0]["index"])
    assert invoke(["sticker", "cat.jpg", *words]) == status
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(f"cnnviz: {start}")
    assert err.count("\n") == 1
    assert sorted(os.listdir()) == ["cat.jpg", "small.png"]


def test_a_photo_whose_own_class_is_unstable_is_reported(capsys):
    assert invoke(["sticker", "cat.jpg", "--target-class", "banana", "--steps", "1", "--region", REGION, "--fit", "pad",
                   "--min-success", "0"]) == 0  # fmt: skip
    rows = [row for row in capsys.readouterr().err.splitlines() if "not classified as" in row]
    assert rows[0].count("%") == 4


def test_a_region_is_three_corners_or_a_file(tmp_path):
    assert PatchRegion().convert("1,2  3.5,4 5,6", None, None) == "1,2 3.5,4 5,6"
    path = tmp_path / "mask.png"
    path.touch()
    assert PatchRegion().convert(str(path), None, None) == Path(path)
    for words in ("1,2 3,4", "1,2 3,4 a,b", str(tmp_path / "none.png")):
        with pytest.raises(click.UsageError, match="neither a file nor three or more corners"):
            PatchRegion().convert(words, None, None)
