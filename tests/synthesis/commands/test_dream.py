"""``cnnviz dream`` from a command line to files on disk."""

import io
import json
import os
import signal
from pathlib import Path

import numpy as np
import pytest
from jsonschema import Draft202012Validator
from PIL import Image

import cnnviz
from cnnviz import cli
from cnnviz.errors import MethodError
from cnnviz.io import recipe
from cnnviz.synthesis.commands import ascent_options
from cnnviz.synthesis.commands.dream import compute_size_note, noise_image, read_mask
from tests.conftest import Run
from tests.synthesis.commands.test_dream_options import options

SCHEMA = json.loads((Path(cnnviz.__file__).parent / "data" / "schema-1.json").read_text("utf-8"))
QUICK = ("--steps", "1", "--octaves", "2", "--layer", "blocks.1")


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, photo: Path) -> Path:
    monkeypatch.chdir(tmp_path)
    Image.open(photo).resize((112, 80)).save("small.png")
    return tmp_path


def pixels(path: str) -> np.ndarray:
    return np.asarray(Image.open(path).convert("RGB"))


def test_a_line_of_json_and_the_same_bytes_again(capsys):
    words = ["dream", "small.png", *QUICK, "--layer", "blocks.2=0.5", "--channel", "blocks.1:3", "--class", "tabby=2"]
    assert cli.invoke([*words, "--json"]) == 0
    line = json.loads(capsys.readouterr().out)
    Draft202012Validator(SCHEMA).validate(line)
    assert line["size"] == [80, 112]
    assert line["objective"][1:3] == [
        {"weight": 0.5, "layer": "blocks.2"},
        {"layer": "blocks.1", "channel": 3, "weight": 1.0},
    ]
    first = Path("small-dream.png").read_bytes()
    assert cli.invoke(words) == 0
    assert Path("small-dream.png").read_bytes() == first
    assert cli.invoke(["show", "--rerun", "small-dream.png", "-o", "again.png"]) == 0
    assert Path("again.png").read_bytes() == first


def test_bytes_outside_the_mask_are_the_photos():
    mask = np.zeros((80, 112), np.uint8)
    mask[20:50, 30:90] = 255
    Image.fromarray(mask).save("mask.png")
    assert cli.invoke(["dream", "small.png", *QUICK, "--mask", "mask.png", "-o", "out.png"]) == 0
    before, after = pixels("small.png"), pixels("out.png")
    assert (before[mask == 0] == after[mask == 0]).all()
    assert (before[mask > 0] != after[mask > 0]).any(-1).mean() > 0.5
    assert cli.invoke(["show", "--rerun", "out.png", "-o", "again.png"]) == 0
    assert Path("again.png").read_bytes() == Path("out.png").read_bytes()


def test_large_photos_are_computed_at_a_bounded_size(capsys):
    words = ["dream", "small.png", *QUICK, "-o", "out.png"]
    assert cli.invoke([*words, "--compute-size", "96"]) == 0
    note = "cnnviz: computed at 96 px; --compute-size full computes at the photo's own 112 px\n"
    assert note in capsys.readouterr().err
    assert pixels("out.png").shape == (80, 112, 3)
    bounded = Path("out.png").read_bytes()
    assert cli.invoke(["show", "--rerun", "out.png", "-o", "again.png"]) == 0
    assert Path("again.png").read_bytes() == bounded
    capsys.readouterr()
    assert cli.invoke([*words, "--compute-size", "full"]) == 0
    full = pixels("out.png")
    assert "computed at" not in capsys.readouterr().err
    assert cli.invoke(words) == 0
    assert np.array_equal(pixels("out.png"), full)
    assert Path("out.png").read_bytes() != bounded


@pytest.mark.parametrize(("size", "noted"), [(1600, 1), ("full", 0), (4000, 0), (3999, 1)])
def test_a_smaller_computation_is_noted(size, noted):
    assert len(compute_size_note((3000, 4000, 3), options(compute_size=size))) == noted


