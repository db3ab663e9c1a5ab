"""``cnnviz deconv``: one photo, and a folder searched for figure 2."""

import io
import json
import os
from importlib import resources
from pathlib import Path

import jsonschema
import numpy as np
import pytest
import torch
from click.testing import CliRunner
from PIL import Image

from cnnviz import cli, fit, load_network, read_photo
from cnnviz.app import resume
from cnnviz.features.deconvnet import deconvnet
from cnnviz.graph.receptive_field import layer_table
from tests.conftest import PHOTOS

LAYER = "blocks.2"


def test_a_photo_gives_its_strongest_maps_with_exact_boxes(run, photo):
    done = run("deconv", photo, "--layer", LAYER, "--top", "3", "-o", "a.png", "--raw", "a.npz", "--json")
    assert done.status == 0, done.errors
    assert any("no max pools before blocks.2" in line for line in done.errors)
    line = json.loads(done.stdout)
    jsonschema.validate(line, schema())
    arrays = np.load(photo.with_name("a.npz"))
    network = load_network("efficientnet_lite0", device="cpu")
    x, _ = fit(read_photo(photo), network)
    layer = next(one for one in layer_table(network.module, (224, 224)) if one.name == LAYER)
    activations = [unit["activation"] for unit in line["units"]]
    assert activations == sorted(activations, reverse=True)
    for unit, projection in zip(line["units"], arrays["projections"], strict=True):
        found = deconvnet(network, x, layer=LAYER, channel=unit["channel"])
        assert unit["position"] == list(found.position)
        assert unit["box"] == list(layer.box(found.position, (224, 224)))
        assert not unit["effective"]
        assert unit["activation"] == pytest.approx(found.seed, rel=1e-4)
        assert np.abs(projection - found.projection[0].numpy()).max() < 1e-3 * np.abs(projection).max()
    shown = json.loads(run("show", "a.png").stdout)
    assert shown["numbers"]["units"] == line["units"]
    again = run("show", "--rerun", "a.png", "-o", "b.png")
    assert again.status == 0, again.errors
    assert photo.with_name("a.png").read_bytes() == photo.with_name("b.png").read_bytes()


def schema() -> dict:
    text = resources.files("cnnviz").joinpath("data/schema-1.json").read_text("utf-8")

    def once(pairs: list) -> dict:
        assert len(dict(pairs)) == len(pairs)  # of two keys of one name the second would win, without a word
        return dict(pairs)

    return json.loads(text, object_pairs_hook=once)


def test_where_the_field_is_most_of_the_photo_the_effective_one_is_shown(run, photo):
    for words in (["--layer", "blocks.6"], ["--layer", LAYER, "--field", "effective"]):
        done = run("deconv", photo, *words, "--method", "guided", "--json", "-o", "a.png")
        units = json.loads(done.stdout)["units"]
        assert len(units) == 6
        for unit in units:
            top, left, bottom, right = unit["box"]
            assert unit["effective"]
            assert bottom - top == right - left <= 224
            assert min(top, left) >= 0
            assert max(bottom, right) <= 224


