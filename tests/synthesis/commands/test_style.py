"""``cnnviz style`` from a command line to files on disk."""

import json
import os
import signal
from pathlib import Path

import numpy as np
import pytest
from jsonschema import Draft202012Validator
from PIL import Image

import cnnviz
from cnnviz import cli
from cnnviz.io import recipe
from cnnviz.synthesis.commands import ascent_options

SCHEMA = json.loads((Path(cnnviz.__file__).parent / "data" / "schema-1.json").read_text("utf-8"))
QUICK = (
    "--style",
    "style.png",
    "--long-side",
    "64",
    "--steps",
    "3",
    "--style-layers",
    "bn1",
    "--style-layers",
    "pixels",
)


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, photo: Path) -> Path:
    monkeypatch.chdir(tmp_path)
    Image.open(photo).resize((96, 72)).save("small.png")
    noise = np.random.default_rng(0).integers(0, 256, (40, 60, 3), dtype=np.uint8)
    Image.fromarray(noise).resize((120, 80)).save("style.png")
    return tmp_path


def pixels(path: str) -> np.ndarray:
    return np.asarray(Image.open(path).convert("RGB"))


def test_a_line_of_json_and_the_same_bytes_again(capsys):
    words = ["style", "small.png", *QUICK, "--style", "small.png", "--style-weight", "2", "--style-weight", "1"]
    assert cli.invoke([*words, "--json"]) == 0
    line = json.loads(capsys.readouterr().out)
    Draft202012Validator(SCHEMA).validate(line)
    assert line["size"] == [48, 64]
    assert line["sizes"] == [[48, 64]]
    assert [len(losses) for losses in line["losses"]] == [3]
    assert line["style_layers"] == [{"layer": "bn1", "weight": 1.0}, {"layer": "pixels", "weight": 1.0}]
    assert line["content_layers"] == [{"layer": "blocks.2.1", "weight": 1.0}]
    first = Path("small-style.png").read_bytes()
    assert recipe.read_recipe(Path("small-style.png"))["numbers"]["losses"] == line["losses"]
    assert cli.invoke(["show", "--rerun", "small-style.png", "-o", "again.png"]) == 0
    assert Path("again.png").read_bytes() == first


def test_outside_the_mask_is_the_photo_and_the_rerun_finds_the_mask():
    mask = np.zeros((72, 96), np.uint8)
    mask[:, :48] = 255
    Image.fromarray(mask).save("mask.png")
    words = ["style", "small.png", *QUICK, "--long-side", "96", "--style-mask", "mask.png", "-o", "out.png"]
    words.remove("64")
    words.remove("--long-side")
    assert cli.invoke(words) == 0
    before, after = pixels("small.png"), pixels("out.png")
    assert (before[mask == 0] == after[mask == 0]).all()
    assert (before[mask > 0] != after[mask > 0]).any(-1).mean() > 0.5
    assert cli.invoke(["show", "--rerun", "out.png", "-o", "again.png"]) == 0
    assert Path("again.png").read_bytes() == Path("out.png").read_bytes()


def test_both_ways_is_a_figure_with_the_losses_of_both(capsys):
    words = ["style", "small.png", *QUICK, "--method", "mrf", "--both-ways", "--json", "-o", "out.png"]
    assert cli.invoke([*words, "--theme", "dark"]) == 0
    line = json.loads(capsys.readouterr().out)
    Draft202012Validator(SCHEMA).validate(line)
    assert [len(losses) for losses in (line["losses"], line["reverse_losses"])] == [1, 1]
    assert line["losses"] != line["reverse_losses"]
    assert pixels("out.png").shape[1] == 1920
    assert cli.invoke(["show", "--rerun", "out.png", "-o", "again.png"]) == 0
    assert Path("again.png").read_bytes() == Path("out.png").read_bytes()


def test_a_small_style_is_noted_and_steps_on_the_way_are_written(capsys):
    assert cli.invoke(["style", "small.png", *QUICK, "--style-scale", "4", "--save-every", "2", "-o", "out.png"]) == 0
    assert "style 1 has 120x80 pixels and is enlarged to 256" in capsys.readouterr().err
    assert recipe.read_recipe(Path("out-2.png"))["numbers"] == {"steps_done": 2}
    assert pixels("out-2.png").shape == (48, 64, 3)


def test_interrupted_it_keeps_the_picture(monkeypatch, capsys):
    asked, snapshot_path = [], ascent_options.snapshot_path

    def interrupt(*step):
        if not asked:
            asked.append(os.kill(os.getpid(), signal.SIGINT))
        return snapshot_path(*step)

    monkeypatch.setattr(ascent_options, "snapshot_path", interrupt)
    assert cli.invoke(["style", "small.png", *QUICK, "--save-every", "1", "--json"]) == 130
    line = json.loads(capsys.readouterr().out)
    Draft202012Validator(SCHEMA).validate(line)
    assert (line["status"], line["steps_done"]) == ("partial", 1)
    assert pixels("small-style.png").shape == (48, 64, 3)
    assert cli.invoke(["show", "--rerun", "small-style.png", "-o", "again.png"]) == 1


@pytest.mark.parametrize("mode", ["L", "LA", "RGBA", "P"])
def test_grey_and_transparent_photos_and_styles(mode):
    Image.open("small.png").convert(mode).save("other.png")
    assert cli.invoke(["style", "other.png", *QUICK, "--style", "other.png", "-o", "out.png"]) == 0
    assert pixels("out.png").shape == (48, 64, 3)


@pytest.mark.parametrize(
    ("words", "status", "start"),
    [
        (["small.png"], 2, "Missing option '--style'"),
        (["small.png", *QUICK, "--style-weight", "1", "--style-weight", "2"], 2, "--style-weight is given 2 times"),
        (["small.png", *QUICK, "--style-layers", "blocks.44"], 2, "efficientnet_lite0 has no layer 'blocks.44'"),
        (["small.png", *QUICK, "--content-layers", "classifier"], 2, "layer classifier gives no feature maps"),
        (["small.png", *QUICK, "--style-mask", "style.png"], 1, "small.png: style.png: a mask of 120x80 pixels"),
        (["small.png", *QUICK, "--theme", "dark"], 2, "--theme requires --both-ways"),
        (["small.png", *QUICK, "--save-every", "1", "-o", "-"], 2, "--save-every writes files"),
        (["missing.png", *QUICK], 1, "missing.png: no such file"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_one_line(words, status, start, capsys):
    assert cli.invoke(["style", *words]) == status
    lines = capsys.readouterr().err.splitlines()
    assert start in lines[-1]
    assert "Traceback" not in "".join(lines)
