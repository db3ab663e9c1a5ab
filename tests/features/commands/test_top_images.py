"""``cnnviz top-images`` from folders of photos to a folder of images."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from cnnviz import cli, fit, read_photo
from cnnviz.app.resume import StopRequest
from cnnviz.features.commands import top_images as command
from tests.conftest import PHOTOS
from tests.support.lines import checked_lines
from tests.support.networks import lite0

LAYER = "blocks.2"


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
    done = run("top-images", "photos", "--layer", LAYER, "--top", "4", "--channel", "3,7-9", "-o", "two/", "--json")
    assert done.status == 1
    assert any("broken.jpg" in line for line in done.errors)
    lines = checked_lines(done.stdout.decode(), command.top_images)
    assert [line["status"] for line in lines] == ["error", "ok", "ok", "ok", "ok"]
    made = folder.parent / "two"
    assert sorted(path.name for path in made.iterdir()) == [
        f"{LAYER}-0003.png", f"{LAYER}-0007.png", f"{LAYER}-0008.png", f"{LAYER}-0009.png", f"{LAYER}.ndjson",
        f"{LAYER}.png",
    ]  # fmt: skip
    network = lite0()
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
    recipe = json.loads(run("show", f"two/{LAYER}-0003.png").stdout)
    assert recipe["input"]["photos"] == 14
    assert not any("/" in hit["file"] for hit in recipe["numbers"]["hits"])  # a recipe holds no folder
    again = run("top-images", "photos", "--layer", LAYER, "--top", "4", "--channel", "3,7-9", "-o", "two/", "--resume")
    assert again.status == 0
    assert "is finished already" in again.errors[-1]
    rerun = run("show", "--rerun", f"two/{LAYER}-0003.png", "-o", "again.png")
    assert rerun.status == 1
    assert "many photos" in rerun.errors[0]


def test_stopped_it_keeps_what_it_has_and_resume_ends_with_the_same_bytes(run, folder, monkeypatch):
    (folder / "broken.jpg").unlink()
    monkeypatch.chdir(folder.parent)
    words = ["top-images", "photos", "--layer", LAYER, "--top", "4", "--channel", "0-2"]
    calls = []

    def stop_early(self: StopRequest) -> bool:
        calls.append(1)
        self.interrupted = self.interrupted or len(calls) == 2
        return self.interrupted

    with monkeypatch.context() as patched:
        patched.setattr(StopRequest, "__call__", stop_early)
        assert cli.invoke([*words, "-o", "a/"]) == 130
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
    done = run("top-images", "photos", "--layer", LAYER, "--channel", "0", "-o", "a/")
    assert done.status == 1
    assert any("strip.png: is too narrow" in line for line in done.errors)
    assert len(hits(folder.parent / "a" / f"{LAYER}.ndjson")) == 1


def test_what_cnnviz_did_not_write_stays(run, folder):
    for number, ending in enumerate((".ndjson", "-0000.png", ".png")):
        made = folder.parent / f"out-{number}"
        made.mkdir()
        (made / f"{LAYER}{ending}").write_text("mine")
        done = run("top-images", "photos", "--layer", LAYER, "--channel", "0", "-o", f"{made.name}/")
        assert done.status == 1
        assert "--overwrite" in done.errors[-1]
        assert (made / f"{LAYER}{ending}").read_text() == "mine"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["photos", "photos/coffee1.png", "--layer", LAYER], "is a file"),
        (["photos", "--layer", LAYER, "-o", "a.png"], "there are several results"),
        (["photos", "--layer", LAYER, "-o", "a.pdf"], "there are several results"),
        (["photos", "--layer", LAYER, "--channel", "x"], "'x' is neither a number, a range such as 3-7, nor all"),
        (["photos", "--layer", LAYER, "--channel", "40"], "--channel 40: blocks.2 has 40 channels, 0 to 39"),
    ],
)
def test_wrong_usage_is_one_line(run, folder, words, message):
    done = run("top-images", *words)
    assert done.status == 2, done.errors
    assert len(done.errors) == 1 or "no max pools" in done.errors[0]
    assert message in done.errors[-1]
