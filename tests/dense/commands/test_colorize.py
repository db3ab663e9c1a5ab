"""``cnnviz colorize`` from photos to figures, coloured photos and arrays; random weights in the published layout."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import cnnviz
from cnnviz.cli import invoke
from cnnviz.io.recipe import read_recipe
from cnnviz.models.lab import lightness
from cnnviz.models.preprocess import to_inputs
from tests.conftest import PHOTOS
from tests.support.colorizers import CENTRES, colorizer, random_weights
from tests.support.figure_files import check_figure_files
from tests.support.images import write_kinds
from tests.support.lines import json_lines


@pytest.fixture
def greys(tmp_path, monkeypatch, commanded) -> None:
    """A photo that is dark on the left and light on the right, and the network that tells them apart."""
    commanded(colorizer())
    monkeypatch.chdir(tmp_path)
    image = Image.new("L", (64, 32), 60)
    image.paste(190, (32, 0, 64, 32))
    image.save("greys.png")


@pytest.mark.usefixtures("greys")
def test_a_figure_its_arrays_and_its_recipe(capsys):
    (line,) = json_lines(capsys, "colorize", "greys.png", "--raw", "raw.npz", "-q")
    assert (line["size"], line["reduced"], line["output"]) == ([32, 64], 0, "greys-colorize.png")
    assert line["entropy"] == pytest.approx(0, abs=1e-3)
    with np.load("raw.npz") as arrays:
        assert arrays["ab"][:, 5, 4] == pytest.approx(CENTRES[0], abs=0.01)
        assert arrays["entropy"].shape == (32, 64)
    assert read_recipe(Path("greys-colorize.png"))["options"]["temperature"] == 0.38
    check_figure_files(["colorize", "greys.png"])


@pytest.mark.usefixtures("greys")
def test_the_coloured_photo_alone():
    assert invoke(["colorize", "greys.png", "--bare", "--temperature", "0", "-o", "colours.png", "-q"]) == 0
    with Image.open("colours.png") as image:
        assert image.size == (64, 32)
        left, right = image.getpixel((4, 9)), image.getpixel((60, 9))
    assert left.index(max(left)) == 0
    assert right.index(max(right)) == 1


@pytest.mark.usefixtures("greys")
def test_photos_of_all_kinds_give_a_result_or_one_line(capsys):
    lines = json_lines(capsys, "colorize", *write_kinds(), "--bare", "-o", "coloured/", "-q", status=1)
    assert [line["status"] for line in lines] == ["ok"] * 5 + ["error"]
    with Image.open("coloured/narrow-colorize.png") as image:
        assert image.size == (3000, 20)
    assert invoke(["colorize", "narrow.png", "tiny.png", "-o", "figures/", "-q"]) == 0


@pytest.mark.usefixtures("greys")
def test_wrong_usage_is_one_line(capsys):
    for words in (["--temperature", "1.5"], ["--temperature", "nan"], ["--bare", "--theme", "dark"],
                  ["--bare", "-o", "colours.pdf"]):  # fmt: skip
        assert invoke(["colorize", "greys.png", *words]) == 2
        assert len(capsys.readouterr().err.splitlines()) == 1


def test_random_weights_in_the_published_layout(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    random_weights(tmp_path / "random.pth")
    words = ["--weights", "random.pth", "--device", "cpu", "--bare", "-o", "colours.png"]
    (line,) = json_lines(capsys, "colorize", PHOTOS / "coffee.jpg", *words, "--raw", "raw.npz", "-q")
    assert line["network"] == "eccv16"
    assert 0 < line["entropy"] < 8.3
    photo = cnnviz.read_photo(PHOTOS / "coffee.jpg")
    found = cnnviz.colorize(cnnviz.load_colorizer("random.pth", device="cpu"), photo)
    with Image.open("colours.png") as image:
        written = np.asarray(image)
    assert np.array_equal(written, found.image)
    ours, theirs = (lightness(to_inputs([image])[0]) for image in (written, photo))
    assert float((ours - theirs).abs().max()) / 100 <= 1 / 255
    recipe = read_recipe(Path("colours.png"))
    assert recipe["options"]["weights"] == recipe["network"]["weights"]
    assert recipe["options"]["weights"]["file"] == "random.pth"
