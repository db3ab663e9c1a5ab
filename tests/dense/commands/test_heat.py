"""``cnnviz heat`` from a command line to files on disk."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cnnviz import fit, read_photo
from cnnviz.attribution.map_files import read_maps
from cnnviz.cli import invoke
from cnnviz.dense.heat import heat
from tests.support.dense_networks import FullyConnected, Headed, Red, dense_network
from tests.support.lines import json_lines


@pytest.fixture
def here(tmp_path, monkeypatch, commanded) -> Path:
    """A folder with a photo that has a red square, and a network that finds red."""
    monkeypatch.chdir(tmp_path)
    photo = np.zeros((120, 200, 3), np.uint8)
    photo[70:110, 140:180, 0] = 255
    photo[..., 1] = 60
    Image.fromarray(photo).save("square.png")
    commanded(dense_network(Red(), double=False))
    return tmp_path


def lines(capsys, *words: str, status: int = 0) -> list[dict]:
    return json_lines(capsys, "heat", *words, "-q", status=status)


def test_the_class_its_probability_and_its_peak(here, capsys):
    (line,) = lines(capsys, "square.png", "--class", "red", "--size", "120", "--raw", "raw.npz")
    (found,) = line["classes"]
    assert (found["index"], found["name"], line["sizes"], line["stride"]) == (0, "red", [120], 8)
    assert abs(found["peak"]["x"] - 160) < 20
    assert abs(found["peak"]["y"] - 90) < 20
    assert (line["output"], line["raw"]) == ("square-heat.png", "raw.npz")
    with Image.open("square-heat.png") as picture:
        assert picture.width == 1920
    raw = np.load("raw.npz")
    assert {name: raw[name].shape for name in raw.files if name != "recipe"} == {
        "logits": (2,), "stride": (), "targets": (1,), "maps": (1, 64, 64), "photo_maps": (1, 120, 200),
        "places_120": (1, 15, 25),
    }  # fmt: skip
    network = dense_network(Red(), double=False)
    photo = read_photo(Path("square.png"))
    own = heat(network, photo, targets=[0], sizes=(120,))
    np.testing.assert_array_equal(raw["photo_maps"], own.geometry.to_photo(own.maps.numpy()))
    _, geometry = fit(photo, network)
    np.testing.assert_array_equal(read_maps(Path("raw.npz")).on_input(geometry, same_view=True), raw["maps"])


def test_rerun_gives_the_same_bytes_and_resume_skips(here, capsys):
    words = ["heat", "square.png", "--scales", "64,96", "--class", "red", "-q"]
    assert invoke([*words, "-o", "a.png"]) == 0
    assert invoke(["show", "--rerun", "a.png", "--input", "square.png", "-o", "b.png"]) == 0
    assert Path("a.png").read_bytes() == Path("b.png").read_bytes()
    assert invoke([*words, "-o", "a.png", "--resume"]) == 0
    capsys.readouterr()


def test_find_lists_and_draws_the_places_of_a_folder(here, capsys):
    Path("photos").mkdir()
    Path("square.png").rename("photos/square.png")
    Image.new("RGB", (100, 80)).save("photos/black.png")
    assert invoke(["heat", "photos", "--find", "red", "--level", "5", "--size", "120", "-o", "found/", "-q"]) == 0
    (row,) = capsys.readouterr().out.splitlines()
    path, place, value, box = row.split("\t")
    left, top, right, bottom = map(int, box.split(","))
    assert (path, 5 < float(value) <= 10) == ("photos/square.png", True)
    assert left < 150 < 170 < right < 200
    assert top < 80 < 100 < bottom <= 120
    assert [path.name for path in Path("found").rglob("*.png")] == ["square-heat.png"]
    none, one = lines(capsys, "photos", "--find", "red", "--level", "5", "--size", "120", "-o", "found/")
    assert (none["places"], none["output"], none["status"]) == ([], None, "ok")
    assert (one["places"][0]["box"], one["output"]) == ([left, top, right, bottom], "found/square-heat.png")
    assert f"{one['places'][0]['x']},{one['places'][0]['y']}" == place


def test_the_curve_is_a_figure_and_numbers(here, capsys):
    (line,) = lines(capsys, "square.png", "--class", "red", "--curve", "-o", "curve.svg")
    assert [row["size"] for row in line["curve"]][:4] == [128, 160, 192, 224]
    assert all(row["probability"] <= row["best_place"] for row in line["curve"])
    assert "best place" in Path("curve.svg").read_text("utf-8")


@pytest.mark.parametrize("words", [["--class", "blue"], ["--size", "16"], ["--scales", "64,x"], ["--stride", "4"],
                                   ["--scales", "64", "--size", "96"], ["--level", "3"], ["--curve", "--bare"],
                                   ["--find", "red", "--class", "red"],
                                   ["--curve", "--class", "red", "--class", "green"]])  # fmt: skip
def test_wrong_usage_is_one_line(here, capsys, words):
    assert invoke(["heat", "square.png", *words]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1
    assert not Path("square-heat.png").exists()


@pytest.mark.parametrize("kind", ["one", "grey", "rgba", "long"])
def test_photos_of_any_kind_give_a_result_or_one_line(here, capsys, kind):
    image = {"one": Image.new("RGB", (16, 16), "red"), "grey": Image.new("L", (90, 70), 99),
             "rgba": Image.new("RGBA", (90, 70), (255, 0, 0, 99)),
             "long": Image.new("RGB", (3000, 20))}[kind]  # fmt: skip
    image.save(f"{kind}.png")
    (line,) = lines(capsys, f"{kind}.png", "--bare", "--size", "64", status=int(kind == "long"))
    if kind == "long":
        assert "is too narrow (3000x20)" in line["error"]
        assert "\n" not in line["error"]
        return
    with Image.open(f"{kind}-heat.png") as drawn:
        assert drawn.size == image.size


def test_a_network_without_a_class_at_each_place_is_refused_by_name(here, capsys, commanded):
    from torch import nn

    commanded(dense_network(Headed(nn.Sequential(nn.Linear(6, 4), nn.Tanh())), "bent", double=False))
    (line,) = lines(capsys, "square.png", status=1)
    assert "bent has no class at each place" in line["error"]
    commanded(dense_network(FullyConnected(), double=False))
    (line,) = lines(capsys, "square.png", "--size", "96")
    assert line["stride"] == 4


def test_the_recipe_names_every_option(here, capsys):
    assert invoke(["heat", "square.png", "-q"]) == 0
    assert invoke(["show", "square-heat.png"]) == 0
    recipe = json.loads(capsys.readouterr().out)
    assert (recipe["options"]["size"], recipe["options"]["stride"]) == (448, "32")
    assert recipe["numbers"]["classes"][0]["name"] == "green"
