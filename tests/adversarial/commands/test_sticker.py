"""``cnnviz sticker`` from a command line to files on disk."""

import json
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from jsonschema import Draft202012Validator
from PIL import Image
from torch import nn

import cnnviz
from cnnviz import Network, cli
from cnnviz.adversarial import patch_report
from cnnviz.adversarial.patch_scene import PatchScene
from cnnviz.adversarial.placement import mask_placement, polygon_placement
from cnnviz.adversarial.poses import Poses
from cnnviz.models.preprocess import fit, to_inputs

SCHEMA = json.loads((Path(cnnviz.__file__).parent / "data" / "schema-1.json").read_text("utf-8"))
REGION = "100,100 220,100 220,190 100,190"
QUICK = ("--target-class", "banana", "--steps", "1")


@pytest.fixture(autouse=True)
def here(photo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(patch_report, "POSES", 3)
    monkeypatch.setattr(patch_report, "SHOWN", 2)
    return tmp_path


def told(capsys: pytest.CaptureFixture[str], *words: str, status: int = 0) -> dict:
    assert cli._run(["sticker", "cat.jpg", *QUICK, *words, "--json"]) == status
    line = json.loads(capsys.readouterr().out)
    Draft202012Validator(SCHEMA).validate(line)
    return line


def subject(side: int = 64) -> PatchScene:
    """A red photo with a slanted place, before a network whose logits are the mean red, green and blue."""
    colours = nn.Conv2d(3, 3, 1, bias=False)
    colours.weight.data = 10 * torch.eye(3).view(3, 3, 1, 1)
    body = nn.Sequential(colours, nn.AdaptiveAvgPool2d(1), nn.Flatten())
    network = Network.from_module(body, (side, side), (0.0,) * 3, (1.0,) * 3, ["red", "green", "blue"])
    photo = np.random.default_rng(0).integers(0, 60, (100, 140, 3)).astype(np.uint8)
    photo[..., 0] += 150
    place = polygon_placement([(40, 20), (100, 30), (95, 80), (35, 70)], (100, 140))
    return PatchScene(photo, place, fit(photo, network)[1], network, 1)


def test_what_is_painted_is_what_is_laid_onto_the_photo():
    given = subject()
    ramp = np.linspace(0, 255, 60).astype(np.uint8)
    picture = np.stack(np.broadcast_arrays(ramp[None], ramp[:50, None], np.uint8(128)), -1)
    scene = given.scene()
    painted = scene.wearing(to_inputs([picture]))
    laid = given.card(given.place.lay(given.photo, picture))
    inside, outside = scene.mask.expand_as(laid) == 1, scene.mask.expand_as(laid) == 0
    assert (painted - laid)[inside].abs().mean() < 0.02
    assert torch.equal(painted[outside], laid[outside])


def test_an_unmoved_camera_sees_what_the_network_is_shown():
    given = subject()
    still = Poses(turn=0, tilt=0, scale=(1, 1), shift=0, contrast=0, brightness=0, noise=0)
    seen = still.draw(1, given.geometry.size, torch.Generator().manual_seed(0)).of(
        given.card(given.photo), given.frame()
    )
    assert torch.allclose(seen, to_inputs([given.geometry.see(given.photo)]), atol=1e-3)


def test_a_print_has_the_textures_colours_and_so_have_its_controls():
    given = replace(subject(), place=mask_placement(np.full((100, 140), 255, np.uint8)))
    texture = torch.tensor([0.2, 0.4, 0.8]).view(1, 3, 1, 1).expand(1, 3, 8, 8)
    prints = patch_report.prints(given, texture, 20.0, 0)
    assert (prints["sticker"] == [51, 102, 204]).all()
    assert (prints["grey"] == 128).all()
    assert prints["noise"].std() > 20


def test_shares_are_of_the_goal_and_losses_of_the_photos_own_class():
    given = subject()
    colours = {"sticker": (0, 255, 0), "grey": (128, 128, 128), "noise": (0, 0, 255)}
    prints = {name: np.full((50, 60, 3), colour, np.uint8) for name, colour in colours.items()}
    whole = replace(given, place=mask_placement(np.full((100, 140), 255, np.uint8)))
    numbers = patch_report.judged(whole, prints, torch.tensor([3.0, 0, 0]), 0, lambda *_: None)
    assert (numbers["target"], numbers["goal"], numbers["area"]) == (0, 1, 1)
    assert (numbers["share"], numbers["lost"]) == (1, 1)
    assert (numbers["controls"]["clean"]["share"], numbers["controls"]["clean"]["lost"]) == (0, 0)
    assert (numbers["controls"]["noise"]["share"], numbers["controls"]["noise"]["lost"]) == (0, 1)


def test_a_print_of_the_size_asked_for_and_the_same_bytes_again(capsys):
    line = told(capsys, "--region", REGION, "--least", "0", "--print-size", "50.8")
    assert (line["target"], line["goal"], line["poses"]) == (line["clean_top"][0]["index"], 954, 3)
    assert line["passes"] == {"forward": 1, "backward": 1}
    assert line["area"] == pytest.approx(120 * 90 / 300**2 * (256 / 224) ** 2, rel=0.02)
    assert set(line["controls"]) == {"grey", "noise", "clean"}
    with Image.open("cat-sticker.png") as image:
        assert image.size == (600, 450)
        assert [round(value) for value in image.info["dpi"]] == [300, 300]
    assert (line["size"], line["print_size"]) == ([450, 600], [50.8, 38.1])
    assert cli._run(["show", "--rerun", "cat-sticker.png", "-o", "again.png"]) == 0
    assert Path("again.png").read_bytes() == Path("cat-sticker.png").read_bytes()


def test_a_mask_cuts_the_print_out_and_is_remembered(capsys):
    with Image.open("cat.jpg") as image:
        width, height = image.size
    y, x = np.mgrid[:height, :width]
    Image.fromarray((((x - 220) ** 2 + (y - 150) ** 2 < 60**2) * 255).astype(np.uint8)).save("mask.png")
    told(capsys, "--region", "mask.png", "--least", "0", "--print-size", "20")
    with Image.open("cat-sticker.png") as image:
        printed = np.asarray(image)
    assert (printed[0, 0] == 255).all()
    assert (printed == 255).all(2).mean() == pytest.approx(1 - np.pi / 4, abs=0.03)
    assert cli._run(["show", "--rerun", "cat-sticker.png", "-o", "again.png"]) == 0
    assert Path("again.png").read_bytes() == Path("cat-sticker.png").read_bytes()
    Image.new("L", (9, 9), 255).save("mask.png")
    assert cli._run(["show", "--rerun", "cat-sticker.png", "-o", "other.png"]) == 1
    assert "is not the file that the recipe was made with" in capsys.readouterr().err


def test_what_does_not_fool_is_status_4_and_not_written(capsys):
    line = told(capsys, "--region", REGION, "--least", "1", "--renders", "renders.png", status=4)
    assert (line["status"], line["output"]) == ("missed", None)
    assert sorted(os.listdir()) == ["cat.jpg", "renders.png"]
    assert cli._run(["show", "--rerun", "renders.png", "-o", "again.png"]) == 4
    assert Path("again.png").read_bytes() == Path("renders.png").read_bytes()
    assert sorted(os.listdir()) == ["again.png", "cat.jpg", "renders.png"]
    kept = told(capsys, "--region", REGION, "--least", "1", "--keep-failed", "-o", "kept.png", status=4)
    assert kept["output"] == "kept.png"
    assert cli._run(["show", "--rerun", "kept.png", "-o", "again.png"]) == 4
    assert Path("again.png").read_bytes() == Path("kept.png").read_bytes()


def test_a_person_is_told_of_the_controls_and_that_it_is_a_simulation(capsys):
    assert cli._run(["sticker", "cat.jpg", *QUICK, "--region", REGION, "--least", "0"]) == 0
    out, err = capsys.readouterr()
    assert out == ""
    assert "of 3 poses it was not made for (grey 0%, noise 0%, clean 0%)" in err
    assert "a simulation" in err


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
        ([*QUICK, "--region", "0,0 20,0 20,20 0,20"], 1, "cat.jpg: the network does not see the region"),
        (["--target-class", "tabby", "--region", REGION], 1, "cat.jpg: is taken for"),
    ],
)
def test_what_cannot_be_is_one_line(words, status, start, capsys):
    Image.new("L", (9, 9), 255).save("small.png")
    if "tabby" in words:
        assert cli._run(["classify", "cat.jpg", "--json"]) == 0
        words[1] = str(json.loads(capsys.readouterr().out)["top"][0]["index"])
    assert cli._run(["sticker", "cat.jpg", *words]) == status
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(f"cnnviz: {start}")
    assert err.count("\n") == 1
    assert sorted(os.listdir()) == ["cat.jpg", "small.png"]
