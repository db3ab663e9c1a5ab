"""``cnnviz rank`` from folders to lines and a contact sheet."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFilter

from cnnviz.cli import invoke
from cnnviz.io.recipe import read_recipe
from tests.conftest import PHOTOS
from tests.support.figure_files import check_figure_files
from tests.support.images import write_kinds
from tests.support.lines import json_lines
from tests.support.networks import lite0
from tests.support.rating import train_to_rate_brightness


@pytest.fixture
def photos(tmp_path, monkeypatch, commanded) -> Path:
    """A folder of a photo, its blurred copy in a folder below, and a broken file."""
    commanded(lite0())
    monkeypatch.chdir(tmp_path)
    (tmp_path / "photos/more").mkdir(parents=True)
    photo = Image.open(PHOTOS / "coffee.jpg")
    photo.save("photos/cup.jpg", quality=92)
    photo.filter(ImageFilter.GaussianBlur(4)).save("photos/more/blurred.jpg", quality=92)
    Path("photos/a-broken.jpg").write_bytes(b"\xff\xd8\xff no photo")
    return tmp_path


def test_a_line_each_best_first_and_a_sheet(photos, capsys):
    failed, first, second = json_lines(capsys, "rank", "photos", "-q", status=1)
    assert (failed["status"], failed["input"]) == ("error", "photos/a-broken.jpg")
    assert [(line["rank"], line["input"]) for line in (first, second)] == [
        (1, "photos/cup.jpg"), (2, "photos/more/blurred.jpg")]  # fmt: skip
    assert first["score"] > second["score"]
    assert first["sharpness"] > second["sharpness"]
    assert first["output"] == "photos-rank.png"
    assert first["top"][0]["name"] == "espresso"
    with Image.open("photos-rank.png") as sheet:
        assert sheet.width == 1920
    recipe = read_recipe(Path("photos-rank.png"))
    assert recipe["numbers"]["scores"] == {"1 cup.jpg": first["score"], "2 blurred.jpg": second["score"]}
    assert (recipe["input"]["name"], recipe["input"]["photos"]) == ("photos", 2)


def test_a_table_for_people_and_few_photos_on_the_sheet(photos, capsys):
    Path("photos/a-broken.jpg").unlink()
    for _ in range(2):  # an earlier sheet is no photo
        assert invoke(["rank", "photos", "--top", "1", "-o", "photos/sheet.png"]) == 0
        printed = capsys.readouterr()
        assert [row.split()[-1] for row in printed.out.splitlines()] == [
            "photo", "photos/cup.jpg", "photos/more/blurred.jpg"]  # fmt: skip
        assert printed.err == "cnnviz: 2 photos -> photos/sheet.png\n"
    assert list(read_recipe(Path("photos/sheet.png"))["numbers"]["scores"]) == ["1 cup.jpg"]


def test_photos_of_all_kinds_give_a_place_or_one_line(photos, capsys):
    lines = json_lines(capsys, "rank", *write_kinds(), "-q", status=1)
    assert {line["input"]: line["status"] for line in lines} == {
        "narrow.png": "error", "tiny.png": "ok", "large.png": "ok", "grey.png": "ok", "clear.png": "ok",
        "broken.png": "error"}  # fmt: skip
    assert "too narrow" in lines[0]["error"]


def test_wrong_usage_is_one_line(photos, capsys):
    assert invoke(["rank", "photos", "--rating"]) == 2
    assert capsys.readouterr().err.startswith("cnnviz: --rating requires --weights")
    assert invoke(["rank", "photos", "-o", "-", "--json"]) == 2
    assert invoke(["rank", "nothing.jpg"]) == 1
    assert "no such file" in capsys.readouterr().err


def test_missing_weights_are_two_lines(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    assert invoke(["rank", str(PHOTOS / "coffee.jpg"), "-m", "vgg16", "--offline"]) == 3
    assert len(capsys.readouterr().err.splitlines()) == 2


def test_the_sheet_as_any_file(photos):
    Path("photos/a-broken.jpg").unlink()
    check_figure_files(["rank", "photos"], rerun=False)


def test_a_trained_rating_network_orders_by_what_it_learned(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    train_to_rate_brightness(tmp_path / "bright.safetensors")
    levels = {"a": 90, "b": 230, "c": 40, "d": 160}
    for name, level in levels.items():
        texture = np.random.default_rng(level).normal(level, 20, (80, 80, 3))
        Image.fromarray(np.clip(texture, 0, 255).astype(np.uint8)).save(f"{name}.png")
    words = [*(f"{name}.png" for name in levels), "--rating", "-m", "squeezenet1_1", "--weights", "bright.safetensors"]
    lines = json_lines(capsys, "rank", *words, "--input-size", "64", "--resize", "64", "-q")
    assert [line["input"] for line in lines] == ["b.png", "d.png", "a.png", "c.png"]
    assert all(line["confidence"] is None for line in lines)
    assert invoke(["rank", "a.png", "-m", "squeezenet1_1", "--weights", "bright.safetensors"]) == 2
