"""``cnnviz activations`` from a command line to files on disk."""

import io
import os
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from cnnviz import cli, fit, read_photo
from cnnviz.features.commands import activations as command
from cnnviz.figures.scale import rgb
from cnnviz.figures.style import THEMES
from cnnviz.io.recipe import read_recipe
from tests.conftest import PHOTOS, Run
from tests.support.images import loaded
from tests.support.lines import checked_lines
from tests.support.networks import lite0


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, photo: Path) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def told(capsys: pytest.CaptureFixture[str], *words: str) -> list[dict]:
    assert cli.invoke(["activations", *words, "--json"]) == 0
    return checked_lines(capsys.readouterr().out, command.activations)


def test_the_raw_arrays_are_the_networks(capsys):
    words = ["--layer", "blocks.2", "--top", "3", "--raw", "cat.npz"]
    (line,) = told(capsys, "cat.jpg", *words)
    assert (line["output"], line["raw"], line["layer"]) == ("cat-activations.png", "cat.npz", "blocks.2")
    raw = np.load("cat.npz")
    assert {name: raw[name].shape for name in raw.files if name != "recipe"} == {
        "maps": (40, 28, 28), "order": (40,), "strengths": (40,), "layer": (),
    }  # fmt: skip
    network = lite0()
    x, _ = fit(read_photo("cat.jpg"), network)
    with torch.no_grad():
        expected = network.module.blocks[:3](network.module.bn1(network.module.conv_stem((x - 0.5) / 0.5)))[0].numpy()
    np.testing.assert_allclose(raw["maps"], expected, atol=1e-3)
    assert (line["shape"], line["channels"]) == ([40, 28, 28], raw["order"][:3].tolist())
    assert line["maxima"] == pytest.approx(
        [float(raw["maps"][channel].max()) for channel in line["channels"]], abs=1e-5
    )
    assert line["strengths"] == pytest.approx(
        np.maximum(raw["maps"], 0).sum((1, 2))[line["channels"]].tolist(), rel=1e-5
    )
    assert (line["top"][0]["name"], line["class_names"]) == ("tiger cat", None)


def test_chosen_channels_stand_as_they_were_given(capsys):
    (line,) = told(
        capsys, "cat.jpg", "--layer", "bn1", "--channel", "30", "--channel", "2-3", "--channel", "30", "--overlay"
    )
    assert line["channels"] == [30, 2, 3]


def test_a_folder_and_the_same_bytes_again(run: Run):
    done = run("activations", PHOTOS, "no.jpg", "--layer", "blocks.4", "--overlay", "--top", "2", "-o", "maps/")
    assert done.status == 1
    assert sum("no.jpg" in line for line in done.errors) == 1
    names = [f"{name}-activations.png" for name in ("astronaut", "chelsea", "coffee")]
    assert sorted(os.listdir("maps")) == names
    assert run("show", "--rerun", f"maps/{names[1]}", "--input", "cat.jpg", "-o", "again.png").status == 0
    assert Path("again.png").read_bytes() == Path("maps", names[1]).read_bytes()


@pytest.mark.parametrize("ending", [".pdf", ".svg"])
def test_a_document_has_the_recipe_and_is_made_again_with_the_same_bytes(run: Run, ending: str):
    first, second = Path(f"a{ending}"), Path(f"b{ending}")
    words = ["--layer", "blocks.4", "--top", "3", "--common-scale", "--theme", "dark"]
    assert run("activations", "cat.jpg", *words, "-o", first).status == 0
    options = read_recipe(first)["options"]
    assert (options["common_scale"], options["theme"]) == (True, "dark")
    assert run("show", "--rerun", first, "-o", second).status == 0
    assert first.read_bytes() == second.read_bytes()


def test_theme_scale_and_a_common_scale_change_the_figure(capsys):
    own, dark, twice, common = (
        loaded(told(capsys, "cat.jpg", "--layer", "blocks.2", "--top", "4", *words, "-o", f"{n}.png")[0]["output"])
        for n, words in enumerate([[], ["--theme", "dark"], ["--scale", "2"], ["--common-scale"]])
    )
    assert (own.width, dark.size, twice.width) == (1920, own.size, 3840)
    assert [round(image.info["dpi"][0]) for image in (own, twice)] == [200, 400]
    assert [image.getpixel((0, 0)) for image in (own, dark)] == [rgb(THEMES[name].paper) for name in THEMES]
    assert own.tobytes() != common.tobytes()


def test_standard_input_and_output(run: Run, photo: Path):
    done = run("activations", "-", "--layer", "conv_head", "--top", "2", "-o", "-", stdin=photo.read_bytes())
    assert (done.status, done.errors) == (0, [])
    assert Image.open(io.BytesIO(done.stdout)).format == "PNG"
    assert os.listdir() == ["cat.jpg"]


@pytest.mark.parametrize(
    ("words", "start"),
    [
        (["cat.jpg", "--layer", "blocks.22"], "efficientnet_lite0 has no layer 'blocks.22'; did you mean blocks.2"),
        (["cat.jpg", "--layer", "classifier"], "layer classifier gives no feature maps"),
        (["cat.jpg", "--layer", "bn1", "--channel", "32"], "--channel 32: bn1 has 32 channels, 0 to 31"),
        (["cat.jpg", "--layer", "bn1", "--top", "0"], "Invalid value for '--top'"),
        (["cat.jpg", "--layer", "bn1", "--raw", "a.png"], "--raw a.png: end the name in .npz"),
        (["--layer", "bn1"], "Missing argument 'INPUTS...'"),
    ],
)
def test_wrong_usage_is_one_line(words, start, capsys):
    assert cli.invoke(["activations", *words]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(f"cnnviz: {start}")
    assert err.count("\n") == 1
    assert os.listdir() == ["cat.jpg"]


def test_a_broken_photo_fails_alone(capsys):
    Path("bad.jpg").write_bytes(b"\xff\xd8\xff broken")
    assert cli.invoke(["activations", "bad.jpg", "cat.jpg", "--layer", "bn1", "-o", "maps/"]) == 1
    assert sorted(os.listdir("maps")) == ["cat-activations.png"]
    assert capsys.readouterr().err.startswith("cnnviz: bad.jpg: ")


def test_without_a_layer_one_of_the_middle_is_shown(run, photo):
    done = run("activations", photo, "-o", "a.png", "--json")
    assert done.status == 0, done.errors
    [line] = checked_lines(done.stdout.decode(), command.activations)
    assert (line["layer"], line["shape"]) == ("blocks.2.0.bn1", [144, 56, 56])