def test_through_pipes_and_bare(run, photo):
    words = ["deconv", "-", "--layer", LAYER, "--channel", "5", "--channel", "2", "--bare", "-o", "-"]
    done = run(*words, stdin=photo.read_bytes())
    assert done.status == 0, done.errors
    picture = np.asarray(Image.open(io.BytesIO(done.stdout)))
    assert picture.shape == (224, 448, 3)
    assert (picture[0, 0] == 128).all()


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["cat.jpg"], "Missing option '--layer'"),
        (["cat.jpg", "--layer", "blocks.9"], "has no layer 'blocks.9'; did you mean blocks.6"),
        (["cat.jpg", "--layer", LAYER, "--channel", "40"], "--channel 40: blocks.2 has 40 channels"),
        (["cat.jpg", "--layer", LAYER, "--channel", "4", "--top", "3"], "--channel and --top do not go together"),
        (["cat.jpg", "--layer", LAYER, "--channels", "4"], "--channels goes with a folder"),
        ([".", "--layer", LAYER, "--channel", "4"], "--channel goes with one photo"),
        ([".", "cat.jpg", "--layer", LAYER], "run them apart"),
        ([".", "--layer", LAYER, "-o", "a.png"], "a folder makes several pictures"),
        ([".", "--layer", LAYER, "--channels", "x"], "'x' is neither all nor numbers"),
        ([".", "--layer", LAYER, "--channels", "9-3"], "'9-3' is neither all nor numbers"),
        ([".", "--layer", LAYER, "--channels", "40"], "channel 40: blocks.2 has 40"),
    ],
)
def test_wrong_usage_is_told_in_one_line(run, photo, words, told):
    done = run("deconv", *words)
    assert done.status == 2, done.errors
    assert told in done.errors[-1]


