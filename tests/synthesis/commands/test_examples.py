"""``visualize --examples``: the patches are those of ``top_images``, recorded, and the same when made again."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import cnnviz
from cnnviz import cli
from cnnviz.features.projections import ProjectionSettings
from cnnviz.io.recipe import read_recipe
from cnnviz.models.weights import sha256
from tests.support.lines import json_lines
from tests.support.networks import random_classifier

QUICK = ("visualize", "--layer", "2", "--steps", "1", "--size", "32")
NETWORK = random_classifier(32)


@pytest.fixture(autouse=True)
def photos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, commanded) -> list[Path]:
    """Five photos of noise in a folder and in the current one, and the small network for every command."""
    monkeypatch.chdir(tmp_path)
    commanded(NETWORK)
    generator, paths = np.random.default_rng(0), [Path("photos/deep/a.png"), *(Path(f"{n}.png") for n in range(4))]
    Path("photos/deep").mkdir(parents=True)
    for path in paths:
        Image.fromarray(generator.integers(0, 255, (32, 32, 3), dtype=np.uint8)).save(path)
    return paths


def test_the_patches_are_those_that_top_images_reports(photos, capsys):
    words = [word for path in ("photos", *photos[1:]) for word in ("--examples", str(path))]
    (line,) = json_lines(capsys, *QUICK, "--channel", "5,0", "--channel", "9", *words)
    settings = ProjectionSettings("2", receptive_field="effective")
    found = cnnviz.top_images(NETWORK, photos, layer="2", channels=[5, 0, 9], k=3, settings=settings)
    assert line["examples"] == [
        [{"file": str(photos[hit.number]), "sha256": sha256(photos[hit.number]), "position": list(hit.position),
          "activation": round(hit.activation, 6), "box": list(hit.region.box)} for hit in found.channels[channel]]
        for channel in (5, 0, 9)
    ]  # fmt: skip
    recorded = read_recipe(Path(line["output"]))
    assert [each["file"] for each in recorded["options"]["examples"]] == ["a.png", "0.png", "1.png", "2.png", "3.png"]
    assert "photos" not in str(recorded)


def test_a_figure_with_photos_is_made_again():
    assert cli.invoke([*QUICK, "--channel", "0-2", "--examples", "1.png", "--examples", "3.png", "-o", "a.png"]) == 0
    assert cli.invoke(["show", "--rerun", "a.png", "-o", "b.png"]) == 0
    assert Path("a.png").read_bytes() == Path("b.png").read_bytes()


def test_unreadable_photos_are_reported_and_results_of_cnnviz_left_out(photos, capsys):
    assert cli.invoke([*QUICK, "--channel", "0", "--bare", "-o", "photos/b.png"]) == 0
    (line,) = json_lines(capsys, *QUICK, "--channel", "0", "--examples", "photos")
    assert [hit["file"] for hit in line["examples"][0]] == ["photos/deep/a.png"]
    Path("photos/c.jpg").write_bytes(b"\xff\xd8\xff no photo")
    (line,) = json_lines(capsys, *QUICK, "--channel", "0", "--examples", "photos", status=1)
    assert (line["status"], len(line["examples"][0])) == ("ok", 1)
    assert cli.invoke(["show", "--rerun", line["output"], "-o", "again.png"]) == 1
    assert "the file of --examples, a.png, is neither beside it nor here" in capsys.readouterr().err
    assert cli.invoke([*QUICK, "--examples", "photos/c.jpg"]) == 1
    assert "no photo could be read; the first: " in capsys.readouterr().err


def test_without_photos_nothing_is_recorded(capsys):
    (line,) = json_lines(capsys, *QUICK, "--channel", "0")
    assert "examples" not in line
    assert "examples" not in read_recipe(Path(line["output"]))["options"]
    for other in (["--bare"], ["--direction", "1=1"]):
        assert cli.invoke([*QUICK, "--examples", "0.png", *other]) == 2
        assert "exclude each other" in capsys.readouterr().err
