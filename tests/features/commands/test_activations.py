"""``cnnviz activations`` from a command line to files on disk."""

import io
import json
import os
from pathlib import Path

import numpy as np
import pytest
import torch
from jsonschema import Draft202012Validator
from PIL import Image

import cnnviz
from cnnviz import cli, fit, load_network, read_photo
from cnnviz.features.activations import Activations
from cnnviz.features.figures import activations
from cnnviz.figures import overlay
from cnnviz.models.preprocess import Geometry
from tests.conftest import PHOTOS, Run

SCHEMA = json.loads((Path(cnnviz.__file__).parent / "data" / "schema-1.json").read_text("utf-8"))


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, photo: Path) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def told(capsys: pytest.CaptureFixture[str], *words: str) -> list[dict]:
    assert cli._run(["activations", *words, "--json"]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    for line in lines:
        Draft202012Validator(SCHEMA).validate(line)
    return lines


def made_up(maps: torch.Tensor) -> Activations:
    strengths = maps.double().clamp(min=0).sum((1, 2))
    return Activations("deep", maps, strengths, strengths.argsort(descending=True), torch.zeros(2))


def holds(picture: np.ndarray, block: np.ndarray) -> bool:
    high, wide = block.shape[:2]
    corners = (picture[: len(picture) - high + 1, : picture.shape[1] - wide + 1] == block[0, 0]).all(-1)
    return any(np.array_equal(picture[y : y + high, x : x + wide], block) for y, x in np.argwhere(corners))


def test_all_maps_have_one_scale_from_zero_where_nothing_is_negative():
    maps = torch.tensor([[[0.0, 1.0], [2.0, 1.0]], [[0.0, 0.0], [0.0, 4.0]]])
    viridis = overlay.colour_table("viridis")
    picture = activations.draw("mine", made_up(maps), [1, 0])
    side = 440 // 2
    for values in maps.numpy():
        assert holds(picture, viridis[np.rint(values / 4 * 255).astype(int)].repeat(side, 0).repeat(side, 1))


def test_one_negative_value_anywhere_makes_the_scale_signed():
    maps = torch.tensor([[[0.0, 1.0], [2.0, 1.0]], [[0.0, 0.0], [0.0, -4.0]]])
    signed, side = overlay.colour_table("signed"), 440
    block = np.array([[overlay.BAR, signed[255]], [overlay.BAR, signed[255]]], np.uint8)
    picture = activations.draw("mine", made_up(torch.stack([maps[1], torch.tensor([[0.0, 9.0]] * 2)])), [1])
    assert holds(picture, block.repeat(side // 2, 0).repeat(side // 2, 1))


def test_over_the_photograph_maps_lie_where_they_belong():
    """A map that is hot in its left half: over the photo, left is hot, right is not, outside is dimmed."""
    photo = np.full((200, 400, 3), 128, np.uint8)
    geometry = Geometry((200, 400), (200, 400), (0, 100), (200, 200))
    maps = torch.tensor([[[1.0, 1.0, 0.0, 0.0]] * 4])
    picture = activations.draw("mine", made_up(maps), [0], (photo, geometry)).astype(int)
    dimmed = int(128 * 0.35 + 20)
    ys, xs = np.nonzero((picture == dimmed).all(-1))
    top, bottom, left, right = ys.min(), ys.max(), xs.min(), xs.max() + 1
    assert (right - left, bottom + 1 - top) == (440, 220)
    hot, cold = (picture[(top + bottom) // 2, left + at] for at in (130, 310))
    assert hot[1] > cold[1] + 80  # viridis: yellow and violet


def test_the_raw_arrays_are_the_networks(capsys):
    words = ["--layer", "blocks.2", "--top", "3", "--raw", "cat.npz"]
    (line,) = told(capsys, "cat.jpg", *words)
    assert (line["output"], line["raw"], line["layer"]) == ("cat-activations.png", "cat.npz", "blocks.2")
    raw = np.load("cat.npz")
    assert {name: raw[name].shape for name in raw.files if name != "recipe"} == {
        "maps": (40, 28, 28), "order": (40,), "strengths": (40,), "layer": (),
    }  # fmt: skip
    network = load_network(device="cpu")
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
    assert line["top"][0]["name"] == "tiger cat"


def test_chosen_channels_stand_as_they_were_given(capsys):
    (line,) = told(
        capsys, "cat.jpg", "--layer", "bn1", "--channel", "30", "--channel", "2", "--channel", "30", "--overlay"
    )
    assert line["channels"] == [30, 2]


def test_a_folder_and_the_same_bytes_again(run: Run):
    done = run("activations", PHOTOS, "no.jpg", "--layer", "blocks.4", "--overlay", "--top", "2", "-o", "maps/")
    assert done.status == 1
    assert sum("no.jpg" in line for line in done.errors) == 1
    names = [f"{name}-activations.png" for name in ("astronaut", "chelsea", "coffee")]
    assert sorted(os.listdir("maps")) == names
    assert run("show", "--rerun", f"maps/{names[1]}", "--input", "cat.jpg", "-o", "again.png").status == 0
    assert Path("again.png").read_bytes() == Path("maps", names[1]).read_bytes()


def test_standard_input_and_output(run: Run, photo: Path):
    done = run("activations", "-", "--layer", "conv_head", "--top", "2", "-o", "-", stdin=photo.read_bytes())
    assert (done.status, done.errors) == (0, [])
    assert Image.open(io.BytesIO(done.stdout)).format == "PNG"
    assert os.listdir() == ["cat.jpg"]


@pytest.mark.parametrize(
    ("words", "start"),
    [
        (["cat.jpg"], "Missing option '--layer': one of those that cnnviz layers efficientnet_lite0 prints"),
        (["cat.jpg", "--layer", "blocks.22"], "efficientnet_lite0 has no layer 'blocks.22'; did you mean blocks.2"),
        (["cat.jpg", "--layer", "classifier"], "layer classifier gives no feature maps"),
        (["cat.jpg", "--layer", "bn1", "--channel", "32"], "--channel 32: bn1 has 32 channels, 0 to 31"),
        (["cat.jpg", "--layer", "bn1", "--top", "0"], "Invalid value for '--top'"),
        (["cat.jpg", "--layer", "bn1", "--raw", "a.png"], "--raw a.png: end the name in .npz"),
        (["--layer", "bn1"], "Missing argument 'INPUTS...'"),
    ],
)
def test_wrong_usage_is_one_line(words, start, capsys):
    assert cli._run(["activations", *words]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(f"cnnviz: {start}")
    assert err.count("\n") == 1
    assert os.listdir() == ["cat.jpg"]


def test_a_broken_photo_fails_alone(capsys):
    Path("bad.jpg").write_bytes(b"\xff\xd8\xff broken")
    assert cli._run(["activations", "bad.jpg", "cat.jpg", "--layer", "bn1", "-o", "maps/"]) == 1
    assert sorted(os.listdir("maps")) == ["cat-activations.png"]
    assert capsys.readouterr().err.startswith("cnnviz: bad.jpg: ")
