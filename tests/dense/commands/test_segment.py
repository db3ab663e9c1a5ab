"""``cnnviz segment`` from photos to figures, masks and cut-outs; a network trained here, through --weights."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

import cnnviz
from cnnviz import load_network
from cnnviz.cli import invoke
from cnnviz.dense.palette import voc_palette
from cnnviz.io.recipe import read_recipe
from cnnviz.models.catalog import SELFIE
from cnnviz.models.selfie import SelfieSegmentation
from tests.conftest import PHOTOS
from tests.support import results
from tests.support.figure_files import check_figure_files
from tests.support.images import write_kinds
from tests.support.lines import json_lines
from tests.support.networks import fcn_8s, lite0

SIDE = 64
PACKAGE = Path(cnnviz.__file__).parent


@pytest.fixture
def photo(tmp_path, monkeypatch, commanded) -> Path:
    """A photo of three bands, red, green and blue, and the network that tells them apart."""
    commanded(results.segmenter())
    monkeypatch.chdir(tmp_path)
    image = np.zeros((40, 90, 3), np.uint8)
    image[:, :30, 0], image[:, 30:60, 1], image[:, 60:, 2] = 250, 250, 250
    Image.fromarray(image).save("bands.png")
    return tmp_path / "bands.png"


def test_a_figure_and_the_areas(photo, capsys):
    (line,) = json_lines(capsys, "segment", "bands.png", "-q")
    assert line["size"] == [40, 90]
    assert [(one["index"], one["name"]) for one in line["classes"]] == [(0, "red"), (1, "green"), (2, "blue")]
    assert [one["area"] for one in line["classes"]] == pytest.approx([1 / 3] * 3, abs=0.02)
    assert line["output"] == "bands-segment.png"
    with Image.open("bands-segment.png") as figure:
        assert figure.width == 1920
    assert read_recipe(Path("bands-segment.png"))["numbers"]["classes"] == line["classes"]


def test_the_mask_is_an_indexed_png_of_the_photos_size(photo):
    assert invoke(["segment", "bands.png", "--mask", "-o", "mask.png", "-q"]) == 0
    with Image.open("mask.png") as mask:
        assert (mask.mode, mask.size) == ("P", (90, 40))
        assert [mask.getpixel((x, 20)) for x in (5, 45, 85)] == [0, 1, 2]
        assert mask.getpalette() == voc_palette().ravel().tolist()
    assert invoke(["show", "--rerun", "mask.png", "-o", "again.png"]) == 0
    assert Path("again.png").read_bytes() == Path("mask.png").read_bytes()


def test_the_cut_out_is_transparent_outside_the_classes(photo):
    assert invoke(["segment", "bands.png", "--cutout", "--class", "blue", "-o", "blue.png", "-q"]) == 0
    with Image.open("blue.png") as cut, Image.open("bands.png") as image:
        assert cut.mode == "RGBA"
        assert cut.getpixel((5, 20))[3] == cut.getpixel((45, 20))[3] == 0
        assert cut.getpixel((85, 20))[3] == 255
        assert cut.convert("RGB").tobytes() == image.convert("RGB").tobytes()


def test_wrong_usage_is_one_line(photo, capsys):
    for words in (["--mask", "--cutout"], ["--mask", "-o", "mask.jpg"], ["--class", "violet"], ["-m", "selfy"]):
        assert invoke(["segment", "bands.png", *words]) == 2
        assert len(capsys.readouterr().err.splitlines()) == 1
    assert invoke(["classify", "bands.png", "-m", "selfie"]) == 2
    assert "selfie is for segmentation" in capsys.readouterr().err


def test_photos_of_all_kinds_give_a_result_or_one_line(photo, capsys):
    lines = json_lines(capsys, "segment", *write_kinds(), "--mask", "-o", "masks/", "-q", status=1)
    assert [line["status"] for line in lines] == ["ok"] * 5 + ["error"]
    with Image.open("masks/narrow-segment.png") as mask:
        assert mask.size == (3000, 20)


def test_missing_weights_are_two_lines(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    assert invoke(["segment", str(PHOTOS / "coffee.jpg"), "-m", "fcn_resnet50", "--offline"]) == 3
    error = capsys.readouterr().err.splitlines()
    assert len(error) == 2
    assert "fcn_resnet50_coco-1167a1af.pth" in error[0]


def test_fcn_8s_takes_a_file_of_weights_and_has_none_of_its_own(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    module = fcn_8s()
    save_file(module.state_dict(), "fcn.safetensors")
    (line,) = json_lines(capsys, "segment", PHOTOS / "coffee.jpg", "-m", "fcn8s", "--weights", "fcn.safetensors",
                         "--input-size", "64", "--mask", "-o", "mask.png", "-q")  # fmt: skip
    assert line["network"] == "fcn8s"
    assert sum(one["area"] for one in line["classes"]) == pytest.approx(1, abs=1e-4)
    network = load_network("fcn8s", weights_file="fcn.safetensors", size=64, resize=64, device="cpu")
    found = cnnviz.segment(network, cnnviz.read_photo(PHOTOS / "coffee.jpg"))
    with Image.open("mask.png") as mask:
        assert np.array_equal(np.asarray(mask), found.classes)
    assert invoke(["segment", str(PHOTOS / "coffee.jpg"), "-m", "fcn8s"]) == 3
    assert len(capsys.readouterr().err.splitlines()) == 2


def test_the_figure_as_any_file(photo):
    check_figure_files(["segment", "bands.png"])


def test_the_bundled_network_finds_the_astronaut(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (line,) = json_lines(capsys, "segment", PHOTOS / "astronaut.jpg", "-m", "selfie", "-q", "--offline")
    assert line["network"] == "selfie"
    assert [one["name"] for one in line["classes"]] == ["person", "background"]
    assert line["classes"][0]["area"] == pytest.approx(0.545, abs=0.003)


def test_without_a_model_the_top_classs_object_is_cut_out(tmp_path, monkeypatch, commanded, capsys):
    monkeypatch.chdir(tmp_path)
    commanded(lite0())
    photo = PHOTOS / "coffee.jpg"
    (line,) = json_lines(capsys, "segment", photo, "--cutout", "-o", "cup.png", "-q")
    assert line["estimate"]
    assert sorted(one["name"] for one in line["classes"]) == ["background", "espresso"]
    with Image.open("cup.png") as cup:
        opacity = np.asarray(cup)[..., 3]
    assert opacity[200, 250] == 255
    assert opacity[[0, 0, -1, -1], [0, -1, 0, -1]].max() == 0
    assert invoke(["segment", str(photo), "--class", "cup", "--class", "espresso"]) == 2


def discs(count: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Return images (N, SIDE, SIDE, 3) of a bright disc on a dark, noisy ground, and the discs (N, SIDE, SIDE)."""
    ys, xs = np.mgrid[:SIDE, :SIDE]
    places = rng.uniform(16, SIDE - 16, (count, 2, 1, 1))
    masks = (ys - places[:, 0]) ** 2 + (xs - places[:, 1]) ** 2 < rng.uniform(8, 20, (count, 1, 1)) ** 2
    levels = np.where(masks, rng.uniform(150, 230, (count, 1, 1)), rng.uniform(20, 90, (count, 1, 1)))
    return np.clip(levels[..., None] + rng.normal(0, 12, (*masks.shape, 3)), 0, 255).astype(np.uint8), masks


