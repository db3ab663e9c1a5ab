"""``cnnviz crop`` from photos to a figure, JPEG files and JSON."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cnnviz.cli import invoke
from cnnviz.io.recipe import read_recipe
from tests.conftest import PHOTOS
from tests.support.figure_files import check_figure_files
from tests.support.lines import json_lines
from tests.support.networks import lite0
from tests.support.rating import train_to_rate_brightness


@pytest.fixture
def photo(tmp_path, monkeypatch, commanded) -> Path:
    """A small photo of a cup, and the default network."""
    commanded(lite0())
    monkeypatch.chdir(tmp_path)
    Image.open(PHOTOS / "coffee.jpg").resize((180, 120)).save("cup.png")
    return tmp_path / "cup.png"


def test_a_figure_and_the_best_crops_as_files(photo, capsys):
    (line,) = json_lines(capsys, "crop", "cup.png", "--size", "4:3", "--top", "2", "-q")
    assert line["output"] == "cup-crop.png"
    assert (line["size"], line["name"]) == ([120, 180], "espresso")
    assert [one["score"] for one in line["crops"]] == sorted((one["score"] for one in line["crops"]), reverse=True)
    for one in line["crops"]:
        left, top, right, bottom = one["box"]
        with Image.open(one["file"]) as image:
            assert (image.format, image.size) == ("JPEG", (right - left, bottom - top))
    assert read_recipe(Path("cup-crop-1.jpg"))["numbers"]["box"] == line["crops"][0]["box"]
    before = Path("cup-crop.png").read_bytes()
    assert invoke(["show", "--rerun", "cup-crop.png", "-o", "again.png"]) == 0
    assert Path("again.png").read_bytes() == before


def test_without_top_no_file_but_the_figure(photo, capsys):
    (line,) = json_lines(capsys, "crop", "cup.png", "--class", "cup", "-q")
    assert [one["file"] for one in line["crops"]] == [None]
    assert list(Path().glob("*.jpg")) == []
    assert line["name"] == "cup"


def test_a_trained_rating_network_finds_the_brightest_part(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    train_to_rate_brightness(tmp_path / "bright.safetensors")
    texture = np.random.default_rng(0).normal(60, 20, (80, 240, 3))
    texture[:, 80:160] += 150
    Image.fromarray(texture.clip(0, 255).astype(np.uint8)).save("stripe.png")
    words = ["stripe.png", "--rating", "-m", "squeezenet1_1", "--weights", "bright.safetensors"]
    (line,) = json_lines(capsys, "crop", *words, "-q")
    assert (line["index"], line["name"]) == (None, None)
    (best,) = line["crops"]
    assert (best["probability"], best["share"]) == (None, None)
    assert best["score"] > 0.7
    assert best["box"][0] >= 72
    assert best["box"][2] <= 168
    assert invoke(["crop", *words, "--class", "0"]) == 2


def test_no_file_of_others_is_replaced(photo, capsys):
    Path("cup-crop-1.jpg").write_bytes(b"mine")
    assert invoke(["crop", "cup.png", "--top", "1"]) == 1
    assert "--overwrite" in capsys.readouterr().err


def test_wrong_usage_is_one_line(photo, capsys):
    for words in (["--size", "4"], ["--size", "0:1"], ["--size", "a:b"], ["--top", "0"], ["--class", "violet"]):
        assert invoke(["crop", "cup.png", *words]) == 2
        assert len(capsys.readouterr().err.splitlines()) == 1


def test_the_figure_as_any_file(photo):
    check_figure_files(["crop", "cup.png"])