def test_a_network_without_a_rule_is_refused_with_its_layers(run, photo, tmp_path):
    from torchvision.models import mobilenet_v3_small

    torch.save(mobilenet_v3_small(weights=None).state_dict(), tmp_path / "random.pth")
    words = ["deconv", photo, "-m", "mobilenet_v3_small", "--weights", "random.pth", "--layer", "features.3"]
    done = run(*words)
    assert done.status == 2
    assert len(done.errors) == 1
    assert "features.0.2 (hardswish)" in done.errors[0]
    assert run(*words, "--rule", "rectify").status == 0


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Twelve crops of two photographs, one of them twice, and a broken one."""
    root = tmp_path / "photos"
    (root / "cats").mkdir(parents=True)
    for name, place in (("chelsea", "cats"), ("coffee", "")):
        photo = Image.open(PHOTOS / f"{name}.jpg")
        for number in range(6):
            left, top = 30 * number, 10 * number
            photo.crop((left, top, left + 200, top + 200)).save(root / place / f"{name}{number}.png")
    (root / "a-copy.png").write_bytes((root / "coffee3.png").read_bytes())
    (root / "broken.jpg").write_bytes(b"\xff\xd8\xff no photograph")
    return root


def hits(path: Path) -> list[list[tuple[str, list[int], float]]]:
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    return [[(hit["file"], hit["position"], hit["activation"]) for hit in line["hits"]] for line in lines]


def test_a_folder_gives_the_strongest_photos_of_each_map(run, folder):
    done = run("deconv", "photos", "--layer", LAYER, "--top", "4", "--channels", "3,7-9", "-o", "two/", "--json")
    assert done.status == 1
    assert any("broken.jpg" in line for line in done.errors)
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert [line["status"] for line in lines] == ["error", "ok", "ok", "ok", "ok"]
    made = folder.parent / "two"
    assert sorted(path.name for path in made.iterdir()) == [
        f"{LAYER}-0003.png", f"{LAYER}-0007.png", f"{LAYER}-0008.png", f"{LAYER}-0009.png", f"{LAYER}.ndjson",
        f"{LAYER}.png",
    ]  # fmt: skip
    network = load_network("efficientnet_lite0", device="cpu")
    seen = {}
    for path in sorted(folder.rglob("*.png")):
        x, _ = fit(read_photo(path), network)
        with torch.inference_mode():
            caught: list[torch.Tensor] = []
            handle = network.layers()[LAYER].register_forward_hook(
                lambda _m, _i, out, c=caught: c.append(out[0].clone())
            )
            network(x)
            handle.remove()
        seen[str(path.relative_to(folder.parent))] = caught[0]
    for line, found in zip(lines[1:], hits(made / f"{LAYER}.ndjson"), strict=True):
        channel = line["channel"]
        best = sorted(seen, key=lambda name: (-round(float(seen[name][channel].max()), 3), name))[:4]
        assert [name for name, _, _ in found] == best
        for name, position, activation in found:
            assert activation == pytest.approx(float(seen[name][channel].max()), rel=1e-4)
            assert seen[name][channel][tuple(position)] == pytest.approx(activation, rel=1e-4)
    for line in lines:
        jsonschema.validate(line, schema())
    recipe = json.loads(run("show", f"two/{LAYER}-0003.png").stdout)
    assert recipe["input"]["photos"] == 14
    assert not any("/" in hit["file"] for hit in recipe["numbers"]["hits"])  # a recipe holds no folder
    again = run("deconv", "photos", "--layer", LAYER, "--top", "4", "--channels", "3,7-9", "-o", "two/", "--resume")
    assert again.status == 0
    assert "is whole already" in again.errors[-1]
    rerun = run("show", "--rerun", f"two/{LAYER}-0003.png", "-o", "again.png")
    assert rerun.status == 1
    assert "a folder" in rerun.errors[0]


def test_stopped_it_keeps_what_it_has_and_resume_ends_with_the_same_bytes(run, folder, monkeypatch):
    (folder / "broken.jpg").unlink()
    monkeypatch.chdir(folder.parent)
    words = ["deconv", "photos", "--layer", LAYER, "--top", "4", "--channels", "0-2"]
    calls = []

    def stop_early(self: resume.StopRequest) -> bool:
        calls.append(1)
        self.interrupted = self.interrupted or len(calls) == 2
        return self.interrupted

    with monkeypatch.context() as patched:
        patched.setattr(resume.StopRequest, "__call__", stop_early)
        stopped = CliRunner().invoke(cli.cli, [*words, "-o", "a/"])
    assert stopped.exit_code == 130
    kept = folder.parent / "a" / f"{LAYER}.partial.npz"
    assert np.load(kept)["taken"].tolist() == [8, 7, 0]
    partial = [json.loads(line) for line in (folder.parent / "a" / f"{LAYER}.ndjson").read_text().splitlines()]
    assert [line["status"] for line in partial] == ["partial"] * 3
    assert [line["photos"] for line in partial] == [8] * 3
    other = [*words[:-1], "0-1", "--method", "guided"]  # the search does not depend on what is drawn of it
    drawn = run(*other, "-o", "a/", "--resume", "--json")
    assert drawn.status == 0, drawn.errors
    assert not any("anew" in line for line in drawn.errors)
    assert not kept.exists()
    assert run(*words, "-o", "a/").status == 0
    assert run(*words, "-o", "b/").status == 0
    for ending in (".png", "-0000.png", "-0001.png", "-0002.png"):
        first, second = ((folder.parent / where / f"{LAYER}{ending}").read_bytes() for where in "ab")
        assert first == second


def test_photos_that_fail_do_not_take_the_others_with_them_and_are_not_forgotten(run, folder, monkeypatch):
    (folder / "broken.jpg").unlink()
    name = os.fsdecode(b"caf\xe9.png")  # not UTF-8
    Image.open(folder / "coffee1.png").save(folder / name)
    Image.new("RGB", (1, 900)).save(folder / "strip.png")  # too narrow for the network's crop
    done = run("deconv", "photos", "--layer", LAYER, "--channels", "0", "-o", "a/")
    assert done.status == 1
    assert any("strip.png: is too narrow" in line for line in done.errors)
    assert len(hits(folder.parent / "a" / f"{LAYER}.ndjson")) == 1


def test_what_cnnviz_did_not_write_stays(run, folder):
    for number, ending in enumerate((".ndjson", "-0000.png", ".png")):
        made = folder.parent / f"out-{number}"
        made.mkdir()
        (made / f"{LAYER}{ending}").write_text("mine")
        done = run("deconv", "photos", "--layer", LAYER, "--channels", "0", "-o", f"{made.name}/")
        assert done.status == 1
        assert "--overwrite" in done.errors[-1]
        assert (made / f"{LAYER}{ending}").read_text() == "mine"