def train_to_find_discs(path: Path) -> None:
    """Write weights of the selfie network, whose own know people alone, trained further on discs."""
    module, rng = SelfieSegmentation(), np.random.default_rng(0)
    own = load_file(PACKAGE / "data" / SELFIE.file)
    module.load_state_dict({key: tensor.float() for key, tensor in own.items()})
    optimizer = torch.optim.Adam(module.parameters(), 2e-3)
    for _ in range(80):
        images, masks = discs(12, rng)
        logits = module(torch.from_numpy(images).permute(0, 3, 1, 2) / 255)
        loss = torch.nn.functional.cross_entropy(logits, torch.from_numpy(masks).long())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    save_file(module.state_dict(), path)


def test_a_network_trained_here_segments_held_out_images_through_its_weights_file(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    train_to_find_discs(tmp_path / "discs.safetensors")
    images, masks = discs(8, np.random.default_rng(1))
    for number, image in enumerate(images):
        Image.fromarray(image).save(f"disc{number}.png")
    names, size = [f"disc{number}.png" for number in range(8)], ["--input-size", str(SIDE)]
    json_lines(
        capsys,
        "segment",
        *names,
        "-m",
        "selfie",
        "--weights",
        "discs.safetensors",
        *size,
        "--mask",
        "-o",
        "masks/",
        "-q",
    )
    found = np.stack([np.asarray(Image.open(f"masks/disc{number}-segment.png")) for number in range(8)])
    unions = [((found == label) & (masks == label)).sum() / ((found == label) | (masks == label)).sum()
              for label in (0, 1)]  # fmt: skip
    assert np.mean(unions) >= 0.95
