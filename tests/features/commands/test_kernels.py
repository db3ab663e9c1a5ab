"""``cnnviz kernels`` from a command line to files on disk."""

import io
import json
import os
from itertools import product
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from cnnviz import cli
from cnnviz.features.commands import kernels as command
from cnnviz.figures.scale import rgb
from cnnviz.figures.style import THEMES
from cnnviz.io.recipe import read_recipe
from tests.conftest import Run
from tests.support.images import holds, loaded
from tests.support.lines import checked_lines
from tests.support.networks import lite0

LITE = "efficientnet_lite0"


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def shows(picture: np.ndarray, kernel: np.ndarray) -> bool:
    """Return whether a picture holds a filter (3, h, w) in its colours, in squares of at least 40 pixels."""
    shown = np.rint(127.5 + 127.5 * kernel / abs(kernel).max()).astype(np.uint8).transpose(1, 2, 0)
    _, height, width = kernel.shape
    return any(
        holds(picture, shown.repeat([40, *high, 40], 0).repeat([40, *wide, 40], 1))
        for high in product((69, 70), repeat=height - 2)
        for wide in product((69, 70), repeat=width - 2)
    )


def pixels(path: str) -> np.ndarray:
    return np.asarray(Image.open(path))


def told(capsys: pytest.CaptureFixture[str], *words: str) -> dict:
    assert cli.invoke(["kernels", *words, "--json"]) == 0
    [line] = checked_lines(capsys.readouterr().out, command.kernels)
    return line


def test_the_bundled_network_as_it_is(capsys):
    line = told(capsys)
    assert (line["output"], line["layer"], line["shape"]) == (f"{LITE}-kernels.png", "conv_stem", [32, 3, 3, 3])
    assert (line["channels"], line["input_channels"]) == (list(range(32)), 3)
    weight = lite0().module.conv_stem.weight.numpy()
    picture = pixels(line["output"])
    assert all(shows(picture, kernel) for kernel in weight[[0, 9, 31]])


def test_depthwise_pairs_and_matrix(capsys):
    depthwise = told(capsys, "--layer", "blocks.1.0.conv_dw", "-o", "a.webp")
    assert (depthwise["shape"], depthwise["groups"], len(depthwise["channels"])) == ([96, 1, 3, 3], 96, 96)
    matrix = told(capsys, "--layer", "conv_head", "-o", "b.png")
    assert (len(matrix["channels"]), matrix["input_channels"]) == (1280, 320)
    rows = told(capsys, "--layer", "conv_head", "--channel", "7", "--channel", "3", "--channel", "7", "-o", "c.png")
    assert rows["channels"] == [7, 3]


def test_weights_of_ones_own(capsys):
    state = lite0().module.state_dict()
    torch.save(state | {"conv_stem.weight": state["conv_stem.weight"].flip(1)}, "bgr.pth")
    line = told(capsys, "--weights", "bgr.pth", "-o", "b.png")
    assert shows(pixels(line["output"]), state["conv_stem.weight"][4].flip(0).numpy())


def test_the_recipe_makes_the_same_bytes_again(run: Run):
    assert run("kernels", "--layer", "blocks.1.0.conv_dw", "--channel", "3", "-o", "a.png").status == 0
    recipe = json.loads(run("show", "a.png").stdout)
    assert recipe["input"] is None
    assert recipe["options"] == {
        "model": LITE, "weights": None, "class_names": None, "device": "auto", "dtype": "float32", "mean": None,
        "std": None, "channel": ["3"], "layer": "blocks.1.0.conv_dw", "theme": "light", "scale": 1,
    }  # fmt: skip
    assert run("show", "--rerun", "a.png", "-o", "b.png").status == 0
    assert Path("a.png").read_bytes() == Path("b.png").read_bytes()
    assert (
        run("show", "--rerun", "a.png", "--input", "a.png", "-o", "b.png")
        .errors[0]
        .endswith("--input: kernels takes no photo (see cnnviz show --help)")
    )


@pytest.mark.parametrize("ending", [".pdf", ".svg"])
def test_a_document_has_the_recipe_and_is_made_again_with_the_same_bytes(run: Run, ending: str):
    assert run("kernels", "--theme", "dark", "-o", f"a{ending}").status == 0
    assert read_recipe(Path(f"a{ending}"))["options"]["theme"] == "dark"
    assert run("show", "--rerun", f"a{ending}", "-o", f"b{ending}").status == 0
    assert Path(f"a{ending}").read_bytes() == Path(f"b{ending}").read_bytes()


def test_theme_and_scale(capsys):
    light, dark, twice = (
        loaded(told(capsys, *words, "-o", f"{number}.png")["output"])
        for number, words in enumerate([[], ["--theme", "dark"], ["--scale", "2"]])
    )
    assert (light.width, dark.size, twice.width) == (1920, light.size, 3840)
    assert abs(twice.height - 2 * light.height) <= 1
    assert [round(image.info["dpi"][0]) for image in (light, dark, twice)] == [200, 200, 400]
    assert [image.getpixel((0, 0)) for image in (light, dark)] == [rgb(THEMES[name].paper) for name in THEMES]


def test_standard_output_takes_the_picture(run: Run):
    done = run("kernels", "-o", "-")
    assert (done.status, done.errors) == (0, [])
    assert Image.open(io.BytesIO(done.stdout)).format == "PNG"
    assert os.listdir() == []


@pytest.mark.parametrize(
    ("words", "status", "start"),
    [
        (["cat.jpg"], 2, "Got unexpected extra argument (cat.jpg)"),
        (["-m", "efficientnet_lite"], 2, "Invalid value for '-m' / '--model': no network is named 'efficientnet_lite'"),
        (["--layer", "conv_stm"], 2, "efficientnet_lite0 has no layer 'conv_stm'; did you mean conv_stem"),
        (["--layer", "classifier"], 2, "layer classifier is a Linear, which has no filters of its own; name a"),
        (["--channel", "32"], 2, "--channel 32: conv_stem has 32 channels, 0 to 31"),
        (["--channel", "x"], 2, "Invalid value for '--channel'"),
        (["-o", "a.gif"], 2, "-o a.gif: end the name in"),
        (["-o", "-", "--json"], 2, "standard output takes the picture"),
        (["-m", "resnet18", "--offline"], 3, "resnet18: weights resnet18-f37072fd.pth"),
        (["--weights", "no.pth"], 3, "--weights no.pth: no such file"),
    ],
)
def test_mistakes_are_told_and_leave_nothing(words, status, start, capsys, monkeypatch, tmp_path):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    assert cli.invoke(["kernels", *words]) == status
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(f"cnnviz: {start}")
    assert len(err.splitlines()) <= (2 if status == 3 else 1)
    assert os.listdir() == []


def test_files_of_others_are_kept(capsys):
    Path("a.png").write_bytes(b"mine")
    assert cli.invoke(["kernels", "-o", "a.png"]) == 1
    assert "--overwrite" in capsys.readouterr().err
    assert cli.invoke(["kernels", "-o", "a.png", "--overwrite", "-q"]) == 0
    assert capsys.readouterr().err == ""
