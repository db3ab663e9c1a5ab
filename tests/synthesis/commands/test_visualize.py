"""``cnnviz visualize`` from a command line to files on disk."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
from jsonschema import Draft202012Validator
from PIL import Image

import cnnviz
from cnnviz import cli
from tests.support.figure_files import check_figure_files
from tests.support.networks import random_classifier

SCHEMA = json.loads((Path(cnnviz.__file__).parent / "data" / "schema-1.json").read_text("utf-8"))
QUICK = ("--layer", "blocks.1", "--steps", "1", "--size", "48")


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def told(capsys: pytest.CaptureFixture[str], *words: str) -> dict:
    assert cli.invoke(["visualize", *QUICK, *words, "--json"]) == 0
    line = json.loads(capsys.readouterr().out)
    Draft202012Validator(SCHEMA).validate(line)
    return line


def test_a_sheet_of_channels_and_the_same_bytes_again(capsys):
    line = told(capsys, "--channel", "2-4", "--channel", "9")
    assert (line["unit"], line["channels"], line["size"]) == ("channel", [2, 3, 4, 9], [48, 48])
    assert cli.invoke(["show", "--rerun", line["output"], "-o", "again.png"]) == 0
    assert Path("again.png").read_bytes() == Path(line["output"]).read_bytes()


def test_bare_pictures_are_those_of_the_method(capsys):
    line = told(capsys, "--channel", "2", "--neuron", "1,2", "--diversity", "3", "--bare", "-o", "n.png")
    assert (line["unit"], len(line["objectives"][0])) == ("neuron", 3)
    assert np.asarray(Image.open("n.png")).shape == (48, 144, 3)


def test_a_sheet_is_a_figure_in_every_kind_of_file(commanded):
    commanded(random_classifier(32))
    check_figure_files(["visualize", "--layer", "0", "--steps", "1", "--size", "48"])


def test_a_direction_is_one_picture(capsys):
    line = told(capsys, "--direction", "2=1", "--direction", "5=-0.5", "--bare", "-o", "d.png")
    assert (line["unit"], line["channels"]) == ("direction", [2, 5])
    assert np.asarray(Image.open("d.png")).shape == (48, 48, 3)


@pytest.mark.parametrize(
    ("words", "start"),
    [
        (["--layer", "blocks.1", "--channel", "4-2"], "Invalid value for '--channel': '4-2' is neither a number"),
        (["--layer", "blocks.1", "--channel", "9999"], "--channel 9999: blocks.1 has 24 channels, 0 to 23"),
        (["--layer", "blocks.1", "--neuron", "x"], "Invalid value for '--neuron': 'x' is neither 'middle' nor"),
        (["--layer", "blocks.1", "--direction", "x=1"], "--direction x: is not a channel's number"),
        (
            ["--layer", "blocks.1", "--direction", "1=1", "--channel", "2"],
            "--direction and --channel exclude each other",
        ),
        (["--layer", "blocks.1", "--bare", "-o", "x.pdf"], "-o x.pdf: end the name in .png, .jpg, .jpeg, .webp"),
        (["--layer", "blocks.1", "--bare", "--theme", "dark"], "--bare and --theme exclude each other"),
        (
            ["--layer", "classifier", "--channel", "954"],
            "layer classifier gives no feature maps (channels, rows, columns); for classes: cnnviz inceptionism",
        ),
    ],
)
def test_wrong_usage_is_one_line(words, start, capsys):
    assert cli.invoke(["visualize", *words]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(f"cnnviz: {start}")
    assert err.count("\n") == 1
    assert os.listdir() == []


def test_all_channels_of_a_layer(capsys):
    line = told(capsys, "--channel", "all")
    assert line["channels"] == list(range(24))


def test_without_a_layer_and_channels_the_first_of_a_deep_one_are_drawn(run):
    done = run("visualize", "--steps", "1", "--size", "32", "--bare", "-o", "a.png", "--json")
    assert done.status == 0, done.errors
    line = json.loads(done.stdout)
    assert (line["layer"], line["channels"]) == ("blocks.4", list(range(8)))
