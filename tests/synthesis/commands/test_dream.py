"""``cnnviz dream`` from a command line to files on disk."""

import io
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
from cnnviz.errors import InvalidRequest
from cnnviz.io import recipe
from cnnviz.models import catalog
from cnnviz.synthesis.commands import dream_options
from tests.conftest import Run

SCHEMA = json.loads((Path(cnnviz.__file__).parent / "data" / "schema-1.json").read_text("utf-8"))
QUICK = ("--steps", "1", "--octaves", "2", "--layer", "blocks.1")


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, photo: Path) -> Path:
    monkeypatch.chdir(tmp_path)
    Image.open(photo).resize((112, 80)).save("small.png")
    return tmp_path


def pixels(path: str) -> np.ndarray:
    return np.asarray(Image.open(path).convert("RGB"))


def test_a_line_of_json_and_the_same_bytes_again(capsys):
    words = ["dream", "small.png", *QUICK, "--layer", "blocks.2=0.5", "--channel", "blocks.1:3", "--class", "tabby=2"]
    assert cli._run([*words, "--json"]) == 0
    line = json.loads(capsys.readouterr().out)
    Draft202012Validator(SCHEMA).validate(line)
    assert line["size"] == [80, 112]
    assert line["aim"][1:3] == [
        {"layer": "blocks.2", "weight": 0.5},
        {"layer": "blocks.1", "channel": 3, "weight": 1.0},
    ]
    first = Path("small-dream.png").read_bytes()
    assert cli._run(words) == 0
    assert Path("small-dream.png").read_bytes() == first
    assert cli._run(["show", "--rerun", "small-dream.png", "-o", "again.png"]) == 0
    assert Path("again.png").read_bytes() == first


def test_bytes_outside_the_mask_are_the_photos():
    mask = np.zeros((80, 112), np.uint8)
    mask[20:50, 30:90] = 255
    Image.fromarray(mask).save("mask.png")
    assert cli._run(["dream", "small.png", *QUICK, "--mask", "mask.png", "-o", "out.png"]) == 0
    before, after = pixels("small.png"), pixels("out.png")
    assert (before[mask == 0] == after[mask == 0]).all()
    assert (before[mask > 0] != after[mask > 0]).any(-1).mean() > 0.5
    assert cli._run(["show", "--rerun", "out.png", "-o", "again.png"]) == 0
    assert Path("again.png").read_bytes() == Path("out.png").read_bytes()


def test_noise_streams_sizes_guides_and_pictures_on_the_way(run: Run):
    assert cli._run(["dream", "noise", *QUICK, "--size", "72", "-o", "n.png", "--seed", "3"]) == 0
    assert pixels("n.png").shape == (72, 72, 3)
    assert cli._run(["show", "--rerun", "n.png", "-o", "m.png"]) == 0
    assert Path("m.png").read_bytes() == Path("n.png").read_bytes()
    words = ("--guide", "n.png", "--steps", "2", "--octaves", "1", "--layer", "blocks.1", "--save-every", "1")
    assert cli._run(["dream", "small.png", *words, "-o", "g.png", "--size", "100"]) == 0
    assert pixels("g.png").shape == pixels("g-1.png").shape == (71, 100, 3)
    assert recipe.read_recipe(Path("g-1.png"))["numbers"] == {"steps_done": 1}
    assert not Path("g-2.png").exists()
    ran = run("dream", "-", *QUICK, "-o", "-", stdin=Path("small.png").read_bytes())
    assert ran.status == 0
    assert Image.open(io.BytesIO(ran.stdout)).size == (112, 80)


def test_interrupted_it_keeps_the_picture(monkeypatch, capsys):
    asked = []

    def first_save(*_):
        def save(_at):
            if not asked:
                asked.append(os.kill(os.getpid(), signal.SIGINT))

        return save

    monkeypatch.setattr(dream_options, "saving", first_save)
    assert cli._run(["dream", "small.png", "--octaves", "1", "--layer", "blocks.1", "--json"]) == 130
    line = json.loads(capsys.readouterr().out)
    Draft202012Validator(SCHEMA).validate(line)
    assert (line["status"], line["steps_done"]) == ("partial", 1)
    assert recipe.read_recipe(Path("small-dream.png"))["numbers"]["steps_done"] == 1
    assert cli._run(["show", "--rerun", "small-dream.png", "-o", "again.png"]) == 1


@pytest.mark.parametrize(
    ("words", "status", "start"),
    [
        (["small.png", "--layer", "blocks.44"], 2, "efficientnet_lite0 has no layer 'blocks.44'"),
        (["small.png", "--layer", "blocks.4=x"], 2, "Invalid value for '--layer'"),
        (["small.png", "--layer", "a", "--layer", "b", "--channel", "1"], 2, "--channel 1: say of which layer"),
        (["small.png", "--channel", "x"], 2, "--channel x: is no number, or LAYER:NUMBER"),
        (["small.png", "--channel", "5000"], 2, "channel 5000: blocks.4 has 112"),
        (["small.png", "--channel", "5", "--caricature"], 2, "--guide and --caricature go with a --layer"),
        (["small.png", "--layer", "classifier"], 2, "layer classifier gives no feature maps"),
        (["small.png", "-m", "vit_b_16"], 2, "Missing option '--layer'"),
        (["small.png", "--save-every", "1", "-o", "-"], 2, "--save-every writes files"),
        (["small.png", "--mask", "cat.jpg"], 1, "small.png: cat.jpg: a mask of 451x300 pixels does not fit"),
        (["missing.png"], 1, "missing.png: no such file"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_one_line(words, status, start, capsys):
    assert cli._run(["dream", *words]) == status
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(f"cnnviz: {start}")
    assert err.count("\n") == 1
    assert sorted(os.listdir()) == ["cat.jpg", "small.png"]


def test_what_is_wanted_of_layers_and_channels():
    options = {"layer": (), "channels": (), "targets": (), "model": "efficientnet_lite1"}
    assert dream_options.wanted(options) == ({"blocks.4": 1.0}, {})
    assert dream_options.wanted(options | {"channels": ("3=2", "bn1:4")}) == (
        {},
        {("blocks.4", 3): 2.0, ("bn1", 4): 1.0},
    )
    assert dream_options.wanted(options | {"layer": ("a=3",), "channels": ("3",)}) == ({}, {("a", 3): 1.0})
    assert dream_options.wanted(options | {"targets": ("tabby",)}) == ({}, {})
    with pytest.raises(InvalidRequest):
        dream_options.wanted(options | {"channels": ("a:b",)})


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    ["googlenet", "inception_v3", "vgg16", "vgg19_bn", "alexnet", "resnet50", "resnext50_32x4d", "wide_resnet50_2",
     "densenet121", "mobilenet_v2", "mobilenet_v3_large", "mobilenet_v3_small", "mnasnet1_0", "squeezenet1_0",
     "squeezenet1_1", "shufflenet_v2_x1_0", "convnext_tiny", "efficientnet_b0", "regnet_y_400mf"],
)  # fmt: skip
def test_a_familys_layer_is_there(name):
    import torch
    import torchvision

    plain = {"init_weights": False} if name in ("googlenet", "inception_v3") else {}
    with torch.device("cpu" if name.startswith("regnet") else "meta"):  # RegNet copies weights as it is made
        module = torchvision.models.get_model(name, **plain)
    assert catalog.dream_layer(name) in dict(module.named_modules())