def test_noise_streams_sizes_guides_and_pictures_on_the_way(run: Run):
    assert cli.invoke(["dream", "noise", *QUICK, "--long-side", "72", "-o", "n.png", "--seed", "3"]) == 0
    assert pixels("n.png").shape == (72, 72, 3)
    assert cli.invoke(["show", "--rerun", "n.png", "-o", "m.png"]) == 0
    assert Path("m.png").read_bytes() == Path("n.png").read_bytes()
    words = ("--guide", "n.png", "--steps", "2", "--octaves", "1", "--layer", "blocks.1", "--save-every", "1")
    assert cli.invoke(["dream", "small.png", *words, "-o", "g.png", "--long-side", "100"]) == 0
    assert pixels("g.png").shape == pixels("g-1.png").shape == (71, 100, 3)
    assert recipe.read_recipe(Path("g-1.png"))["numbers"] == {"steps_done": 1}
    assert not Path("g-2.png").exists()
    ran = run("dream", "-", *QUICK, "-o", "-", stdin=Path("small.png").read_bytes())
    assert ran.status == 0
    assert Image.open(io.BytesIO(ran.stdout)).size == (112, 80)


def test_interrupted_it_keeps_the_picture(monkeypatch, capsys):
    asked = []

    snapshot_path = ascent_options.snapshot_path

    def interrupt(*step):
        if not asked:
            asked.append(os.kill(os.getpid(), signal.SIGINT))
        return snapshot_path(*step)

    monkeypatch.setattr(ascent_options, "snapshot_path", interrupt)
    assert (
        cli.invoke(["dream", "small.png", "--octaves", "1", "--layer", "blocks.1", "--save-every", "1", "--json"])
        == 130
    )
    line = json.loads(capsys.readouterr().out)
    Draft202012Validator(SCHEMA).validate(line)
    assert (line["status"], line["steps_done"]) == ("partial", 1)
    assert recipe.read_recipe(Path("small-dream.png"))["numbers"]["steps_done"] == 1
    assert cli.invoke(["show", "--rerun", "small-dream.png", "-o", "again.png"]) == 1


@pytest.mark.parametrize(
    ("words", "status", "start"),
    [
        (["small.png", "--layer", "blocks.44"], 2, "efficientnet_lite0 has no layer 'blocks.44'"),
        (["small.png", "--compute-size", "9"], 2, "Invalid value for '--compute-size'"),
        (["small.png", "--layer", "blocks.4=x"], 2, "Invalid value for '--layer'"),
        (["small.png", "--layer", "a", "--layer", "b", "--channel", "1"], 2, "--channel 1: give its layer too"),
        (["small.png", "--channel", "x"], 2, "--channel x: is neither a number nor LAYER:NUMBER"),
        (["small.png", "--channel", "5000"], 2, "channel 5000: blocks.4 has 112 channels, 0 to 111"),
        (["small.png", "--channel", "5", "--caricature"], 2, "--guide and --caricature go with a --layer"),
        (["small.png", "--layer", "classifier"], 2, "layer classifier gives no feature maps"),
        (["small.png", "-m", "vit_b_16"], 2, "Missing option '--layer'"),
        (["small.png", "--save-every", "1", "-o", "-"], 2, "--save-every writes files"),
        (["small.png", "--mask", "cat.jpg"], 1, "small.png: cat.jpg: a mask of 451x300 pixels does not fit"),
        (["missing.png"], 1, "missing.png: no such file"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_one_line(words, status, start, capsys):
    assert cli.invoke(["dream", *words]) == status
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(f"cnnviz: {start}")
    assert err.count("\n") == 1
    assert sorted(os.listdir()) == ["cat.jpg", "small.png"]


def test_a_mask_has_the_size_of_the_result():
    Image.new("L", (60, 40), 255).save("white.png")
    Image.new("L", (40, 40), 255).save("square.png")
    photo = np.zeros((40, 60, 3), np.uint8)
    assert read_mask(photo, options()) is None
    mask = read_mask(photo, options(mask="white.png", long_side=30))
    assert mask.shape == (1, 1, 20, 30)
    assert float(mask.min()) == 1
    with pytest.raises(MethodError, match=r"square.png: a mask of 40x40 pixels does not fit the photo of 60x40"):
        read_mask(photo, options(mask="square.png"))


def test_noise_is_of_the_seed_and_the_long_side():
    assert noise_image(options()).shape == (512, 512, 3)
    one, same, other = (noise_image(options(long_side=40, seed=seed)) for seed in (1, 1, 2))
    assert np.array_equal(one, same)
    assert not np.array_equal(one, other)
