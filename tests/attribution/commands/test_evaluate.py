"""``cnnviz evaluate`` from a command line to pictures and numbers."""

import io
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from cnnviz import cli, fit, read_photo
from cnnviz.attribution.commands import evaluate as command
from cnnviz.attribution.deletion_insertion import deletion_insertion
from cnnviz.attribution.fills import occluder
from cnnviz.io import write
from cnnviz.models import weights
from tests.conftest import PHOTOS
from tests.support.lines import checked_lines
from tests.support.networks import lite0

FEW = ["--steps", "2", "--shifts", "1"]
SPOT = (250, 120)  # x, y on the photo, which has 451x300 pixels


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Run in a folder with a photo and a map: a hill whose top lies on the photo's SPOT."""
    monkeypatch.chdir(tmp_path)
    shutil.copy(PHOTOS / "chelsea.jpg", "cat.jpg")
    y, x = np.mgrid[:300, :451]
    np.save("hill.npy", np.exp(-((x - SPOT[0]) ** 2 + (y - SPOT[1]) ** 2) / 2000))
    return tmp_path


def lines(capsys: pytest.CaptureFixture[str], *words: str, status: int = 0) -> list[dict]:
    assert cli.invoke(["evaluate", *words, *FEW, "--json", "-q"]) == status
    return checked_lines(capsys.readouterr().out, command.evaluate)


def refused(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str]:
    status = cli.invoke(["evaluate", *words])
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert "internal error" not in err
    assert not list(Path().glob("*-evaluate.png"))
    return status, err


def test_the_numbers_are_those_of_the_method(capsys):
    line = lines(
        capsys, "cat.jpg", "--map", "hill.npy", "--class", "285", "--deletion-baseline", "black", "--seed", "4"
    )[0]
    assert (line["output"], line["command"], line["seed"]) == ("cat-evaluate.png", "evaluate", 4)
    [row] = line["maps"]
    assert (row["label"], row["target"], row["class_name"]) == ("hill", 285, "Egyptian cat")
    assert row["pointing"] is row["randomization"] is None

    network = lite0()
    x, geometry = fit(read_photo("cat.jpg"), network)
    values = torch.from_numpy(geometry.to_input(np.load("hill.npy")))[None]
    pictures = {"deletion_baseline": occluder(x, "black", network), "insertion_baseline": occluder(x, "blur", network)}
    found = deletion_insertion(network, x, values, targets=[285], steps=2, shifts=1, seed=4, **pictures)
    assert row["deletion"] == pytest.approx(found.deletion[0].tolist(), abs=2e-6)
    assert row["shifted_insertion"] == pytest.approx(found.shifted_insertion[0, 0].tolist(), abs=2e-6)
    assert row["insertion_auc"] == pytest.approx(float(torch.trapezoid(found.insertion, found.shares)[0]), abs=2e-6)
    assert row["deletion_auc_normalized"] == pytest.approx(row["deletion_auc"] / row["probability"], abs=1e-4)


def test_a_map_on_the_photo_and_on_the_input_points_at_the_same_place(capsys):
    _, geometry = fit(read_photo("cat.jpg"), lite0())
    np.save("input.npy", geometry.to_input(np.load("hill.npy")))
    words = ["--map", "hill.npy", "--map", "input.npy", "--label", "one", "--label", "two"]
    one, two = lines(capsys, "cat.jpg", *words, "--box", "240,110,20,20")[0]["maps"]
    assert (one["label"], two["label"]) == ("one", "two")
    assert {key: one[key] for key in one if key != "label"} == {key: two[key] for key in two if key != "label"}
    assert one["pointing"]["hit"]
    assert one["pointing"]["distance"] == 0
    assert np.abs(np.subtract(one["pointing"]["peak"], SPOT)).max() <= 1
    assert one["pointing"]["energy"] > 4 * one["pointing"]["covered"]


def test_boxes_and_masks_count_together_and_the_tolerance_is_of_500_pixels(capsys):
    mask = np.zeros((300, 451), np.uint8)
    mask[200:250, 240:260] = 255
    Image.fromarray(mask).save("mask.png")
    far = lines(capsys, "cat.jpg", "--map", "hill.npy", "--mask", "mask.png")[0]["maps"][0]["pointing"]
    assert not far["hit"]
    assert far["distance"] == pytest.approx(80 * 500 / 451, abs=2)
    assert lines(capsys, "cat.jpg", "--map", "hill.npy", "--mask", "mask.png", "--tolerance", "92")[0]["maps"][0][
        "pointing"
    ]["hit"]
    both = lines(capsys, "cat.jpg", "--map", "hill.npy", "--mask", "mask.png", "--box", "240,110,20,20")[0]
    assert both["maps"][0]["pointing"]["hit"]
    assert both["maps"][0]["pointing"]["covered"] > far["covered"]


