"""``cnnviz kernels`` from a command line to files on disk."""

import io
import json
import os
from pathlib import Path

import numpy as np
import pytest
import torch
from jsonschema import Draft202012Validator
from PIL import Image
from torch import nn

import cnnviz
from cnnviz import cli, load_network
from cnnviz.features.figures import kernels
from cnnviz.features.kernels import Kernels
from tests.conftest import Run

SCHEMA = json.loads((Path(cnnviz.__file__).parent / "data" / "schema-1.json").read_text("utf-8"))
LITE = "efficientnet_lite0"


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def holds(picture: np.ndarray, block: np.ndarray) -> bool:
    """Return whether a picture holds a block, pixel by pixel."""
    high, wide = block.shape[:2]
    corners = (picture[: len(picture) - high + 1, : picture.shape[1] - wide + 1] == block[0, 0]).all(-1)
    return any(np.array_equal(picture[y : y + high, x : x + wide], block) for y, x in np.argwhere(corners))


def tile(kernel: np.ndarray) -> np.ndarray:
    """Return how a filter (3, h, w) of conv_stem looks."""
    shown = np.rint(127.5 + 127.5 * kernel / abs(kernel).max()).astype(np.uint8).transpose(1, 2, 0)
    return shown.repeat(47, 0).repeat(47, 1)


def pixels(path: str) -> np.ndarray:
    return np.asarray(Image.open(path))


def told(capsys: pytest.CaptureFixture[str], *words: str) -> dict:
    assert cli._run(["kernels", *words, "--json"]) == 0
    line = json.loads(capsys.readouterr().out)
    Draft202012Validator(SCHEMA).validate(line)
    return line


def test_known_weights_give_known_pixels():
    """Zero is mid-grey, the largest magnitude white or black, every filter for itself."""
    weights = torch.zeros(2, 3, 2, 2)
    weights[0, 0, 0, 0], weights[0, 1, 0, 1], weights[0, 2, 1, 1] = 4.0, -4.0, 2.0
    weights[1, 0, 0, 0] = -0.1
    _, picture = kernels.draw("mine", Kernels("conv", weights, 1, True), ())
    first = np.array([[[255, 128, 128], [128, 0, 128]], [[128, 128, 128], [128, 128, 191]]], np.uint8)
    second = np.array([[[0, 128, 128], [128, 128, 128]], [[128] * 3] * 2], np.uint8)
    for block in (first, second):
        assert holds(picture, block.repeat(90, 0).repeat(90, 1))


def test_the_bundled_network_as_it_is(capsys):
    line = told(capsys, LITE)
    assert (line["output"], line["layer"], line["shape"]) == (f"{LITE}-kernels.png", "conv_stem", [32, 3, 3, 3])
    assert (line["channels"], line["input_channels"]) == (list(range(32)), 3)
    weight = load_network(device="cpu").module.conv_stem.weight.numpy()
    picture = pixels(line["output"])
    assert all(holds(picture, tile(kernel)) for kernel in weight[[0, 9, 31]])


def test_depthwise_pairs_and_matrix(capsys):
    depthwise = told(capsys, LITE, "--layer", "blocks.1.0.conv_dw", "-o", "a.webp")
    assert (depthwise["shape"], depthwise["groups"], len(depthwise["channels"])) == ([96, 1, 3, 3], 96, 96)
    matrix = told(capsys, LITE, "--layer", "conv_head", "-o", "b.png")
    assert (len(matrix["channels"]), matrix["input_channels"]) == (1280, 320)
    rows = told(
        capsys, LITE, "--layer", "conv_head", "--channel", "7", "--channel", "3", "--channel", "7", "-o", "c.png"
    )
    assert rows["channels"] == [7, 3]


def test_pairs_are_limited_and_say_so():
    torch.manual_seed(0)
    found = Kernels("deep", nn.Conv2d(40, 20, 3).weight.detach(), 1, False)
    numbers, few = kernels.draw("mine", found, ())
    assert (numbers["channels"], numbers["input_channels"]) == (list(range(8)), 24)
    numbers, chosen = kernels.draw("mine", found, (19, 2))
    assert numbers["channels"] == [19, 2]
    assert len(chosen) < len(few)


def test_weights_of_ones_own(capsys):
    state = load_network(device="cpu").module.state_dict()
    torch.save(state | {"conv_stem.weight": state["conv_stem.weight"].flip(1)}, "bgr.pth")
    line = told(capsys, LITE, "--weights", "bgr.pth", "-o", "b.png")
    assert holds(pixels(line["output"]), tile(state["conv_stem.weight"][4].flip(0).numpy()))


def test_the_recipe_makes_the_same_bytes_again(run: Run):
    assert run("kernels", LITE, "--layer", "blocks.1.0.conv_dw", "--channel", "3", "-o", "a.png").status == 0
    recipe = json.loads(run("show", "a.png").stdout)
    assert recipe["input"] is None
    assert recipe["options"] == {"model": LITE, "layer": "blocks.1.0.conv_dw", "channels": [3], "std": None,
                                 "weights_file": None}  # fmt: skip
    assert run("show", "--rerun", "a.png", "-o", "b.png").status == 0
    assert Path("a.png").read_bytes() == Path("b.png").read_bytes()
    assert (
        run("show", "--rerun", "a.png", "--input", "a.png", "-o", "b.png")
        .errors[0]
        .endswith("--input: kernels takes no photo (see cnnviz show --help)")
    )


def test_standard_output_takes_the_picture(run: Run):
    done = run("kernels", LITE, "-o", "-")
    assert (done.status, done.errors) == (0, [])
    assert Image.open(io.BytesIO(done.stdout)).format == "PNG"
    assert os.listdir() == []


@pytest.mark.parametrize(
    ("words", "status", "start"),
    [
        ([], 2, "Missing argument 'MODEL'"),
        (["efficientnet_lite"], 2, "Invalid value for 'MODEL': no network is named 'efficientnet_lite'; did you mean"),
        ([LITE, "--layer", "conv_stm"], 2, "efficientnet_lite0 has no layer 'conv_stm'; did you mean conv_stem"),
        ([LITE, "--layer", "classifier"], 2, "layer classifier is a Linear, which has no filters of its own; name a"),
        ([LITE, "--channel", "32"], 2, "--channel 32: conv_stem has 32 channels, 0 to 31"),
        ([LITE, "--channel", "-1"], 2, "Invalid value for '--channel'"),
        ([LITE, "-o", "a.gif"], 2, "-o a.gif: end the name in"),
        ([LITE, "-o", "-", "--json"], 2, "standard output takes the picture"),
        (["resnet18", "--offline"], 3, "resnet18: weights resnet18-f37072fd.pth"),
        ([LITE, "--weights", "no.pth"], 3, "--weights no.pth: no such file"),
    ],
)
def test_mistakes_are_told_and_leave_nothing(words, status, start, capsys, monkeypatch, tmp_path):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    assert cli._run(["kernels", *words]) == status
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(f"cnnviz: {start}")
    assert len(err.splitlines()) <= (2 if status == 3 else 1)
    assert os.listdir() == []


def test_files_of_others_are_kept(capsys):
    Path("a.png").write_bytes(b"mine")
    assert cli._run(["kernels", LITE, "-o", "a.png"]) == 1
    assert "--overwrite" in capsys.readouterr().err
    assert cli._run(["kernels", LITE, "-o", "a.png", "--overwrite", "-q"]) == 0
    assert capsys.readouterr().err == ""
