"""``cnnviz depth`` from photos to figures, 16-bit images and arrays, and a network of transformers in its folder."""

import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cnnviz.cli import invoke
from cnnviz.io.recipe import read_recipe
from tests.conftest import PHOTOS
from tests.support.depth_networks import Plane, aligned_error, estimator, save_depth_anything
from tests.support.figure_files import check_figure_files
from tests.support.images import write_kinds
from tests.support.lines import json_lines

NEEDED = "transformers is not installed: pip install 'cnnviz[depth]'"
with_transformers = pytest.mark.skipif(importlib.util.find_spec("transformers") is None, reason=NEEDED)
NAME = ("-m", "owner/plane")


@pytest.fixture
def plane(tmp_path, monkeypatch, commanded) -> np.ndarray:
    """A photo, and a network whose depth is this plane whatever the photo shows."""
    commanded(estimator(Plane(), side=256))
    monkeypatch.chdir(tmp_path)
    Image.new("RGB", (256, 256), "teal").save("wall.png")
    ys, xs = np.mgrid[:256, :256] / 256
    return 1 + 2 * xs + 0.5 * ys


def test_a_plane_through_the_writers(plane, capsys):
    (line,) = json_lines(capsys, "depth", "wall.png", *NAME, "--depth-map", "-o", "map.png", "--raw", "raw.npz", "-q")
    assert (line["kind"], line["size"], line["input_size"]) == ("inverse", [256, 256], [256, 256])
    assert (line["low"], line["high"]) == pytest.approx((plane.min(), plane.max()))
    with np.load("raw.npz") as arrays:
        assert aligned_error(arrays["depth"], plane) < 1e-6
        assert str(arrays["kind"]) == "inverse"
    with Image.open("map.png") as image:
        assert (image.mode, image.size) == ("I;16", (256, 256))
        levels = np.asarray(image)
    assert aligned_error(levels, plane) <= 0.51 / 65535
    back = line["low"] + levels * ((line["high"] - line["low"]) / 65535)
    assert np.abs(back - plane).max() <= 0.51 * np.ptp(plane) / 65535


def test_the_figure_and_its_recipe(plane, capsys):
    (line,) = json_lines(capsys, "depth", "wall.png", *NAME, "-q")
    assert line["output"] == "wall-depth.png"
    recipe = read_recipe(Path("wall-depth.png"))
    assert recipe["numbers"]["kind"] == "inverse"
    assert recipe["options"]["model"] == "owner/plane"
    check_figure_files(["depth", "wall.png", *NAME])


def test_wrong_usage_is_one_line(plane, capsys):
    for words in ([], [*NAME, "--depth-map", "-o", "map.jpg"], [*NAME, "--depth-map", "--theme", "dark"],
                  [*NAME, "--kind", "miles"]):  # fmt: skip
        assert invoke(["depth", "wall.png", *words]) == 2
        assert len(capsys.readouterr().err.splitlines()) == 1


def test_photos_of_all_kinds_give_a_result_or_one_line(plane, capsys):
    lines = json_lines(capsys, "depth", *write_kinds(), *NAME, "--depth-map", "-o", "maps/", "-q", status=1)
    assert [line["status"] for line in lines] == ["ok"] * 5 + ["error"]
    with Image.open("maps/narrow-depth.png") as image:
        assert image.size == (3000, 20)
    assert invoke(["depth", "narrow.png", "tiny.png", "grey.png", *NAME, "-o", "figures/", "-q"]) == 0


def test_missing_weights_are_two_lines(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert invoke(["depth", str(PHOTOS / "coffee.jpg"), "-m", "./none", "--offline"]) == 3
    assert len(capsys.readouterr().err.splitlines()) == 2


def test_the_library_is_imported_by_this_command_alone(run):
    code = "import cnnviz.cli, cnnviz.dense.commands.depth, sys; print('transformers' in sys.modules)"
    assert run(script=f'python -c "{code}"').stdout == b"False\n"


@with_transformers
def test_a_network_in_a_folder_and_the_same_file_again(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    save_depth_anything(tmp_path / "networks/small")
    processing = {"size": {"height": 56, "width": 56}, "ensure_multiple_of": 14, "keep_aspect_ratio": True}
    (tmp_path / "networks/small/preprocessor_config.json").write_text(json.dumps(processing))
    words = ["-m", "networks/small", "--device", "cpu", "-o", "depth.png", "-q"]
    (line,) = json_lines(capsys, "depth", PHOTOS / "coffee.jpg", *words)
    assert (line["network"], line["input_size"], line["kind"]) == ("small", [56, 84], "inverse")
    recipe = read_recipe(Path("depth.png"))
    assert recipe["options"]["model"] == "small"
    assert recipe["network"]["weights"]["file"] == "model.safetensors"
    monkeypatch.chdir(tmp_path / "networks")
    again = ["show", "--rerun", "../depth.png", "--input", str(PHOTOS / "coffee.jpg"), "-o", "../again.png"]
    assert invoke(again) == 0
    assert (tmp_path / "again.png").read_bytes() == (tmp_path / "depth.png").read_bytes()