def test_folders_of_maps_and_masks_are_matched_by_stem(capsys):
    Path("photos/deep").mkdir(parents=True)
    shutil.move("cat.jpg", "photos/cat.jpg")
    shutil.copy(PHOTOS / "coffee.jpg", "photos/deep/coffee.jpg")
    Path("maps/deep").mkdir(parents=True)
    shutil.copy("hill.npy", "maps/cat.npy")
    np.savez("maps/deep/coffee-occlude.npz", maps=np.random.default_rng(0).random((1, 224, 224)))
    cat, coffee = lines(capsys, "photos/", "--map", "maps/", "-o", "out/")
    assert (cat["output"], coffee["output"]) == ("out/cat-evaluate.png", "out/deep/coffee-evaluate.png")
    Path("maps/deep/coffee-occlude.npz").unlink()
    cat, coffee = lines(capsys, "photos/", "--map", "maps/", "-o", "out/", status=1)
    assert (cat["status"], coffee["status"]) == ("ok", "error")
    assert coffee["error"] == "photos/deep/coffee.jpg: maps/: holds no coffee.npy"
    Path("masks").mkdir()
    Image.new("L", (451, 300), 255).save("masks/cat.png")
    [cat] = lines(capsys, "photos/cat.jpg", "--map", "maps/", "--mask", "masks/")
    assert cat["maps"][0]["pointing"]["covered"] == 1


def raw_maps(sha256: str, **options: str) -> None:
    recipe = {"recipe": 1, "command": "occlude", "input": {"sha256": sha256, "name": "cat.jpg"}, "options": options}
    maps, photo_maps = np.zeros((2, 224, 224)), np.stack([np.load("hill.npy")] * 2)
    maps[:, 0, 0] = 1
    write.write_arrays("raw.npz", {"maps": maps, "photo_maps": photo_maps, "targets": np.array([285, 7])}, recipe)


def test_raw_maps_of_ours_know_their_class_their_photo_and_their_view(capsys):
    sha256 = weights.sha256(Path("cat.jpg"))
    view = {"model": "efficientnet_lite0", "fit": "crop", "input_size": None, "resize": None}
    box = ["--box", "0,0,451,300"]
    raw_maps(sha256, **view)
    found = lines(capsys, "cat.jpg", "--map", "raw.npz", *box)[0]["maps"]
    assert [row["label"] for row in found] == ["Occlusion, Egyptian cat", "Occlusion, cock"]
    assert found[0]["pointing"]["peak"][0] < 130  # the corner of the crop, from "maps"
    raw_maps(sha256, **view | {"fit": "pad"})
    [row] = lines(capsys, "cat.jpg", "--map", "raw.npz", "--class", "7", *box)[0]["maps"]
    assert (row["label"], row["target"]) == ("Occlusion", 7)
    assert abs(row["pointing"]["peak"][0] - SPOT[0]) <= 1  # from "photo_maps"
    assert (
        "no map of class 5, but of 285, 7"
        in lines(capsys, "cat.jpg", "--map", "raw.npz", "--class", "5", status=1)[0]["error"]
    )
    raw_maps("0" * 64, **view)
    assert "raw.npz: was made from another photo" in lines(capsys, "cat.jpg", "--map", "raw.npz", status=1)[0]["error"]


@pytest.mark.slow
def test_without_a_map_it_is_the_occlusion_map_and_its_network_can_be_randomized(run):
    words = ["--class", "282", "--class", "285", "--randomize-stages", "1", *FEW]
    done = run("evaluate", "cat.jpg", "--randomize", *words, "--json")
    assert (done.status, done.errors) == (0, ["cnnviz: cat.jpg -> cat-evaluate.png"])
    [line] = checked_lines(done.stdout.decode(), command.evaluate)
    assert [row["label"] for row in line["maps"]] == ["Occlusion, tiger cat", "Occlusion, Egyptian cat"]
    assert [stage["down_to"] for stage in line["maps"][0]["randomization"]] == ["classifier"]
    assert all(row["randomization"][0]["signed"] < 0.9 for row in line["maps"])
    assert run("occlude", "cat.jpg", "--class", "282", "--class", "285", "--raw", "cat.npz").status == 0
    again = run("evaluate", "cat.jpg", "--map", "cat.npz", *FEW, "--json", "--overwrite", "-q")
    for old, new in zip(line["maps"], json.loads(again.stdout)["maps"], strict=True):
        assert old["deletion"] == new["deletion"]


