"""``cnnviz inceptionism`` from a command line to files on disk."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
from jsonschema import Draft202012Validator
from PIL import Image
from torch import nn

import cnnviz
from cnnviz import Network, cli
from cnnviz.control import Report
from cnnviz.io.recipe import read_recipe
from cnnviz.synthesis.commands.inceptionism import plan_classes
from tests.support.figure_files import check_figure_files
from tests.support.networks import lite0
from tests.support.patches import color_network
from tests.synthesis.commands.test_inceptionism_options import options

SCHEMA = json.loads((Path(cnnviz.__file__).parent / "data" / "schema-1.json").read_text("utf-8"))
QUICK = ("--steps", "2", "--size", "48")


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def told(capsys: pytest.CaptureFixture[str], *words: str) -> list[dict]:
    assert cli.invoke(["inceptionism", *QUICK, *words, "--json"]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    for line in lines:
        Draft202012Validator(SCHEMA).validate(line)
    return lines


def test_one_class_is_a_bare_picture_and_the_same_bytes_again(capsys):
    (line,) = told(capsys, "--class", "banana", "--check-with", "efficientnet_lite0")
    assert (line["target"], line["class_name"], line["size"]) == (954, "banana", [48, 48])
    assert line["output"] == "efficientnet_lite0-inceptionism.png"
    picture = np.asarray(Image.open(line["output"]))
    assert picture.shape == (48, 48, 3)
    network = lite0()
    logits = network(cnnviz.fit(picture, network)[0])[0]
    seen = line["held_out"][0]
    assert seen["rank"] == int((logits > logits[954]).sum()) + 1
    assert seen["probability"] == pytest.approx(float(logits.softmax(0)[954]), abs=1e-6)
    assert cli.invoke(["show", "--rerun", line["output"], "-o", "again.png"]) == 0
    assert Path("again.png").read_bytes() == Path(line["output"]).read_bytes()


def test_the_plain_method_is_made_again_too(capsys):
    told(capsys, "--class", "banana", "--method", "plain", "-o", "plain.png")
    assert cli.invoke(["show", "--rerun", "plain.png", "-o", "again.png"]) == 0
    assert Path("again.png").read_bytes() == Path("plain.png").read_bytes()


def test_several_classes_are_a_sheet_and_the_same_bytes_again(capsys):
    (line,) = told(capsys, "--class", "954", "--class", "starfish", "-o", "sheet.png")
    assert [row["class_name"] for row in line["images"]] == ["banana", "starfish"]
    assert cli.invoke(["show", "--rerun", "sheet.png", "-o", "again.png"]) == 0
    assert Path("again.png").read_bytes() == Path("sheet.png").read_bytes()


def test_a_sheet_is_a_figure_in_every_kind_of_file(commanded):
    commanded(color_network())
    check_figure_files(["inceptionism", *QUICK, "--class", "red", "--class", "blue"])


def test_of_one_class_a_pdf_is_a_sheet_and_a_png_the_bare_image(commanded):
    commanded(color_network())
    for name in ("one.pdf", "one.png"):
        assert cli.invoke(["inceptionism", *QUICK, "--class", "green", "-o", name]) == 0
    with Image.open("one.png") as image:
        assert image.size == (48, 48)
    assert cli.invoke(["show", "--rerun", "one.pdf", "-o", "again.pdf"]) == 0
    assert Path("again.pdf").read_bytes() == Path("one.pdf").read_bytes()


@pytest.mark.parametrize(("first", "again", "framed"), [
    ("one.pdf", "again.png", True), ("one.png", "again.webp", False), ("one.png", "again.svg", True)])  # fmt: skip
def test_made_again_a_figure_stays_a_figure_and_an_image_an_image_but_in_a_vector_file(commanded, first, again, framed):
    commanded(color_network())
    assert cli.invoke(["inceptionism", *QUICK, "--class", "green", "-o", first]) == 0
    assert cli.invoke(["show", "--rerun", first, "-o", again]) == 0
    if again.endswith(".svg"):
        assert b"maximise the logit" in Path(again).read_bytes()
    else:
        with Image.open(again) as image:
            assert image.width == (1920 if framed else 48)


def test_a_figure_of_one_class_is_asked_for_and_made_again(commanded):
    commanded(color_network())
    words = ["inceptionism", *QUICK, "--class", "red", "--class", "blue", "--figure", "--theme", "dark", "-o", "f/"]
    assert cli.invoke(words) == 0
    assert cli.invoke(["show", "--rerun", "f/000-red.png", "-o", "again.png"]) == 0
    assert Path("again.png").read_bytes() == Path("f/000-red.png").read_bytes()
    with Image.open("again.png") as image:
        assert (image.width, image.getpixel((0, 0))) == (1920, (16, 17, 20))


def test_a_folder_gets_each_class_alone_and_is_gone_on_with(capsys):
    lines = told(capsys, "--class", "954", "--class", "sea anemone", "-o", "f/")
    assert [line["output"] for line in lines] == ["f/954-banana.png", "f/108-sea-anemone.png"]
    assert cli.invoke(["show", "--rerun", "f/954-banana.png", "-o", "again.png"]) == 0
    assert Path("again.png").read_bytes() == Path("f/954-banana.png").read_bytes()
    capsys.readouterr()
    before = os.stat("f/108-sea-anemone.png").st_mtime_ns
    again = told(capsys, "--class", "sea anemone", "--resume", "-o", "f/")
    assert os.stat("f/108-sea-anemone.png").st_mtime_ns == before
    assert again[0]["probability"] == lines[1]["probability"]


def test_classes_are_drawn_by_the_seed(capsys):
    first, same, other = (
        [row["target"] for row in told(capsys, "--random", "3", "--seed", seed, "-o", name)[0]["images"]]
        for seed, name in (("5", "a.png"), ("5", "b.png"), ("6", "c.png"))
    )
    assert first == same != other
    assert len(set(first)) == 3


def test_a_person_reads_how_the_held_out_network_ranks_the_class(capsys):
    assert cli.invoke(["inceptionism", *QUICK, "--class", "banana", "--check-with", "efficientnet_lite1"]) == 0
    out, err = capsys.readouterr()
    assert out == ""
    assert err.splitlines()[0].startswith("cnnviz: banana: rank ")
    assert "by efficientnet_lite1, probability" in err


def test_pictures_on_the_way_are_kept(capsys):
    told(capsys, "--class", "1", "--save-every", "1", "-o", "fish.png")
    assert sorted(os.listdir()) == ["fish-1.png", "fish.png"]
    recipe = read_recipe(Path("fish-1.png"))
    assert recipe is not None
    assert recipe["numbers"] == {"steps_done": 1}


@pytest.mark.parametrize(
    ("words", "start"),
    [
        ([], "give either --class or --random"),
        (["--class", "1", "--random", "2"], "give either --class or --random"),
        (["--class", "banan"], "no class is named 'banan'"),
        (["--class", "1000"], "no class 1000"),
        (["--random", "1001"], "--random 1001: efficientnet_lite0 has 1000 classes"),
        (["--class", "1", "--step-size", "nan"], "Invalid value for '--step-size': 'nan' is not a finite number"),
        (["--class", "1", "--batchnorm-weight", "inf"], "Invalid value for '--batchnorm-weight'"),
        (["--class", "1", "--zoom", "2,1"], "Invalid value for '--zoom'"),
        (["--class", "1", "--method", "plain", "--blur", "1"], "--blur does not apply to --method plain"),
        (["--class", "1", "--check-with", "lite9"], "Invalid value for '--check-with'"),
        (["--class", "1", "--save-every", "1", "-o", "-"], "--save-every writes files"),
    ],
)
def test_wrong_usage_is_one_line(words, start, capsys):
    assert cli.invoke(["inceptionism", *words]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(f"cnnviz: {start}")
    assert err.count("\n") == 1
    assert os.listdir() == []


def test_a_stopped_picture_is_kept_and_marked(capsys, monkeypatch):
    from cnnviz.app import resume

    def interrupted(stop: resume.StopRequest, _report: Report) -> Report:
        def after_two_steps(done: int, _total: int, _text: str = "") -> None:
            stop.interrupted = done >= 2

        return after_two_steps

    monkeypatch.setattr(resume.StopRequest, "noticing", interrupted)
    assert cli.invoke(["inceptionism", "--size", "48", "--class", "1", "--class", "2", "-o", "p.png"]) == 130
    assert "stopped after 2 of 1024 steps" in capsys.readouterr().err
    recipe = read_recipe(Path("p.png"))
    assert recipe is not None
    assert recipe["numbers"]["steps_done"] == 2
    assert [row["target"] for row in recipe["numbers"]["images"]] == [1]


def test_a_held_out_network_without_weights_is_refused_before_the_first_step(capsys, monkeypatch):
    monkeypatch.setattr("cnnviz.synthesis.inceptionism.inceptionism", lambda *_, **__: pytest.fail("a step was done"))
    status = cli.invoke(["inceptionism", *QUICK, "--class", "banana", "--check-with", "resnet50", "--offline"])
    assert status == 3
    assert "resnet50" in capsys.readouterr().err
    assert os.listdir() == []


def test_a_folder_gets_a_file_for_each_class():
    body = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())
    network = Network.from_module(body, (8, 8), (0.0,) * 3, (1.0,) * 3, ["Red fox", "b", "c"], name="net")
    ((job, classes),) = plan_classes(network, options(targets=("all",)), [0, 1])
    assert (job.output, classes) == ("efficientnet_lite0-inceptionism.png", [0, 1])
    jobs = plan_classes(network, options(targets=("all",), output="out/"), [0, 2])
    assert [(job.output, classes) for job, classes in jobs] == [("out/000-red-fox.png", [0]), ("out/002-c.png", [2])]
