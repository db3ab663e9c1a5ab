"""``cnnviz inceptionism`` from a command line to files on disk."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
from jsonschema import Draft202012Validator
from PIL import Image

import cnnviz
from cnnviz import cli
from cnnviz.io.recipe import read_recipe

SCHEMA = json.loads((Path(cnnviz.__file__).parent / "data" / "schema-1.json").read_text("utf-8"))
QUICK = ("--steps", "2", "--size", "48")


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def told(capsys: pytest.CaptureFixture[str], *words: str) -> list[dict]:
    assert cli._run(["inceptionism", *QUICK, *words, "--json"]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    for line in lines:
        Draft202012Validator(SCHEMA).validate(line)
    return lines


def test_one_class_is_a_bare_picture_and_the_same_bytes_again(capsys):
    (line,) = told(capsys, "--class", "banana", "--judge", "efficientnet_lite0")
    assert (line["target"], line["class"], line["size"]) == (954, "banana", [48, 48])
    assert line["output"] == "efficientnet_lite0-inceptionism.png"
    picture = np.asarray(Image.open(line["output"]))
    assert picture.shape == (48, 48, 3)
    network = cnnviz.load_network("efficientnet_lite0", device="cpu")
    logits = network(cnnviz.fit(picture, network)[0])[0]
    seen = line["judges"][0]
    assert seen["rank"] == int((logits > logits[954]).sum()) + 1
    assert seen["probability"] == pytest.approx(float(logits.softmax(0)[954]), abs=1e-6)
    assert cli._run(["show", "--rerun", line["output"], "-o", "again.png"]) == 0
    assert Path("again.png").read_bytes() == Path(line["output"]).read_bytes()


def test_the_lectures_recipe_is_made_again_too(capsys):
    told(capsys, "--class", "banana", "--method", "lecture", "-o", "lecture.png")
    assert cli._run(["show", "--rerun", "lecture.png", "-o", "again.png"]) == 0
    assert Path("again.png").read_bytes() == Path("lecture.png").read_bytes()


def test_several_classes_are_a_sheet_and_the_same_bytes_again(capsys):
    (line,) = told(capsys, "--class", "954", "--class", "starfish", "-o", "sheet.png")
    assert [row["class"] for row in line["pictures"]] == ["banana", "starfish"]
    assert cli._run(["show", "--rerun", "sheet.png", "-o", "again.png"]) == 0
    assert Path("again.png").read_bytes() == Path("sheet.png").read_bytes()


def test_a_folder_gets_each_class_alone_and_is_gone_on_with(capsys):
    lines = told(capsys, "--class", "954", "--class", "sea anemone", "-o", "f/")
    assert [line["output"] for line in lines] == ["f/954-banana.png", "f/108-sea-anemone.png"]
    assert cli._run(["show", "--rerun", "f/954-banana.png", "-o", "again.png"]) == 0
    assert Path("again.png").read_bytes() == Path("f/954-banana.png").read_bytes()
    capsys.readouterr()
    before = os.stat("f/108-sea-anemone.png").st_mtime_ns
    again = told(capsys, "--class", "sea anemone", "--resume", "-o", "f/")
    assert os.stat("f/108-sea-anemone.png").st_mtime_ns == before
    assert again[0]["probability"] == lines[1]["probability"]


def test_classes_are_drawn_by_the_seed(capsys):
    first, same, other = (
        [row["target"] for row in told(capsys, "--random", "3", "--seed", seed, "-o", name)[0]["pictures"]]
        for seed, name in (("5", "a.png"), ("5", "b.png"), ("6", "c.png"))
    )
    assert first == same != other
    assert len(set(first)) == 3


def test_a_person_is_told_what_the_judge_says(capsys):
    assert cli._run(["inceptionism", *QUICK, "--class", "banana", "--judge", "efficientnet_lite1"]) == 0
    out, err = capsys.readouterr()
    assert out == ""
    assert err.splitlines()[0].startswith("cnnviz: banana: number ")
    assert "to efficientnet_lite1" in err


def test_pictures_on_the_way_are_kept(capsys):
    told(capsys, "--class", "1", "--save-every", "1", "-o", "fish.png")
    assert sorted(os.listdir()) == ["fish-1.png", "fish.png"]
    recipe = read_recipe(Path("fish-1.png"))
    assert recipe is not None
    assert recipe["numbers"] == {"steps_done": 1}


@pytest.mark.parametrize(
    ("words", "start"),
    [
        ([], "give --class or --random, and not both"),
        (["--class", "1", "--random", "2"], "give --class or --random, and not both"),
        (["--class", "banan"], "no class is named 'banan'"),
        (["--class", "1000"], "no class 1000"),
        (["--random", "1001"], "--random 1001: efficientnet_lite0 has 1000 classes"),
        (["--class", "1", "--step-size", "nan"], "Invalid value for '--step-size': 'nan' is not a finite number"),
        (["--class", "1", "--statistics-weight", "inf"], "Invalid value for '--statistics-weight'"),
        (["--class", "1", "--zoom", "2,1"], "Invalid value for '--zoom'"),
        (["--class", "1", "--method", "lecture", "--blur", "1"], "--blur has no part in --method lecture"),
        (["--class", "1", "--judge", "lite9"], "Invalid value for '--judge'"),
        (["--class", "1", "--save-every", "1", "-o", "-"], "--save-every writes files"),
    ],
)
def test_wrong_usage_is_one_line(words, start, capsys):
    assert cli._run(["inceptionism", *words]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(f"cnnviz: {start}")
    assert err.count("\n") == 1
    assert os.listdir() == []


def test_a_stopped_picture_is_kept_and_marked(capsys, monkeypatch):
    from cnnviz.app import resume

    calls = []

    def interrupted(stop: resume.StopRequest) -> bool:
        calls.append(1)
        stop.interrupted = len(calls) > 2
        return stop.interrupted

    monkeypatch.setattr(resume.StopRequest, "__call__", interrupted)
    assert cli._run(["inceptionism", "--size", "48", "--class", "1", "--class", "2", "-o", "p.png"]) == 130
    assert "stopped after 2 of 512 steps" in capsys.readouterr().err
    recipe = read_recipe(Path("p.png"))
    assert recipe is not None
    assert recipe["numbers"]["steps_done"] == 2
    assert [row["target"] for row in recipe["numbers"]["pictures"]] == [1]