def test_the_table_stands_on_standard_output_unless_the_picture_does(capsysbinary):
    words = ["evaluate", "cat.jpg", "--map", "hill.npy", "--label", "a\x1b[31m", "--box", "0,0,451,300", *FEW]
    assert cli.invoke([*words, "-q"]) == 0
    head, columns, row = capsysbinary.readouterr().out.decode().splitlines()
    assert head == "cat.jpg"
    assert columns.split() == ["deletion", "(shifted)", "insertion", "(shifted)"]
    assert row.split()[0] == r"a\x1b[31m"
    assert "hit, energy 100% (mask 100%)" in row


def test_a_picture_on_standard_output_is_alone_there_and_runs_again_to_the_same_bytes(run):
    Image.new("L", (451, 300), 255).save("mask.png")
    words = ["--map", "hill.npy", "--label", "a, b", "--mask", "mask.png", "--box", "1,2,30,40", "--box", "5,6,7,8"]
    done = run("evaluate", "cat.jpg", *words, *FEW, "--class", "lynx", "-o", "-")
    assert (done.status, done.errors) == (0, [])
    picture = Image.open(io.BytesIO(done.stdout))
    assert picture.width == 1920
    assert picture.height > 1000  # the map, and below it both curves
    recipe = json.loads(picture.info["cnnviz"])
    assert [record["file"] for record in recipe["options"]["map"]] == ["hill.npy"]
    assert recipe["options"]["mask"]["file"] == "mask.png"
    assert recipe["options"]["box"] == [[1, 2, 30, 40], [5, 6, 7, 8]]
    assert "shares" not in recipe["numbers"]["maps"][0]
    Path("a.png").write_bytes(done.stdout)
    assert cli.invoke(["show", "--rerun", "a.png", "-o", "b.png"]) == 0
    assert Path("b.png").read_bytes() == done.stdout
    np.save("hill.npy", np.ones((300, 451)))
    assert cli.invoke(["show", "--rerun", "a.png", "-o", "c.png"]) == 1


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--map", "no.npy"], "no.npy"),
        (["--mask", "no.png"], "no.png"),
        (["--box", "1,2,3"], "not four whole numbers"),
        (["--box", "1,2,3,-4"], "not four whole numbers"),
        (["--box", "1,2,0,4"], "no width or no height"),
        (["--map", "hill.npy", "--randomize"], "leave --map out"),
        (["--label", "a"], "1 --label for 0 --map"),
        (["--class", "1", "--class", "2", *["--map", "hill.npy"] * 4], "more than 6 maps"),
        (["--map", "hill.npy", "dog.jpg"], "2 photos need a folder"),
        (["--mask", "hill.npy", "dog.jpg"], "2 photos need a folder"),
        (["--mask", "m.png", "-o", "m.png", "--overwrite"], "an input is never written to"),
        (["--steps", "0"], "--steps"),
        (["--map", "hill.npy", "--class", "nosuchthing"], "no class is named"),
    ],
)
def test_wrong_usage_is_one_line(words, told, capsys):
    Image.new("L", (451, 300), 255).save("m.png")
    status, err = refused(capsys, "cat.jpg", *words)
    assert status == 2
    assert told in err


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--map", "small.npy"], "lies neither on the network's input (224x224) nor on the photo (451x300)"),
        (["--map", "edge.npy"], "has only NaN on the network's input"),
        (["--map", "far.npz"], "far.npz: is of class 5000, and efficientnet_lite0 has 1000 classes"),
        (["--map", "hill.npy", "--class", "1", "--class", "2"], "maps: 1, classes: 2"),
        (["--map", "cat.jpg"], "cat.jpg: is not a file of NumPy arrays"),
        (["--mask", "small.png"], "small.png: a mask of 20x10 pixels does not fit the photo of 451x300"),
        (["--mask", "dark.png"], "dark.png: the mask is dark everywhere"),
        (["--mask", "small.npy"], "small.npy: is not an image"),
        (["--box", "0,0,452,5"], "--box 0,0,452,5 leaves the photo of 451x300"),
        (["--map", "hill.npy", "--box", "0,0,5,5", *FEW], "nothing of what the network sees"),
    ],
)
def test_what_does_not_fit_this_photo_is_a_failure_of_one_line(words, told, capsys):
    np.save("small.npy", np.zeros((10, 20)))
    edge = np.full((300, 451), np.nan)
    edge[:, :9] = 1
    np.save("edge.npy", edge)
    np.savez("far.npz", maps=np.load("hill.npy")[None], targets=np.array([5000]))
    Image.new("L", (20, 10), 255).save("small.png")
    Image.new("RGBA", (451, 300), (255, 255, 255, 0)).save("dark.png")
    status, err = refused(capsys, "cat.jpg", *words)
    assert status == 1
    assert told in err
